"""The suite every store passes: the guarantees of `asha_nas.store.log`, on whatever database `url` names.

A test module subclasses `StoreContract` and gives the fixture `url`: an empty database of its own for
each test, that other processes of this machine can open too. Nothing here knows which database it is.
"""

import math
import threading
import time
from pprint import pformat

import pytest

from asha_nas import owners
from asha_nas.errors import (
    InvalidValue,
    LeaseLost,
    StoreUnavailable,
    StudyAmbiguous,
    StudyExists,
    StudyLocked,
    StudyNotFound,
    StudyOfOthers,
)
from asha_nas.sharing import Claim, Need
from asha_nas.store import (
    Asked,
    Closed,
    Failed,
    Opened,
    Repeated,
    Reported,
    Store,
    Told,
)
from asha_nas.store import lease as lease_module
from asha_nas.store import log as log_module
from asha_nas.store.claims import LAPSE_SECONDS
from asha_nas.store.schema import claims, events
from tests.contracts import store_processes
from tests.contracts.store_processes import kill, process, reported
from trials.contract import Checkpoint, Failure

CHECKPOINT = Checkpoint("epoch-00004.ckpt", 4, "ab" * 32, 12345)
EVENTS = (
    Opened(session=0, clock={"host": "köln", "pid": 17, "source": "0123"}),
    Asked(job=0, trial=0, rung=0, start=0, stop=1, config={"lr": 1e-3, "op": "sep_conv_3x3"}, identity="d1"),
    Asked(job=1, trial=1, rung=0, start=0, stop=1, config={}),
    Asked(job=2, trial=0, rung=1, start=1, stop=4),
    Reported(job=0, epoch=1, metrics={"loss": 0.1 + 0.2}, clock={"seconds": 1.25}),
    Reported(job=1, epoch=1, metrics={"loss": math.nan, "accuracy": 0.5}),
    Reported(job=1, epoch=2, metrics={}),
    Reported(job=2, epoch=4, metrics={"loss": 5e-324}, checkpoint=CHECKPOINT, notes={"η": ["→", None, {}]}),
    Failed(job=2, attempt=0, failure=Failure("crashed", "Ошибка: 'quotes' \"and\"\nlines ☠")),
    Told(job=0, loss=-0.0),
    Told(job=1, loss=None, failure=Failure("diverged", "loss is not finite")),
    Closed(session=0, reason="interrupted"),
    Repeated(repeat=3, seed=4, trajectory={"loss": [0.5, 0.1 + 0.2], "metrics": {"regret": [None, 0.25]}}),
)  # fmt: skip
ONE_OF_EACH = tuple({event.kind: event for event in EVENTS}.values())
OTHERWISE = (
    (Opened(session=0), None),  # all it says is in its clock
    (
        Asked(job=0, trial=0, rung=0, start=0, stop=1, config={"lr": 0.1}),
        Asked(job=0, trial=0, rung=0, start=0, stop=1, config={"lr": 0.2}),
    ),
    (
        Failed(job=0, attempt=0, failure=Failure("crashed", "a")),
        Failed(job=0, attempt=0, failure=Failure("crashed", "b")),
    ),
    (Told(job=0, loss=1.0), Told(job=0, loss=math.nextafter(1.0, 2.0))),
    (Closed(session=0, reason="done"), Closed(session=0, reason="time")),
    (Repeated(repeat=0, seed=0, trajectory={"loss": [1.0]}), Repeated(repeat=0, seed=0, trajectory={"loss": [2.0]})),
)


def same(found, written):
    """Equal, where NaN equals NaN."""
    return pformat(found) == pformat(written)


def log(store, study):
    """The events of a study, after a check that they are numbered without gaps."""
    rows = list(store.rows(study))
    assert [row.sequence for row in rows] == list(range(len(rows)))
    return [row.event for row in rows]


def exact(name):
    """The name that is stored."""
    return owners.joined(owners.owner(), name)


