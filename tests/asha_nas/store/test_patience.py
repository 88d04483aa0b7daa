"""What is waited for, and how long: on a clock that goes only when someone sleeps."""

import logging
import sqlite3

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

from asha_nas.errors import InvalidValue
from asha_nas.store import Store, patience
from asha_nas.store.patience import Patience, passes, passes_at_opening


def sqlite(code, kind=OperationalError):
    cause = sqlite3.OperationalError("database is …")
    cause.sqlite_errorcode = code
    return kind("SELECT", {}, cause)


class Said(Exception):
    """As psycopg's errors: with the server's SQLSTATE, or without if it is libpq that speaks."""

    def __init__(self, text, state=None):
        super().__init__(text)
        self.sqlstate = state


def postgres(text="", state=None, kind=OperationalError, lost=False):
    return kind("SELECT", {}, Said(text, state), connection_invalidated=lost)


REFUSED = 'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused'
CASES = [  # error, does it pass, does it at opening
    (sqlite(sqlite3.SQLITE_BUSY), True, True),
    (sqlite(sqlite3.SQLITE_BUSY | 2 << 8), True, True),  # SQLITE_BUSY_SNAPSHOT
    (sqlite(sqlite3.SQLITE_LOCKED), True, True),
    (sqlite(sqlite3.SQLITE_FULL), False, False),
    (sqlite(sqlite3.SQLITE_READONLY), False, False),
    (sqlite(sqlite3.SQLITE_CONSTRAINT, IntegrityError), False, False),
    (postgres(REFUSED), True, False),
    (postgres("failed to resolve host 'typo': Name or service not known"), True, False),
    (postgres("FATAL:  password authentication failed for user"), True, False),
    (postgres("FATAL:  the database system is starting up"), True, True),
    (postgres("FATAL:  sorry, too many clients already"), True, True),
    (postgres("server closed the connection unexpectedly", lost=True), True, True),
    (postgres("terminating connection due to administrator command", "57P01"), True, True),
    (postgres("cannot execute UPDATE in a read-only transaction", "25006"), True, True),
    (postgres("deadlock detected", "40P01"), True, True),
    (postgres("canceling statement due to lock timeout", "55P03"), True, True),
    (postgres("No space left on device", "53100"), True, True),
    (postgres("permission denied for table events", "42501", ProgrammingError), False, False),
    (postgres("value too long", "22001", DataError), False, False),
    (postgres("duplicate key", "23505", IntegrityError), False, False),
    (postgres("invalid connection option", None, ProgrammingError), False, False),
]


@pytest.mark.parametrize(("error", "passing", "at_opening"), CASES, ids=lambda case: str(getattr(case, "orig", "")))
def test_what_passes_by_itself(error, passing, at_opening):
    assert (passes(error), passes_at_opening(error)) == (passing, at_opening)


class Clock:
    def __init__(self, monkeypatch):
        self.now, self.pauses = 1000.0, []
        monkeypatch.setattr(patience, "time", self)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def failing_until(clock, end, error=None):
    def work():
        if clock.now < end:
            raise error or postgres(REFUSED)
        return "done"

    return work


def test_an_outage_is_waited_for(clock):
    assert Patience(60.0, "x").run(failing_until(clock, 1030.0)) == "done"
    assert clock.pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert max(clock.pauses) == patience.LONGEST_PAUSE
    assert 1030 <= clock.now < 1030 + patience.LONGEST_PAUSE


def test_but_not_for_ever_and_the_last_attempt_is_at_the_end(clock):
    one = Patience(60.0, "x")
    with pytest.raises(OperationalError):
        one.run(failing_until(clock, 1060.5))
    assert clock.now == pytest.approx(1060.0)
    assert one.waited
    before = len(clock.pauses)
    with pytest.raises(OperationalError):  # the same outage
        one.run(failing_until(clock, 2000.0))
    assert len(clock.pauses) == before
    clock.now = 2000.0
    assert one.run(failing_until(clock, 2000.0)) == "done"
    assert not one.waited
    assert one.run(failing_until(clock, 2050.0)) == "done"  # another outage is waited for anew


def test_what_does_not_pass_is_told_at_once(clock):
    with pytest.raises(ProgrammingError):
        Patience(60.0, "x").run(failing_until(clock, 2000.0, postgres("denied", "42501", ProgrammingError)))
    with pytest.raises(OperationalError):
        Patience(60.0, "x").run(failing_until(clock, 2000.0), passes_at_opening)
    with pytest.raises(OperationalError):
        Patience(0.0, "x").run(failing_until(clock, 2000.0))
    assert clock.pauses == []


def test_a_person_is_told_of_a_long_outage_once(clock, caplog):
    caplog.set_level(logging.WARNING, "asha_nas.store")
    one = Patience(60.0, "postgresql://me@host/db")
    one.run(failing_until(clock, clock.now + 1.0))
    assert caplog.messages == []
    one.run(failing_until(clock, clock.now + 30.0))
    assert len(caplog.messages) == 2
    assert caplog.messages[0] == f"store postgresql://me@host/db: {REFUSED}; waiting for it, up to 60 s"
    assert caplog.messages[1].startswith("store postgresql://me@host/db answers again, after 3")


@pytest.mark.parametrize(("text", "seconds"), [("", 60.0), ("0", 0.0), ("2.5", 2.5), ("inf", float("inf"))])
def test_patience_is_settable(monkeypatch, text, seconds):
    monkeypatch.setenv(patience.ENVIRONMENT, text)
    assert patience.patience() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_patience_that_is_no_number(monkeypatch, tmp_path, text):
    monkeypatch.setenv(patience.ENVIRONMENT, text)
    with pytest.raises(InvalidValue, match=r"ASHA_NAS_STORE_PATIENCE = .* must be a number of seconds, 0 or more"):
        Store(str(tmp_path / "studies.db"))
