"""Messages: the value, the rule, the remedy; and the nearest name."""

import pytest

import asha_nas.errors
from spaces.errors import InvalidValue, UnknownName, UserError


def test_a_value_its_rule_and_the_remedy():
    assert str(InvalidValue("eta", 1, "must be >= 2", "Use 3.")) == "eta = 1: must be >= 2\nUse 3."
    assert str(InvalidValue("name", "a b", "has a space")) == "name = 'a b': has a space"


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("cifar", ["digits", "cifar10"], "unknown data 'cifar'\nDid you mean 'cifar10'? Known: cifar10, digits"),
        ("DIGITS", ["digits", "cifar10"], "unknown data 'DIGITS'\nDid you mean 'digits'? Known: cifar10, digits"),
        ("darts_v2", ["DARTS_V2"], "unknown data 'darts_v2'\nDid you mean 'DARTS_V2'? Known: DARTS_V2"),
        ("zzz", ["digits"], "unknown data 'zzz'\nKnown: digits"),
        ("x", [], "unknown data 'x'\nKnown: (none)"),
        ("", ["digits"], "unknown data ''\nKnown: digits"),
    ],
)
def test_the_nearest_name_is_offered(name, known, message):
    assert str(UnknownName("data", name, iter(known))) == message


def test_the_tree_is_the_one_that_is_drawn():
    drawn = asha_nas.errors.__doc__
    for name in asha_nas.errors.__all__:
        assert f"{name} " in drawn or f"{name}\n" in drawn
        error = getattr(asha_nas.errors, name)
        failures = (asha_nas.errors.TrialFailure, asha_nas.errors.Diverged, asha_nas.errors.OutOfMemory)
        assert issubclass(error, UserError) == (error not in failures)
    assert issubclass(asha_nas.errors.Diverged, asha_nas.errors.TrialFailure)
