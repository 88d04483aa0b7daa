"""A study's claim: what others see of it, what it is allotted, and what becomes of both when the store is away."""

import threading
from itertools import groupby

import pytest

from asha_nas import claimant as claimant_module
from asha_nas import sharing
from asha_nas.claimant import Claimant
from asha_nas.errors import StoreUnavailable
from asha_nas.sharing import Capacity, Need
from asha_nas.store import Store
from asha_nas.store.schema import claims as table
from tests.crash.processes import wait_until

FOUR = Capacity(4.0, 0.0)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(store, clock, monkeypatch):
    """Claimants that act when the test says so: they are begun, and not left alone with their threads."""
    monkeypatch.setattr(claimant_module.Claimant, "_renew_until_over", lambda self: self._answered.set())

    def make(name, priority=1, told=lambda _jobs: None):
        return Claimant(store, store.create(name, "{}", "{}"), priority, "one", told, clock)

    return make


def need(wanted, most=4, workers=0):
    return Need(1.0, 0.0, wanted, max(most, wanted), workers)


def ask(claimant, its_need, capacity=FOUR):
    """What it is allotted once it has renewed its claim."""
    claimant(capacity, its_need)
    claimant.renew()
    return claimant(capacity, its_need)


def test_who_is_alone_has_everything(make):
    assert ask(make("a"), need(4)) == 4


def test_who_comes_later_has_its_share_at_once_and_the_first_soon(make):
    a, b = make("a"), make("b")
    assert ask(a, need(4)) == 4
    assert ask(b, need(4)) == 2
    assert ask(a, need(4, workers=4)) == 2


def test_priorities_count(make, store):
    a, b = make("a"), make("b", priority=3)
    ask(a, need(4))
    assert ask(b, need(4)) == 3
    assert ask(a, need(4)) == 1
    assert [claim.priority for claim in store.claims()] == [1, 3]


def test_before_the_first_answer_there_is_nothing(make, monkeypatch):
    monkeypatch.setattr(claimant_module, "FIRST_SECONDS", 0.0)
    assert make("a")(FOUR, need(4)) == 0


def test_each_answer_is_told(make):
    told = []
    a, b = make("a", told=told.append), make("b")
    ask(a, need(4))
    ask(b, need(4))
    ask(a, need(4))
    assert told == [4, 2]


def test_what_it_has_is_charged(make, store, clock):
    a, b = make("a", priority=2), make("b")
    ask(a, need(8))
    ask(b, need(8))
    clock.now += 10.0
    ask(a, need(8, workers=2))
    assert store.claims()[0].served == pytest.approx(10.0 * 0.5 / 2)
    clock.now += 10.0
    ask(a, need(8, workers=1))
    assert store.claims()[0].served == pytest.approx(2.5 + 10.0 * 0.25 / 2)


def test_who_begins_is_charged_as_much_as_the_least_served(make, store, clock):
    a, b = make("a"), make("b")
    ask(a, need(8, workers=4))
    clock.now += 50.0
    ask(a, need(8, workers=4))
    ask(b, need(8))
    assert [claim.served for claim in store.claims()] == [50.0, 50.0]


def test_who_wants_no_more_saves_nothing_up(make, store, clock):
    a, b = make("a"), make("b")
    ask(a, need(8))
    ask(b, need(1))
    clock.now += 500.0
    ask(a, need(8, workers=4))
    ask(b, need(1))
    ask(b, need(8))
    assert [claim.served for claim in store.claims()] == [500.0, 500.0 - sharing.TURN_SECONDS / 4]


def test_a_slot_goes_round(make, clock):
    a, b = make("a"), make("b")
    one, turns, mine = Capacity(1.0, 0.0), [], {a: 0, b: 0}
    for _ in range(int(4 * sharing.TURN_SECONDS)):
        for claimant in (a, b):
            mine[claimant] = ask(claimant, need(1, workers=mine[claimant]), one)
        turns.append("ab"[mine[b]])
        clock.now += 1.0
    # Each takes up a turn of the other that has just ended, a second later.
    assert [(who, round(len([*seconds]), -1)) for who, seconds in groupby(turns)] == [("a", 30), ("b", 30)] * 2


class Away:
    """The store's connection, cut while `on`."""

    def __init__(self, store, monkeypatch):
        self.on, claim = False, store.claim

        def cut(*arguments):
            if self.on:
                raise StoreUnavailable("away")
            return claim(*arguments)

        monkeypatch.setattr(store, "claim", cut)


def test_while_the_store_is_away_the_last_answer_holds(make, store, monkeypatch, clock):
    away = Away(store, monkeypatch)
    a, b = make("a"), make("b")
    ask(a, need(4))
    ask(b, need(4))
    assert ask(a, need(4, workers=2)) == 2
    away.on = True
    clock.now += 60.0
    assert ask(a, need(4, workers=2)) == 2
    away.on = False
    with store._database.engine.begin() as connection:  # all claims have lapsed meanwhile
        connection.execute(table.update().values(renewed=table.c.renewed - 60))
    assert ask(a, need(4, workers=2)) == 2, "the others have had no chance to claim anew"
    assert ask(b, need(4, workers=2)) == 2
    assert ask(a, need(4, workers=2)) == 2
    assert store.claims()[0].served == pytest.approx(30.0), "what it had meanwhile is charged"


def test_who_cannot_claim_at_all_takes_what_there_is_room_for(make, store, monkeypatch):
    away = Away(store, monkeypatch)
    away.on = True
    a = make("a")
    assert ask(a, need(2, most=3)) == 3
    away.on = False
    assert ask(a, need(2, most=3)) == 3
    assert ask(a, need(2, most=3)) == 3
    assert [claim.study for claim in store.claims()] == [store.study("a").key]


def test_it_is_renewed_in_the_background_and_withdrawn(store, monkeypatch):
    monkeypatch.setattr(claimant_module, "RENEW_SECONDS", 0.01)
    study, second = (store.create(name, "{}", "{}") for name in ("a", "b"))
    threads = threading.active_count()
    with Claimant(store, study, 1, "one") as first:
        assert first(FOUR, need(4)) == 4
        with Claimant(store, second, 1, "one") as other:
            assert other(FOUR, need(4)) == 2
            wait_until(lambda: first(FOUR, need(4)) == 2, "the first to see the second")
        wait_until(lambda: first(FOUR, need(4)) == 4, "the first to see that the second has left")
    assert store.claims() == []
    assert threading.active_count() == threads


def test_who_never_said_what_it_needs_claims_nothing(store):
    with Claimant(store, store.create("a", "{}", "{}"), 1, "one"):
        assert store.claims() == []
