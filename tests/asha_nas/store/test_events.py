"""Events as values: their JSON, their keys, and what is left out of comparisons."""

import dataclasses
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asha_nas.store import Asked, Closed, Failed, Opened, Repeated, Reported, Told
from asha_nas.store.events import KINDS, parse, payload, to_json
from tests.contracts.store import EVENTS, same
from trials.contract import Checkpoint, Failure

text = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.integers(0, 2**31)
floats = st.floats(allow_infinity=False, allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | floats | text,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(text, values, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(text, plain, max_size=3)
failures = st.builds(Failure, text, text)
checkpoints = st.builds(Checkpoint, name=text, epoch=counts, sha256=text, size=counts)
events = st.one_of(
    st.builds(Opened, session=counts, clock=mappings),
    st.builds(
        Asked, job=counts, trial=counts, rung=counts, start=counts, stop=counts,
        config=st.none() | mappings, identity=st.none() | text,
    ),
    st.builds(
        Reported, job=counts, epoch=counts,
        metrics=st.dictionaries(text, floats | st.just(math.nan), max_size=3),
        checkpoint=st.none() | checkpoints, notes=mappings, clock=mappings,
    ),
    st.builds(Failed, job=counts, attempt=counts, failure=failures),
    st.builds(Told, job=counts, loss=st.none() | floats, failure=st.none() | failures),
    st.builds(Closed, session=counts, reason=text),
    st.builds(Repeated, repeat=counts, seed=counts, trajectory=mappings, clock=mappings),
)  # fmt: skip


@settings(max_examples=60)
@given(events)
def test_an_event_is_what_its_json_says(event):
    content = payload(event)
    back = parse(event.kind, content, to_json(event.clock))
    # Once more through JSON: a mapping's order and NaN (which equals nothing) must not count.
    assert payload(back) == content
    assert type(back) is type(event)
    assert json.loads(to_json(back)) == json.loads(to_json(event))
    assert back.key == event.key


@settings(max_examples=40)
@given(events, mappings)
def test_what_the_clock_says_is_not_in_the_payload(event, clock):
    assert payload(KINDS[event.kind](**{**_fields(event), "clock": clock})) == payload(event)


def _fields(event):
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}


def test_the_json_is_canonical():
    first = Reported(job=1, epoch=2, metrics={"b": 1.0, "a": math.nan, "c": math.inf})
    second = Reported(metrics={"c": -math.inf, "a": math.nan, "b": 1.0}, epoch=2, job=1, clock={"seconds": 9})
    assert payload(first) == payload(second)
    assert payload(first) == '{"epoch":2,"job":1,"metrics":{"a":null,"b":1.0,"c":null}}'


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.key)
def test_examples(event):
    assert same(parse(event.kind, payload(event), to_json(event.clock)), event)


def test_keys_name_events_once():
    assert [event.key for event in EVENTS] == [
        "opened/0", "asked/0", "asked/1", "asked/2", "reported/0/1", "reported/1/1", "reported/1/2",
        "reported/2/4", "failed/2/0", "told/0", "told/1", "closed/0", "repeated/3",
    ]  # fmt: skip
    assert set(KINDS) == {"opened", "asked", "reported", "failed", "told", "closed", "repeated"}
    assert all(kind == cls.kind for kind, cls in KINDS.items())


@pytest.mark.parametrize(
    ("kind", "content", "wrong"),
    [
        ("told", '{"job":1,"lo', "told: no whole JSON: Unterminated string"),
        ("told", '{"job":1}', "told: .*missing.*loss"),
        ("told", '{"job":1,"loss":1.0,"mood":"good"}', "told: .*mood"),
        ("told", "[1]", "told: "),
        ("told", "null", "told: "),
        ("told", '{"job":1,"loss":null,"failure":{"sort":"x"}}', "told: .*sort"),
        ("reported", '{"job":1,"epoch":1,"metrics":3}', "reported: "),
        ("sung", "{}", "of unknown kind 'sung'"),
    ],
)
def test_what_is_no_event_is_told(kind, content, wrong):
    with pytest.raises(ValueError, match=wrong):
        parse(kind, content, "{}")


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", 1j])
def test_what_is_not_plain_is_refused_before_it_is_in_the_log(value):
    with pytest.raises(TypeError):
        payload(Asked(job=0, trial=0, rung=0, start=0, stop=1, config={"x": value}))