def claim_of(name):
    return Claim(exact(name), 1, Need(1.0, 0.0, wanted=1, most=2, workers=1))


class Clock:
    """The clock that leases go by: hours pass when the test says so."""

    def __init__(self, patch):
        self.ahead = 0.0
        self._now = lease_module.now
        patch.setattr(lease_module, "now", lambda connection: self._now(connection) + self.ahead)


class Fault:
    """Lets one statement or commit of a store fail, on the driver's thread."""

    def __init__(self, store, broken, when, patch):
        self._broken, self._when, self._left = broken, when, None
        self._thread = threading.get_ident()
        dialect = store._database.engine.dialect
        for name in ("do_execute", "do_commit"):
            patch.setattr(dialect, name, self._around(getattr(dialect, name), name == "do_commit"))

    def arm(self, at):
        """Fail at the at-th call from now on."""
        self._left = at

    def happened(self):
        return self._left is None

    def _around(self, do, is_commit):
        def around(*arguments, **named):
            due = self._left == 0 and threading.get_ident() == self._thread
            if self._left is not None and threading.get_ident() == self._thread:
                self._left = None if due else self._left - 1
            if not due:
                return do(*arguments, **named)
            if self._when == "after" and is_commit:
                do(*arguments, **named)
            raise self._broken(arguments[0])

        return around


