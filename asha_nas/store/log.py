"""The store: studies by owner and name, and one append-only log for each.

Guarantees (held to by ``tests/contracts/store.py``):

- Of a name each owner has one study, or all of them together one without an owner, of an earlier version.

- An event is written in one transaction: it is there whole, or not at all.
- Events of a study are read in the order they were written, without gaps.
- Writing an event whose key is there already changes nothing if it says the same. A ``Reported``
  that says something else replaces the earlier one (an epoch was trained again after a crash, and
  the newer figure belongs to the state that goes on); for every other kind it is an error.
- Only the holder of the study's lease writes.
- A database that is away for a while is waited for, in all that is done here (:mod:`asha_nas.store.patience`); what was
  asked for is then done once, even if the connection broke before the answer came.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from asha_nas import owners
from asha_nas.errors import StoreUnavailable, StudyExists, StudyNotFound, StudyUnreadable
from asha_nas.sharing import Claim
from asha_nas.store import claims
from asha_nas.store.database import Database
from asha_nas.store.events import Event, Reported, parse, payload, to_json
from asha_nas.store.lease import Lease
from asha_nas.store.place import ENVIRONMENT, default_url, locate
from asha_nas.store.schema import LONGEST_NAME, events, leases, studies
from spaces.errors import InvalidValue

PAGE = 1000
"""Rows of a log that are read at a time."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as the store knows it."""

    id: int
    owner: str
    """Whose it is; empty for one of a version that knew no owners."""
    name: str
    """As its spec says."""
    spec: str
    """JSON of the StudySpec."""
    provenance: str
    """JSON: package versions and hash of the source it was created with."""
    created: float
    """Seconds since 1970, UTC."""

    @property
    def exact(self) -> str:
        """What means this study and no other to everybody: ``owner/name``, or ``/name`` where it has no owner."""
        return owners.exactly(self.key)

    @property
    def key(self) -> str:
        """What the store has it by: ``owner/name``, or ``name`` where it has no owner."""
        return owners.joined(self.owner, self.name)


@dataclass(frozen=True, slots=True)
class Row:
    """One event with its place in the log."""

    sequence: int
    event: Event
    time: float
    """When it was written, in seconds since 1970, UTC."""


