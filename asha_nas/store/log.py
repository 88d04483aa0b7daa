"""The store: studies by name, and one append-only log for each.

Guarantees (held to by ``tests/contracts/store.py``):

- An event is written in one transaction: it is there whole, or not at all.
- Events of a study are read in the order they were written, without gaps.
- Writing an event whose key is there already changes nothing if it says the same. A ``Reported``
  that says something else replaces the earlier one (an epoch was trained again after a crash, and
  the newer figure belongs to the state that goes on); for every other kind it is an error.
- Only the holder of the study's lease writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from asha_nas.errors import StudyExists, StudyNotFound, StudyUnreadable
from asha_nas.store import database
from asha_nas.store.events import Event, Reported, parse, payload, to_json
from asha_nas.store.lease import Lease
from asha_nas.store.schema import events, leases, studies
from spaces.errors import UnknownName, UserError


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as the store knows it."""

    id: int
    name: str
    spec: str
    """JSON of the StudySpec."""
    provenance: str
    """JSON: package versions and hash of the source it was created with."""
    created: float
    """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event with its place in the log."""

    sequence: int
    event: Event
    time: float
    """When it was written, in seconds since 1970, UTC."""


class Store:
    """Studies and their logs in one database."""

    def __init__(self, url: str | None = None, create: bool = True) -> None:
        """Open the store, making or migrating its tables.

        Args:
            url: SQLAlchemy URL or path of an SQLite file; default ``ASHA_NAS_STORE``, else the user's data folder.
            create: False to insist that an SQLite file of that name is there; the default store is always made.

        Raises:
            StoreUnavailable: it cannot be opened or written, is not there, or is another program's.
        """
        self._engine = database.connect(url, create)
        self.url = self._engine.url.render_as_string(hide_password=True)
        self._next: dict[int, int] = {}

    @property
    def full_url(self) -> str:
        """Its URL as another process can open it, with the password if it has one: not to be shown."""
        return database.full_url(self._engine.url)

    @property
    def is_file(self) -> bool:
        """Whether it is a file, which only machines that have it at the same path can open."""
        return self._engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def create(self, name: str, spec: str, provenance: str) -> StudyRecord:
        """Add a study with an empty log.

        Raises:
            StudyExists: the name is taken.
        """
        row = {"name": name, "spec": spec, "provenance": provenance, "created": time.time()}
        try:
            with self._speaking_plainly(), self._engine.begin() as connection:
                connection.execute(studies.insert().values(**row))
        except IntegrityError:
            raise StudyExists(
                f"a study named {name!r} exists already\n"
                f"Go on with it: asha-nas resume {name}. Or choose another --name."
            ) from None
        return self.study(name)

    def study(self, name: str) -> StudyRecord:
        """The study of that name.

        Raises:
            StudyNotFound: there is none; the message offers the nearest name.
        """
        with self._speaking_plainly(), self._engine.connect() as connection:
            row = connection.execute(sa.select(studies).where(studies.c.name == name)).one_or_none()
        if row is None:
            hint = UnknownName("study", name, (study.name for study in self.studies()))
            raise StudyNotFound(f"{hint}\nList them with: asha-nas ls (store {self.url})")
        return StudyRecord(*row)

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        with self._speaking_plainly(), self._engine.connect() as connection:
            return [StudyRecord(*row) for row in connection.execute(sa.select(studies).order_by(studies.c.id))]

    def lease(self, study: StudyRecord) -> Lease:
        """Become the study's only writer.

        Raises:
            StudyLocked: another driver is.
        """
        with self._speaking_plainly():
            lease = Lease.take(self._engine, study.id, study.name)
        self._next.pop(study.id, None)  # others may have written since we last did
        return lease

    def is_leased(self, study: StudyRecord) -> bool:
        """True while some driver holds the study's lease and gives signs of life."""
        with self._speaking_plainly(), self._engine.connect() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.study == study.id)).one_or_none()
        return row is not None and not Lease.is_free(row)

    def append(self, lease: Lease, event: Event) -> None:
        """Write one event, in one transaction, under the lease.

        Raises:
            LeaseLost: another driver took the study over; nothing was written.
            StoreUnavailable: the database failed; nothing was written.
        """
        self.append_all(lease, [(event, time.time())])

    def append_all(self, lease: Lease, written: Sequence[tuple[Event, float]]) -> None:
        """Write events and their times, in seconds since 1970, in one transaction: all of them or none.

        Raises:
            LeaseLost, StoreUnavailable: as :meth:`append`.
        """
        # Noted again only once written: if a Ctrl-C comes between the commit and the note, the log is asked next time.
        sequence = self._next.pop(lease.study, None)
        with self._speaking_plainly(), self._engine.begin() as connection:
            lease.check(connection)
            if sequence is None:
                last = sa.select(sa.func.max(events.c.sequence)).where(events.c.study == lease.study)
                newest = connection.execute(last).scalar()
                sequence = 0 if newest is None else newest + 1
            for event, when in written:
                sequence += _write(connection, lease.study, sequence, event, when)
        self._next[lease.study] = sequence

    def rows(self, study: StudyRecord, after: int = -1) -> Iterator[Row]:
        """The study's log in order, from the event after sequence number ``after``.

        Raises:
            StudyUnreadable: an event is missing, damaged, or of a kind this version does not know.
        """
        wanted = (
            sa.select(events.c.sequence, events.c.kind, events.c.payload, events.c.clock, events.c.time)
            .where(events.c.study == study.id, events.c.sequence > after)
            .order_by(events.c.sequence)
        )
        with self._speaking_plainly(), self._engine.connect() as connection:
            for expected, (sequence, kind, content, clock, when) in enumerate(connection.execute(wanted), after + 1):
                if sequence != expected:
                    raise StudyUnreadable(study.name, f"event {expected} of its log is missing")
                try:
                    event = parse(kind, content, clock)
                except ValueError as error:
                    raise StudyUnreadable(study.name, f"event {sequence} of its log: {error}") from None
                yield Row(sequence, event, when)

    @contextmanager
    def _speaking_plainly(self) -> Iterator[None]:
        """Turn database failures into StoreUnavailable; a broken UNIQUE rule is left to the caller."""
        try:
            yield
        except (IntegrityError, UserError):
            raise
        except SQLAlchemyError as error:
            raise database.unavailable(self.url, error) from None


def _write(connection: sa.Connection, study: int, sequence: int, event: Event, when: float) -> int:
    """Write one event, unless it is there. Returns how many rows that made."""
    content = payload(event)
    same_key = (events.c.study == study) & (events.c.key == event.key)
    found = connection.execute(sa.select(events.c.payload).where(same_key)).scalar()
    if found is None:
        row = {"study": study, "sequence": sequence, "key": event.key, "kind": event.kind}
        row |= {"payload": content, "clock": to_json(event.clock), "time": when}
        connection.execute(events.insert().values(**row))
    elif found != content:
        if not isinstance(event, Reported):
            raise AssertionError(f"event {event.key} is in the log already, saying something else")
        connection.execute(events.update().where(same_key).values(payload=content, clock=to_json(event.clock)))
    return int(found is None)