class StoreContract:
    @pytest.fixture
    def url(self):
        raise NotImplementedError("a subclass says which database")

    @pytest.fixture
    def store(self, url):
        store = Store(url)
        yield store
        store.close()

    @pytest.fixture
    def other(self, url, store):
        """A second driver: the same database through connections of its own."""
        other = Store(url)
        yield other
        other.close()

    @pytest.fixture
    def study(self, store):
        return store.create("nas-1", "{}", "{}")

    @pytest.fixture
    def lease(self, store, study):
        lease = store.lease(study)
        yield lease
        lease.release()

    @pytest.fixture
    def clock(self, monkeypatch):
        return Clock(monkeypatch)

    # --- studies ---------------------------------------------------------------------------------------

    def test_studies_are_found_by_name_oldest_first(self, store, other):
        before = time.time()
        records = [store.create(name, f'{{"spec": "{name} η"}}', '{"python": "3"}') for name in ("b", "a", "c")]
        assert [record.name for record in records] == ["b", "a", "c"]
        assert before - 1 <= records[0].created <= time.time() + 1
        assert other.studies() == records
        assert other.study("a") == records[1]
        assert records[1].spec == '{"spec": "a η"}'
        assert records[1].provenance == '{"python": "3"}'

    def test_a_name_is_taken_once(self, store, other, study):
        with pytest.raises(StudyExists, match="'nas-1' exists already\nGo on with it: asha-nas resume nas-1"):
            other.create("nas-1", '{"another": 1}', "{}")
        assert store.studies() == [study]
        assert other.create("nas-2", "{}", "{}").name == "nas-2"

    def test_an_unknown_name_is_answered_with_the_nearest(self, store, study):
        store.create("zebra", "{}", "{}")
        with pytest.raises(StudyNotFound, match=r"unknown study 'nas-11'\nDid you mean 'nas-1'\?") as caught:
            store.study("nas-11")
        assert "nas-1, zebra" in str(caught.value)
        assert "asha-nas ls" in str(caught.value)

    def test_an_empty_store_has_no_study(self, store):
        assert store.studies() == []
        with pytest.raises(StudyNotFound, match=r"\(none\)"):
            store.study("nas-1")

    # --- owners ----------------------------------------------------------------------------------------

    @pytest.fixture
    def people(self, url, store):
        """The same database as two people use it, and as a version did that knew no owners."""
        stores = [Store(url, owner=owner) for owner in ("alice", "bob", "")]
        yield stores
        for each in stores:
            each.close()

    def test_each_owner_has_names_of_their_own(self, store, people):
        alice, bob, _ = people
        hers, his = (each.create("first", f'"{each.owner}"', "{}") for each in (alice, bob))
        assert (hers.owner, hers.name, hers.exact) == ("alice", "first", "alice/first")
        assert store.studies() == [hers, his]
        assert store.names() == ["alice/first", "bob/first"]
        for each, own, others in ((alice, hers, his), (bob, his, hers)):
            assert each.study("first") == each.study("first", verb="resume") == each.mine("first") == own
            assert each.study(others.exact) == each.study(others.exact, verb="resume") == others
            assert (each.called(own), each.called(others)) == ("first", others.exact)
            with pytest.raises(StudyExists):
                each.create("first", "{}", "{}")
        with pytest.raises(StudyAmbiguous, match="Say whose: alice/first, bob/first"):
            store.study("first")
        assert store.mine("first") is None

    def test_anothers_is_read_and_is_written_only_by_its_owner_and_name(self, people):
        alice, bob, _ = people
        hers = alice.create("first", "{}", "{}")
        assert bob.study("first") == hers
        with pytest.raises(StudyOfOthers, match="asha-nas cancel alice/first"):
            bob.study("first", verb="cancel")
        with pytest.raises(StudyNotFound, match="unknown study 'bob/first'\nDid you mean 'alice/first'"):
            bob.study("bob/first")
        his = bob.create("first", "{}", "{}")
        assert bob.study("first") == his

    def test_a_study_without_an_owner_is_everybodys_and_keeps_its_name(self, people):
        alice, bob, nobody = people
        old = nobody.create("old", "{}", "{}")
        assert (old.owner, old.key, old.exact) == ("", "old", "/old")
        for each in (alice, bob):
            assert each.study("old") == each.study("old", verb="resume") == each.mine("old") == old
            assert each.called(old) == "old"
            with pytest.raises(StudyExists, match="asha-nas resume old"):
                each.create("old", "{}", "{}")
        hers, late = alice.create("late", "{}", "{}"), nobody.create("late", "{}", "{}")
        assert alice.study("late") == hers, "an older version came later to the name"
        assert [each.study(late.exact) for each in (alice, bob, nobody)] == [late] * 3

    def test_logs_leases_and_claims_of_two_of_one_name_are_apart(self, people):
        alice, bob, _ = people
        hers, his = (each.create("first", "{}", "{}") for each in (alice, bob))
        leases = [alice.lease(hers), bob.lease(his)]
        with pytest.raises(StudyLocked, match="'alice/first'"):
            bob.lease(hers)
        for number, (each, lease) in enumerate(zip((alice, bob), leases, strict=True)):
            each.append(lease, Opened(session=number))
        assert [log(alice, one)[0].session for one in (hers, his)] == [0, 1]
        for each, study in ((alice, hers), (bob, his)):
            each.claim(study, "c", Claim(study.key, 1, Need(1.0, 0.0, 1, 1, 0), 0.0))
        assert [claim.study for claim in alice.claims("c")] == ["alice/first", "bob/first"]
        for lease in leases:
            lease.release()

    # --- the log ---------------------------------------------------------------------------------------

    def test_every_event_comes_back_as_it_was(self, store, other, study, lease):
        for event in EVENTS:
            store.append(lease, event)
        for reader in (store, other):
            found = log(reader, study)
            assert len(found) == len(EVENTS)
            for back, event in zip(found, EVENTS, strict=True):
                assert same(back, event)

    def test_a_log_is_read_from_any_place_on(self, store, study, lease):
        for event in EVENTS:
            store.append(lease, event)
        for after in range(-1, len(EVENTS) + 1):
            rows = list(store.rows(study, after))
            assert [row.sequence for row in rows] == list(range(after + 1, len(EVENTS)))
            assert all(same(row.event, EVENTS[row.sequence]) for row in rows)

    def test_rows_say_when_they_were_written(self, store, study, lease):
        before = time.time()
        for number in range(3):
            store.append(lease, reported(number))
        times = [row.time for row in store.rows(study)]
        assert before - 1 <= times[0] <= times[1] <= times[2] <= time.time() + 1

    def test_logs_are_apart(self, store, study, lease):
        second = store.create("nas-2", "{}", "{}")
        with_two = store.lease(second)
        for number in range(5):
            store.append(lease, reported(number, "a"))
            store.append(with_two, reported(number, "b"))
        with_two.release()
        assert log(store, study) == [reported(number, "a") for number in range(5)]
        assert log(store, second) == [reported(number, "b") for number in range(5)]

    @pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.kind)
    def test_writing_the_same_again_changes_nothing(self, store, study, lease, event):
        store.append(lease, event)
        store.append(lease, reported(99))
        rows = repr(list(store.rows(study)))
        store.append(lease, event)
        assert repr(list(store.rows(study))) == rows
        store.append(lease, reported(100))
        assert log(store, study)[1:] == [reported(99), reported(100)]

    def test_a_newer_report_takes_the_place_of_the_older(self, store, study, lease):
        old = Reported(job=3, epoch=2, metrics={"loss": 1.0}, checkpoint=CHECKPOINT, clock={"seconds": 1.0})
        new = Reported(job=3, epoch=2, metrics={"loss": 2.0}, clock={"seconds": 2.0})
        for event in (reported(0), old, reported(1), new, reported(2)):
            store.append(lease, event)
        assert log(store, study) == [reported(0), new, reported(1), reported(2)]

    @pytest.mark.parametrize(("event", "otherwise"), [pair for pair in OTHERWISE if pair[1]], ids=lambda e: e.kind)
    def test_nothing_else_is_ever_rewritten(self, store, study, lease, event, otherwise):
        store.append(lease, event)
        with pytest.raises(AssertionError, match="saying something else"):
            store.append(lease, otherwise)
        assert log(store, study) == [event]
        store.append(lease, reported(9))
        assert log(store, study) == [event, reported(9)]

    def test_a_log_goes_on_where_it_stopped(self, url, store, study):
        for session in range(3):
            again = Store(url)
            lease = again.lease(again.study("nas-1"))
            for number in range(session * 2, session * 2 + 2):
                again.append(lease, reported(number))
            lease.release()
            again.close()
        assert log(store, study) == [reported(number) for number in range(6)]

    def test_drivers_take_turns(self, store, other, study):
        """Each of them remembers nothing of the log that the other has made longer since."""
        for number in range(6):
            driver = (store, other)[number % 2]
            lease = driver.lease(study)
            driver.append(lease, reported(number))
            lease.release()
        assert log(store, study) == [reported(number) for number in range(6)]

    def test_a_reader_sees_each_event_once_it_is_written(self, store, other, study, lease):
        seen = -1
        for number in range(5):
            store.append(lease, reported(number))
            new = list(other.rows(study, seen))
            assert [row.event for row in new] == [reported(number)]
            seen = new[-1].sequence

    # --- the lease -------------------------------------------------------------------------------------

    def test_a_study_has_one_driver(self, store, other, study, lease):
        for driver in (store, other):
            with pytest.raises(StudyLocked, match="study 'nas-1' is being run by another driver") as caught:
                driver.lease(study)
            assert "Stop that driver first, or wait" in str(caught.value)
        store.append(lease, reported(0))
        assert log(store, study) == [reported(0)]

    def test_other_studies_are_free(self, other, lease):
        second = other.create("nas-2", "{}", "{}")
        assert not other.is_leased(second)
        other.lease(second).release()

    def test_a_released_lease_is_free_and_writes_nothing(self, store, other, study):
        lease = store.lease(study)
        assert other.is_leased(study)
        lease.release()
        assert not other.is_leased(study)
        with pytest.raises(LeaseLost):
            store.append(lease, reported(0))
        successor = other.lease(study)
        lease.release()  # harmless, and does not take away the successor's
        other.append(successor, reported(1))
        successor.release()
        assert log(store, study) == [reported(1)]

    def test_a_lease_without_signs_of_life_is_taken_over(self, store, other, study, clock):
        lease = store.lease(study)
        store.append(lease, reported(0))
        clock.ahead = lease_module.EXPIRE_SECONDS - 5
        with pytest.raises(StudyLocked, match=r"last sign of life 5\d s ago"):
            other.lease(study)
        clock.ahead = lease_module.EXPIRE_SECONDS + 5
        assert not other.is_leased(study)
        successor = other.lease(study)
        assert other.is_leased(study)
        with pytest.raises(LeaseLost, match="lost its study to another one"):
            store.append(lease, reported(1))
        other.append(successor, reported(2))
        with pytest.raises(LeaseLost):
            store.append(lease, reported(0))  # not even what is there already
        lease.release()
        assert other.is_leased(study)
        successor.release()
        assert log(store, study) == [reported(0), reported(2)]

    def test_whoever_reaches_the_store_may_ask_a_driver_to_stop(self, store, other, study, monkeypatch):
        monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.01)
        assert not other.ask_to_stop(study), "nobody runs it"
        asked, seen = [], threading.Event()

        def stop():
            asked.append(None)
            if len(asked) == 3:
                seen.set()
            return seen.is_set()

        lease = store.lease(study, stop)
        assert other.ask_to_stop(study)
        assert seen.wait(60)
        store.append(lease, reported(0))
        threading.Event().wait(0.1)
        lease.release()
        assert len(asked) == 3, "who has seen to it is not asked again"
        again = store.lease(study, lambda: asked.append(None))
        threading.Event().wait(0.1)
        again.release()
        assert len(asked) == 3, "the wish was for the driver before"

    def test_a_driver_gives_signs_of_life_while_it_is_idle(self, store, other, study, clock, monkeypatch):
        monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.01)
        lease = store.lease(study)
        clock.ahead = 10 * lease_module.EXPIRE_SECONDS
        while not other.is_leased(study):  # the renewal in the background ends this
            threading.Event().wait(0.01)
        with pytest.raises(StudyLocked):
            other.lease(study)
        lease.release()

    def test_writing_is_a_sign_of_life(self, store, other, study, clock):
        lease = store.lease(study)
        for number in range(4):
            clock.ahead += lease_module.EXPIRE_SECONDS * 0.7
            store.append(lease, reported(number))
        assert other.is_leased(study)
        lease.release()

    def test_of_many_that_want_a_lapsed_lease_one_gets_it(self, url, store, study, clock):
        old = store.lease(study)
        clock.ahead = 10 * lease_module.EXPIRE_SECONDS
        stores = [Store(url) for _ in range(6)]
        start, results = threading.Barrier(len(stores)), []

        def try_to_take(mine):
            start.wait()
            try:
                results.append(mine.lease(study))
            except StudyLocked as error:
                results.append(error)

        threads = [threading.Thread(target=try_to_take, args=(mine,)) for mine in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [result for result in results if not isinstance(result, StudyLocked)]
        assert (len(results), len(winners)) == (6, 1)
        winners[0].release()
        old.release()
        for mine in stores:
            mine.close()

    def test_a_lease_released_at_the_moment_it_is_wanted(self, store, other, study, monkeypatch):
        lease = store.lease(study)
        take_over = lease_module.Lease._take_over

        def released_meanwhile(*args):
            lease.release()
            return take_over(*args)

        monkeypatch.setattr(lease_module.Lease, "_take_over", released_meanwhile)
        other.lease(study).release()

    # --- claims on a cluster ---------------------------------------------------------------------------

    def later(self, store, seconds):
        """All claims become older, whatever clock they are dated by."""
        with store._database.engine.begin() as connection:
            connection.execute(claims.update().values(renewed=claims.c.renewed - seconds))

    def test_claims_are_seen_by_all_who_claim_of_the_same_cluster(self, store, other, study):
        second = other.create("a-2", "{}", "{}")
        mine = Claim(exact("nas-1"), 3, Need(0.5, 1 / 3, wanted=4, most=8, workers=2), served=0.1 + 0.2)
        assert store.claim(study, "one", mine) == [mine]
        yours = Claim(exact("a-2"), 1, Need(1.0, 0.0, wanted=1, most=1, workers=0))
        assert other.claim(second, "one", yours) == [yours, mine]  # by name
        assert store.claims("one") == other.claims() == [yours, mine]
        newer = Claim(exact("nas-1"), 2, Need(1.0, 0.0, wanted=9, most=9, workers=9), served=7.0)
        assert store.claim(study, "one", newer) == [yours, newer]

    def test_clusters_are_apart_and_a_study_is_on_one(self, store, study):
        second = store.create("nas-2", "{}", "{}")
        first, other = claim_of("nas-1"), claim_of("nas-2")
        store.claim(study, "one", first)
        assert store.claim(second, "two", other) == [other]
        assert store.claims("one") == [first]
        assert store.claim(study, "two", first) == [first, other]
        assert store.claims("one") == []

    def test_what_is_claimed_no_more_is_gone(self, store, other, study):
        second = other.create("nas-2", "{}", "{}")
        store.claim(study, "one", claim_of("nas-1"))
        other.claim(second, "one", claim_of("nas-2"))
        assert store.claim(study, "one", None) == [claim_of("nas-2")]
        assert store.claim(study, "one", None) == [claim_of("nas-2")]
        assert store.claims() == [claim_of("nas-2")]

    def test_a_claim_that_is_not_renewed_lapses(self, store, study):
        second = store.create("nas-2", "{}", "{}")
        store.claim(study, "one", claim_of("nas-1"))
        self.later(store, LAPSE_SECONDS - 5)
        both = [claim_of("nas-1"), claim_of("nas-2")]
        assert store.claim(second, "one", claim_of("nas-2")) == both
        self.later(store, 6)
        assert store.claims("one") == both[1:]
        assert store.claim(study, "one", claim_of("nas-1")) == both

    def test_claims_do_not_wait_for_a_store_that_is_away(self, store, study, broken):
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(store, broken, "before", patch)
            fault.arm(0)
            with pytest.raises(StoreUnavailable):
                store.claim(study, "one", claim_of("nas-1"))
            assert fault.happened()
        assert store.claims() == []
        assert store.claim(study, "one", claim_of("nas-1")) == [claim_of("nas-1")]

    def test_claims_are_read_whatever_fails(self, store, study, broken):
        store.claim(study, "one", claim_of("nas-1"))
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(store, broken, "before", patch)
            fault.arm(0)
            assert store.claims() == [claim_of("nas-1")]
            assert fault.happened()

    # --- failures --------------------------------------------------------------------------------------

    @pytest.fixture
    def broken(self):
        """Makes an error of the driver, such as comes when a connection breaks or a database is busy."""
        raise NotImplementedError("a subclass says which")

    def every_way(self, store, broken, work):
        """Do `work(store, number)` again and again, with each of its statements and commits failing once.

        `number` counts from 0. A commit fails before it is done, and another time after it, so that only its
        answer is lost. Gives what all of them returned.
        """
        results = []
        for when in ("before", "after"):
            at = 0
            with pytest.MonkeyPatch.context() as patch:
                fault = Fault(store, broken, when, patch)
                while True:
                    fault.arm(at)
                    results.append(work(store, len(results)))
                    at += 1
                    if not fault.happened():
                        break
        assert len(results) > 4
        return results

    def test_an_event_is_written_once_whatever_fails(self, store, study, lease, broken):
        def append(store, number):
            store.append(lease, reported(number))
            return reported(number)

        written = self.every_way(store, broken, append)
        assert log(store, study) == written

    def test_events_are_written_together_once_whatever_fails(self, store, study, lease, broken):
        def append(store, number):
            both = [(reported(2 * number), 1.0), (reported(2 * number + 1), 2.0)]
            store.append_all(lease, both)
            return [event for event, _ in both]

        written = self.every_way(store, broken, append)
        assert log(store, study) == [event for both in written for event in both]

    def test_a_study_is_created_once_whatever_fails(self, store, broken):
        made = self.every_way(store, broken, lambda store, number: store.create(f"s{number}", "{}", f"{number}"))
        assert store.studies() == made
        with pytest.raises(StudyExists):
            store.create("s0", "{}", "0")

    def test_a_lease_is_taken_and_given_back_whatever_fails(self, store, other, study, broken):
        def take(store, number):
            lease = store.lease(study)
            store.append(lease, reported(number))
            with pytest.raises(StudyLocked):
                other.lease(study)
            lease.release()
            assert not other.is_leased(study)
            return reported(number)

        written = self.every_way(store, broken, take)
        assert log(store, study) == written

    def test_a_lapsed_lease_is_taken_over_once_whatever_fails(self, store, other, study, broken, clock):
        lapsed = []

        def take(store, number):
            lapsed.append(other.lease(study))
            clock.ahead += 2 * lease_module.EXPIRE_SECONDS
            lease = store.lease(study)
            store.append(lease, reported(number))
            lease.release()
            return reported(number)

        written = self.every_way(store, broken, take)
        assert log(store, study) == written
        for lease in lapsed:
            with pytest.raises(LeaseLost):
                other.append(lease, reported(0))
            lease.release()

    def test_what_is_read_is_whole_whatever_fails(self, store, study, lease, broken, monkeypatch):
        monkeypatch.setattr(log_module, "PAGE", 2)
        for number in range(5):
            store.append(lease, reported(number))
        for found in self.every_way(store, broken, lambda store, _number: log(store, study)):
            assert found == [reported(number) for number in range(5)]

    def test_a_store_that_lost_what_it_had_confirmed_is_noticed(self, store, study, lease, broken):
        for number in range(3):
            store.append(lease, reported(number))
        with store._database.engine.begin() as connection:
            connection.execute(events.delete().where(events.c.sequence == 2))
        with pytest.MonkeyPatch.context() as patch:
            Fault(store, broken, "before", patch).arm(0)
            with pytest.raises(StoreUnavailable, match=r"has lost events that it had confirmed \(3 before, 2 now\)"):
                store.append(lease, reported(3))
        assert log(store, study) == [reported(0), reported(1)]

    # --- text ------------------------------------------------------------------------------------------

    def test_any_text_comes_back(self, store, study, lease):
        text = "NUL \0, \x01, \x7f, lone \ud800, ☠ 𝄞, back\\slash, 'quotes', \r\n\t %s :x ?"
        event = Failed(job=0, attempt=0, failure=Failure("crashed", text), clock={"text": text})
        store.append(lease, event)
        store.append(lease, Told(job=1, loss=1.0, clock={"long": text * 20_000}))
        assert log(store, study)[0] == event
        assert log(store, study)[1].clock["long"] == text * 20_000

    @pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\ud800", "x" * 140])
    def test_a_name_that_not_every_database_holds(self, store, name):
        with pytest.raises(InvalidValue, match="must be 1 to 139 printable characters, none of them /"):
            store.create(name, "{}", "{}")
        with pytest.raises(StudyNotFound):
            store.study(name)

    def test_a_name_has_no_slash(self, store):
        with pytest.raises(InvalidValue, match="none of them /"):
            store.create("bob/first", "{}", "{}")

    def test_the_longest_name(self, url, store):
        name = "η" * 139
        assert store.create(name, "{}", "{}") == store.study(name)
        longest = Store(url, owner="x" * 60)
        assert longest.create(name, "{}", "{}") == store.study(f"{longest.owner}/{name}")
        longest.close()

    def test_numbers_are_kept_to_the_last_bit(self, store, study, lease):
        times = [1.7e9 + 0.1, 1e-300, 4_102_444_800.123456]
        store.append_all(lease, [(reported(number), when) for number, when in enumerate(times)])
        assert [row.time for row in store.rows(study)] == times

    def test_it_says_what_it_is_and_whether_it_can_be_written(self, store, study):
        store.check_writable()
        assert store.kind.split()[0] in ("SQLite", "PostgreSQL")
        assert store.studies() == [study]
        assert not store.is_leased(study)

    # --- processes -------------------------------------------------------------------------------------

    def test_a_driver_in_another_process_is_refused_and_refuses(self, url, store, study):
        lease = store.lease(study)
        with process(store_processes.hold, url, "nas-1") as (_, pipe):
            assert pipe.recv().startswith("StudyLocked: study 'nas-1' is being run by another driver (pid ")
        lease.release()
        with process(store_processes.hold, url, "nas-1") as (child, pipe):
            assert pipe.recv() == "held"
            with pytest.raises(StudyLocked, match=f"pid {child.pid} on "):
                store.lease(study)
            pipe.send("let go")
            child.join()
            store.lease(study).release()

    @pytest.mark.kill
    def test_the_lease_of_a_killed_driver_is_free_at_once(self, url, store, study):
        with process(store_processes.hold, url, "nas-1") as (child, pipe):
            assert pipe.recv() == "held"
            assert store.is_leased(study)
            kill(child)  # a zombie now: nobody has waited for it yet
            assert not store.is_leased(study)
            store.lease(study).release()

    @pytest.mark.kill
    def test_a_writer_killed_amid_its_writing_leaves_whole_events(self, url, store, study):
        with process(store_processes.write, url, "nas-1", 0) as (child, pipe):
            assert pipe.recv() == "ready"
            pipe.send("go")
            while (acknowledged := pipe.recv()) < 40:
                pass
            kill(child)
            try:
                while pipe.poll():
                    acknowledged = pipe.recv()
            except EOFError:
                pass
            events = log(store, study)
            # The one after the last acknowledged may have been written, or not.
            assert len(events) in (acknowledged + 1, acknowledged + 2)
            assert events == [reported(number, "1") for number in range(len(events))]
            lease = store.lease(study)
            store.append(lease, reported(len(events), "1"))
            lease.release()
        assert log(store, study) == [reported(number, "1") for number in range(len(events) + 1)]

    def test_writers_in_four_processes_lose_nothing(self, url, store):
        names = [f"nas-{letter}" for letter in "abcd"]
        studies = [store.create(name, "{}", "{}") for name in names]
        with (
            process(store_processes.write, url, names[0], 60) as (_, a),
            process(store_processes.write, url, names[1], 60) as (_, b),
            process(store_processes.write, url, names[2], 60) as (_, c),
            process(store_processes.write, url, names[3], 60) as (_, d),
        ):
            pipes = (a, b, c, d)
            assert [pipe.recv() for pipe in pipes] == ["ready"] * 4
            for pipe in pipes:
                pipe.send("go")
            for number in range(60):
                assert [pipe.recv() for pipe in pipes] == [number] * 4
                if number % 20 == 0:
                    assert all(len(log(store, study)) > number for study in studies)  # read meanwhile
        for study, letter in zip(studies, "abcd", strict=True):
            assert log(store, study) == [reported(number, letter) for number in range(60)]

    def test_a_store_opened_by_many_at_once_for_the_first_time(self, url):
        with (
            process(store_processes.create, url, "a") as (_, a),
            process(store_processes.create, url, "b") as (_, b),
            process(store_processes.create, url, "c") as (_, c),
            process(store_processes.create, url, "c") as (_, d),
        ):
            pipes = (a, b, c, d)
            assert [pipe.recv() for pipe in pipes] == ["ready"] * 4
            for pipe in pipes:
                pipe.send("go")
            answers = sorted(pipe.recv().partition(":")[0] for pipe in pipes)
        assert answers == ["StudyExists", "created", "created", "created"]
        store = Store(url)
        assert sorted(study.name for study in store.studies()) == ["a", "b", "c"]
        store.close()
