"""Which studies belong together, what lines are called, and what does not compare."""

import pytest

from asha_nas.analysis import History
from asha_nas.analysis.lines import Entry, common_ground, differences, ground, lines, parse
from asha_nas.analysis.trajectory import Spent, Trajectory
from asha_nas.errors import InvalidValue, NoResult, UserError
from asha_nas.store import Asked, Closed, Opened, Repeated, Reported, Row, Told
from asha_nas.study import make_spec

ONE = Trajectory((1,), (1,), (1.0,), (1.0,), (0.5,), {"valid_error": (0.5,)}, Spent(1, 1, 1.0, 1.0))


def spec_of(name="x", seed=0, problem=None, scheduler=None, **rest):
    values = {"problem": {"kind": "darts-cnn"}, "scheduler": {"kind": "random", "R": 4, "configs": 3}}
    values |= {key: value for key, value in (("problem", problem), ("scheduler", scheduler)) if value}
    return make_spec({"name": name, "seed": seed, **values, **rest})


def entry(name="x", seed=0, repeats=1, **parts):
    return Entry(spec_of(name, seed, **parts), (ONE,) * repeats)


def search(optimizer="gdas", **more):
    return {"kind": "search", "optimizer": optimizer, **more}


def tune(optimizer="gdas", config_space="cs2", **more):
    return {"kind": "tune", "optimizer": optimizer, "config_space": config_space, **more}


BOHB = {"kind": "bohb", "r": 25, "R": 100, "eta": 2, "iterations": 64}
ASHA = {"kind": "asha", "R": 4, "eta": 2, "configs": 3}


def made(*entries, labels=None):
    return {line.label: line.studies for line in lines(entries, labels)}


# --- which studies are a line ------------------------------------------------------------------------------


def test_studies_that_differ_in_name_and_seed_are_one_line():
    found = lines([entry("a", 0), entry("b", 1), entry("c", 2, repeats=3)])
    assert [(line.label, line.studies, len(line.trajectories)) for line in found] == [("random", ("a", "b", "c"), 5)]


@pytest.mark.parametrize(
    "rest",
    [
        {"engine": {"kind": "inline"}},
        {"engine": {"kind": "ray", "workers": 8}},
        {"engine": {"cpus_per_trial": 4}},  # and with it the threads of the recipe
        {"retries": {"crashed": 3}},
        {"checkpoints": "s3://elsewhere"},
    ],
)
def test_where_it_ran_does_not_matter(rest):
    assert len(lines([entry("a"), entry("b", seed=1, **rest)])) == 1


def test_what_differs_otherwise_is_another_line():
    assert made(entry("a"), entry("b", scheduler=ASHA)) == {"random": ("a",), "asha": ("b",)}
    recipe = {"kind": "darts-cnn", "recipe": {"channels": 8}}
    other = {"kind": "darts-cnn", "recipe": {"channels": 16}}
    assert list(made(entry("a", problem=recipe), entry("b", problem=other))) == [
        "random channels=8",
        "random channels=16",
    ]


def test_lines_keep_the_order_of_their_first_studies():
    found = made(entry("a", scheduler=ASHA), entry("b"), entry("c", seed=1, scheduler=ASHA))
    assert found == {"asha": ("a", "c"), "random": ("b",)}


# --- what lines are called ---------------------------------------------------------------------------------


def test_labels_of_tuned_optimizers():
    entries = [entry(n, problem=tune(n, cs), scheduler=BOHB) for n, cs in (("gdas", "cs2"), ("darts", "cs2"))]
    assert list(made(*entries)) == ["bohb gdas cs2", "bohb darts cs2"]


def test_a_sweep_is_not_mentioned():
    assert list(made(entry("a", problem=search("darts"), scheduler={"kind": "sweep", "budgets": [5]}))) == ["darts"]


def test_spaces_are_mentioned_where_they_differ():
    sweep = {"kind": "sweep", "budgets": [5]}
    entries = [entry(s, problem=search(space=s), scheduler=sweep) for s in ("s1", "s2")]
    assert list(made(*entries)) == ["gdas s1 digits", "gdas s2 digits"]
    assert list(made(entries[0])) == ["gdas"]


def test_settings_that_distinguish_lines_are_mentioned():
    second = {**ASHA, "eta": 4, "promotion": "eager"}
    assert list(made(entry("a", scheduler=ASHA), entry("b", scheduler=second))) == [
        "asha eta=2 promotion=capped",
        "asha eta=4 promotion=eager",
    ]