class Store:
    """Studies and their logs in one database."""

    def __init__(self, url: str | None = None, create: bool = True, owner: str | None = None) -> None:
        """Open the store, making or migrating its tables.

        Args:
            url: SQLAlchemy URL or path of an SQLite file; default ``ASHA_NAS_STORE``, else the user's data folder.
            create: False to insist that an SQLite file of that name is there; the default store is always made.
            owner: who uses it, and owns what is created; by default :func:`asha_nas.owners.owner`, empty for nobody.

        Raises:
            StoreUnavailable: it cannot be opened or written, is not there, or is another program's.
            InvalidValue: ``ASHA_NAS_OWNER`` is no owner.
        """
        self.owner = owners.owner() if owner is None else owner
        """Who uses it."""
        place = locate(url)
        self._database = Database(place, create or not (url or os.environ.get(ENVIRONMENT)))
        self.url = str(place)
        """Where it is, without any password."""
        self.has_password = bool(place.passwords)
        """True if the URL that it was opened with held a password."""
        self._next: dict[int, int] = {}

    @property
    def kind(self) -> str:
        """Such as ``SQLite 3.46.1`` or ``PostgreSQL 15.18``."""
        return self._database.kind

    @property
    def is_default(self) -> bool:
        """True if it is the one that is opened where no URL is given."""
        return locate(default_url()) == self._database.place

    @property
    def absolute_url(self) -> str:
        """Its URL as another process can open it: with the whole path of a file, and without any password."""
        return self._database.place.absolute

    @property
    def is_file(self) -> bool:
        """Whether it is a file, which only machines that have it at the same path can open."""
        return self._database.place.file is not None

    def close(self) -> None:
        """Let go of the database's connections."""
        self._database.close()

    def check_writable(self) -> None:
        """Write a study with an event and a lease, and take it back.

        Raises:
            StoreUnavailable: it cannot be written.
        """

        def write(connection: sa.Connection) -> None:
            row = {"name": uuid.uuid4().hex, "spec": "{}", "provenance": "{}", "created": 0.0}
            study = connection.execute(studies.insert().values(**row).returning(studies.c.id)).scalar_one()
            lease = {"token": "", "host": "", "pid": 0, "born": "", "renewed": 0.0}
            connection.execute(leases.insert().values(study=study, **lease))
            event = {"sequence": 0, "key": "", "kind": "", "payload": "{}", "clock": "{}", "time": 0.0}
            connection.execute(events.insert().values(study=study, **event))
            connection.rollback()

        self._database.read(write)

    def create(self, name: str, spec: str, provenance: str) -> StudyRecord:
        """Add a study with an empty log, which belongs to the store's user.

        Raises:
            StudyExists: the user has one of that name, or there is one without an owner: what everybody calls ``name``
                must not become another study by that.
            InvalidValue: it is no name that every database can hold.
        """
        if not (name.isprintable() and 0 < len(name) <= LONGEST and "/" not in name):
            raise InvalidValue("name", name, f"must be 1 to {LONGEST} printable characters, none of them /")
        exact = owners.joined(self.owner, name)
        row = {"name": exact, "spec": spec, "provenance": provenance, "created": time.time()}

        def insert(connection: sa.Connection) -> bool:
            if exact != name and connection.execute(_NAMED, {"name": name}).one_or_none() is not None:
                return False
            connection.execute(studies.insert().values(**row))
            return True

        try:
            made = self._database.transact(insert)
        except IntegrityError:
            made = False
        found = self.study(exact if made else name)
        if (found.key, found.spec, found.provenance, found.created) == (exact, spec, provenance, row["created"]):
            return found  # perhaps by an earlier attempt, of which only the answer was lost
        raise StudyExists(
            f"a study named {name!r} exists already\nGo on with it: asha-nas resume {name}. Or choose another --name."
        )

    def study(self, text: str, verb: str | None = None) -> StudyRecord:
        """The study that a name means; see :func:`asha_nas.owners.resolve`.

        Args:
            text: ``owner/name``, or ``name``.
            verb: of the command that is to write to it; ``None`` for one that only reads.

        Raises:
            StudyNotFound: there is none; the message offers the nearest name.
            StudyAmbiguous: several others have one of that name.
            StudyOfOthers: another has, and it is to be written.
        """
        found = self._first(owners.candidates(text, self.owner))
        if found is not None:
            return found
        try:
            exact = owners.resolve(text, self.owner, self.names(), verb)
        except StudyNotFound as error:
            raise StudyNotFound(f"{error}\nList them with: asha-nas ls (store {self.url})") from None
        found = self._first((exact,))
        assert found is not None, "studies are never deleted"
        return found

    def mine(self, name: str) -> StudyRecord | None:
        """The user's study of that name, or the one without an owner; ``None`` if there is neither."""
        return self._first(owners.candidates(name, self.owner))

    def called(self, study: StudyRecord) -> str:
        """How the store's user can type it: ``name``, or ``owner/name`` for another's."""
        return owners.shown(study.key, self.owner)

    def names(self) -> list[str]:
        """Exact forms of the names of all studies, oldest first."""
        wanted = sa.select(studies.c.name).order_by(studies.c.id)
        return list(self._database.read(lambda connection: connection.execute(wanted).scalars().all()))

    def studies(self) -> list[StudyRecord]:
        """All studies, of all owners, oldest first."""
        wanted = sa.select(studies).order_by(studies.c.id)
        return [_record(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def _first(self, exact: Sequence[str]) -> StudyRecord | None:
        """The study of the first of these names that there is."""
        known = [name for name in exact if name.isprintable()]  # PostgreSQL takes no NUL, not even to look for it
        wanted = sa.select(studies).where(studies.c.name.in_(known))
        rows = self._database.read(lambda connection: connection.execute(wanted).all())
        return min(map(_record, rows), key=lambda record: known.index(record.key), default=None)

    def lease(self, study: StudyRecord, stop: Callable[[], bool] = lambda: False) -> Lease:
        """Become the study's only writer.

        Args:
            study: which.
            stop: called, from another thread, when someone asks that the study be stopped (:meth:`ask_to_stop`); says
                whether it has seen to that, and is asked again a little later if not.

        Raises:
            StudyLocked: another driver is.
        """
        lease = Lease.take(self._database, study.id, self.called(study), stop)
        self._next.pop(study.id, None)  # others may have written since we last did
        return lease

    def is_leased(self, study: StudyRecord) -> bool:
        """True while some driver holds the study's lease and gives signs of life."""
        row = self._database.read(lambda connection: Lease.of(connection, study.id))
        return row is not None and not Lease.is_free(row)

    def claim(self, study: StudyRecord, cluster: str, claim: Claim | None) -> list[Claim]:
        """Renew a study's claim on a cluster, or take it away (``None``), without any patience: this is repeated soon.

        Returns:
            All claims on that cluster, the study's among them; those of drivers that are gone lapse after
            :data:`asha_nas.store.claims.LAPSE_SECONDS`.

        Raises:
            StoreUnavailable: the database failed, or is away.
        """

        def exchange(connection: sa.Connection) -> list[Claim]:
            if claim is None:
                claims.withdraw(connection, study.id)
            else:
                claims.renew(connection, study.id, cluster, claim)
            return claims.current(connection, cluster)

        return self._database.at_once(exchange)

    def claims(self, cluster: str | None = None) -> list[Claim]:
        """The claims of all studies that run on a cluster, or on any, and have not lapsed."""
        return self._database.read(lambda connection: claims.current(connection, cluster))

    def ask_to_stop(self, study: StudyRecord) -> bool:
        """Ask whoever runs the study to stop it in good order; they see it within some seconds.

        Returns:
            False if nobody runs it.
        """
        wish = leases.update().where(leases.c.study == study.id).values(stop=True)
        if not self.is_leased(study):
            return False
        return self._database.transact(lambda connection: connection.execute(wish).rowcount == 1)

    def append(self, lease: Lease, event: Event) -> None:
        """Write one event, in one transaction, under the lease.

        A store that is away is waited for, so that the event is written once; see :mod:`asha_nas.store.patience`.

        Raises:
            LeaseLost: another driver took the study over; nothing was written.
            StoreUnavailable: the database failed. Nothing was written, or, if the connection broke before the answer
                came, the event whole.
        """
        self.append_all(lease, [(event, time.time())])

    def append_all(self, lease: Lease, written: Sequence[tuple[Event, float]]) -> None:
        """Write events and their times, in seconds since 1970, in one transaction: all of them or none.

        Raises:
            LeaseLost, StoreUnavailable: as :meth:`append`.
        """
        # Noted again only once written: if a Ctrl-C comes between the commit and the note, the log is asked next time.
        known = self._next.pop(lease.study, None)
        trusted = known

        def write(connection: sa.Connection) -> int:
            nonlocal trusted
            # An attempt that is repeated asks the log: the one before may have been written after all.
            sequence, trusted = trusted, None
            lease.check(connection)
            if sequence is None:
                sequence = _length(connection, lease.study)
            if known is not None and sequence < known:
                raise StoreUnavailable(
                    f"store {self.url}: has lost events that it had confirmed ({known} before, {sequence} now)\n"
                    "Was it brought back from a backup or a standby? asha-nas resume goes on from what it has."
                )
            for event, when in written:
                sequence += _write(connection, lease.study, sequence, event, when)
            return sequence

        self._next[lease.study] = self._database.transact(write)

    def rows(self, study: StudyRecord, after: int = -1) -> Iterator[Row]:
        """The study's log in order, from the event after sequence number ``after``.

        Raises:
            StudyUnreadable: an event is missing, damaged, or of a kind this version does not know.
        """
        while page := self._page(study, after):
            for expected, (sequence, kind, content, clock, when) in enumerate(page, after + 1):
                if sequence != expected:
                    raise StudyUnreadable(self.called(study), f"event {expected} of its log is missing")
                try:
                    event = parse(kind, content, clock)
                except ValueError as error:
                    raise StudyUnreadable(self.called(study), f"event {sequence} of its log: {error}") from None
                yield Row(sequence, event, when)
            after = page[-1].sequence

    def _page(self, study: StudyRecord, after: int) -> Sequence[Any]:
        """Some of the rows after that one; a connection is held no longer than that takes."""
        wanted = (
            sa.select(events.c.sequence, events.c.kind, events.c.payload, events.c.clock, events.c.time)
            .where(events.c.study == study.id, events.c.sequence > after)
            .order_by(events.c.sequence)
            .limit(PAGE)
        )
        return self._database.read(lambda connection: connection.execute(wanted).all())


LONGEST = LONGEST_NAME - owners.LONGEST - 1
"""Characters of a name, beside its owner's."""
_NAMED = sa.select(studies.c.id).where(studies.c.name == sa.bindparam("name"))


def _record(row: Any) -> StudyRecord:
    owner, name = owners.parted(row.name)
    return StudyRecord(row.id, owner, name, row.spec, row.provenance, row.created)


def _length(connection: sa.Connection, study: int) -> int:
    newest = connection.execute(sa.select(sa.func.max(events.c.sequence)).where(events.c.study == study)).scalar()
    return 0 if newest is None else int(newest) + 1


_INSERT = sa.text(
    "INSERT INTO events (study, sequence, key, kind, payload, clock, time)"
    " VALUES (:study, :sequence, :key, :kind, :payload, :clock, :time) ON CONFLICT (study, key) DO NOTHING"
)
"""Nearly always the event is new; so a database is not asked first, which would be a way there and back for each."""


def _write(connection: sa.Connection, study: int, sequence: int, event: Event, when: float) -> int:
    """Write one event, unless it is there. Returns how many rows that made."""
    content, clock = payload(event), to_json(event.clock)
    row = {"study": study, "sequence": sequence, "key": event.key, "kind": event.kind}
    made = connection.execute(_INSERT, row | {"payload": content, "clock": clock, "time": when}).rowcount
    if made:
        return 1
    same_key = (events.c.study == study) & (events.c.key == event.key)
    if connection.execute(sa.select(events.c.payload).where(same_key)).scalar_one() != content:
        if not isinstance(event, Reported):
            raise AssertionError(f"event {event.key} is in the log already, saying something else")
        connection.execute(events.update().where(same_key).values(payload=content, clock=clock))
    return 0