def test_what_would_be_too_long_is_called_by_its_name():
    def label(**hyperparameters):
        entries = [
            entry(name, problem=tune(config_space={n: {"range": [0.1, top]} for n in hyperparameters}), scheduler=BOHB)
            for name, top in (("a", 0.5), ("b", 0.7))
        ]
        return list(made(*entries))

    assert label(momentum=1) == ["bohb gdas range=[0.1, 0.5]", "bohb gdas range=[0.1, 0.7]"]
    assert label(momentum=1, learning_rate=1) == ["a", "b"]


def test_labels_given_by_hand():
    entries = [entry("a"), entry("b", scheduler=ASHA), entry("c", scheduler=BOHB)]
    found = lines(entries, {"a": "mine", "b": "mine"})
    assert [(line.label, line.studies) for line in found] == [("mine", ("a", "b")), ("bohb", ("c",))]
    assert differences(found[1]) == []
    assert "scheduler.kind" in differences(found[0])
    assert made(*entries[:2], labels={"a": "asha"}) == {"asha": ("a",), "b": ("b",)}


def test_arguments():
    assert parse(["a", "b"]) == (["a", "b"], {})
    assert parse(["a", "my label=b,c", "n=1=d"]) == (
        ["a", "b", "c", "d"],
        {"b": "my label", "c": "my label", "d": "n=1"},
    )
    assert parse(["a,b"]) == (["a", "b"], {})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "a"], "named twice"),
        (["x=a", "a"], "named twice"),
        (["x="], "must be"),
        (["=a"], "must be"),
        (["a,"], "must be"),
    ],
)
def test_arguments_that_say_nothing(arguments, words):
    with pytest.raises(InvalidValue, match=words):
        parse(arguments)


# --- what does not compare ---------------------------------------------------------------------------------


def test_the_ground():
    assert ground(spec_of()) == {"problem": "darts-cnn", "data": "digits"}
    sweep = {"kind": "sweep", "budgets": [5]}
    searched, tuned = spec_of(problem=search(), scheduler=sweep), spec_of(problem=tune("darts"), scheduler=BOHB)
    assert ground(searched) == ground(tuned) == {"table": "s1-digits", "space": "s1"}


def test_different_problems_do_not_compare():
    entries = [entry("a", problem=tune(), scheduler=BOHB), entry("b", problem=tune(space="s2"), scheduler=BOHB)]
    with pytest.raises(UserError, match=r"a is about table s1-digits, space s1, and b about .* s2.*\n.*--anyway"):
        common_ground(entries)
    assert common_ground(entries[:1]) == {"table": "s1-digits", "space": "s1"}


# --- from a history ----------------------------------------------------------------------------------------


def history(*events):
    return History.of(
        spec_of("mine"), (Row(n, event, float(n)) for n, event in enumerate([Opened(session=0), *events]))
    )


RESULT = (
    Asked(job=0, trial=0, rung=0, start=0, stop=4, config={}),
    Reported(job=0, epoch=4, metrics={"valid_error": 0.5}),
    Told(job=0, loss=0.5),
)


def test_a_study_that_was_run_once():
    found = Entry.of(history(*RESULT))
    assert found.trajectories == (history(*RESULT).trajectory,)


def test_a_study_that_was_simulated_repeatedly():
    repeats = [Repeated(repeat=k, seed=k, trajectory=ONE.to_plain()) for k in (1, 0, 2)]
    assert Entry.of(history(*RESULT, *repeats)).trajectories == (ONE,) * 3


def test_a_study_without_a_result():
    with pytest.raises(NoResult, match=r"^study 'mine' has no result yet\nGo on with it: asha-nas resume mine"):
        Entry.of(history(*RESULT[:2]))
    empty = Trajectory((), (), (), (), (), {}, Spent())
    repeats = [Repeated(repeat=k, seed=k, trajectory=each.to_plain()) for k, each in enumerate((ONE, empty, ONE))]
    entry = Entry.of(history(*RESULT, *repeats))
    assert (entry.trajectories, entry.empty) == ((ONE, ONE), 1)
    done = [Closed(session=0, reason="done")]
    with pytest.raises(NoResult, match=r"^study 'mine' has no result\nSee why: asha-nas show mine"):
        Entry.of(history(*RESULT[:2], repeats[1], *done))
