"""The lease: at most one driver runs a study, and one that lost it can write nothing more."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from asha_nas.errors import LeaseLost, StoreUnavailable, StudyLocked
from asha_nas.store.database import Database
from asha_nas.store.schema import leases

RENEW_SECONDS = 10.0
EXPIRE_SECONDS = 60.0
"""A lease not renewed for this long may be taken from a driver on another machine, or in another container."""
_GIVEN_UP: set[str] = set()
"""Tokens of leases that this process could not give back, as the store was away; it may take them again at once."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease."""

    host: str
    pid: int
    born: str
    """``boot:namespace:start``: the boot and the PID namespace in which ``pid`` means something, and when
    the process started, in the kernel's own count, so that a reused pid is not taken for it. Empty where
    the system does not tell. At most 40 characters."""

    @classmethod
    def me(cls) -> Holder:
        """This process."""
        place, start = _place(), _start(os.getpid())
        return cls(socket.gethostname(), os.getpid(), f"{place}:{start}" if place and start else "")

    def surely_gone(self) -> bool:
        """True when it ran where this process could see it, and is not running any more.

        A holder in another container may have this one's host name; its pid means nothing here, so it
        is treated like one on another machine.
        """
        place, _, start = self.born.rpartition(":")
        here = place != "" and place == _place() and self.host == socket.gethostname()
        return here and _start(self.pid) != start


def _place() -> str:
    """The boot and the PID namespace of this process; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Behind a /proc of another namespace (unshare without --mount-proc) pids would name other processes.
        if Path("/proc/self").readlink() != Path(str(os.getpid())):
            return ""
        link = Path("/proc/self/ns/pid")
        namespace = str(link.readlink()) if link.is_symlink() else ""
    except OSError:
        return ""
    return f"{boot[:13]}:{namespace.removeprefix('pid:').strip('[]')}"


def _start(pid: int) -> str | None:
    """Start time of a process; ``None`` if there is none, or it is only waiting to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def now(connection: Connection) -> sa.ColumnElement[float]:
    """Seconds since 1970, by the one clock that all drivers of a store go by: the server's, or the machine's."""
    if connection.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
    return sa.literal(time.time(), sa.Float)


class Lease:
    """The right to write one study's log. Renewed in the background until it is released.

    Every event is written in one transaction with :meth:`check`, so a driver that was taken for dead
    (stopped, or cut off from the store) and wakes up later fails with :class:`LeaseLost` instead of
    mixing its events with its successor's.
    """

    def __init__(self, database: Database, study: int, token: str) -> None:
        self._database = database
        self.study = study
        self._token = token
        self._released = threading.Event()
        self._renewer = threading.Thread(target=self._renew_until_released, name="lease", daemon=True)
        self._renewer.start()

    @classmethod
    def take(cls, database: Database, study: int, name: str) -> Lease:
        """Take the study's lease.

        Raises:
            StudyLocked: another driver holds it and may be alive.
        """
        token = uuid.uuid4().hex
        me = Holder.me()
        row = {"token": token, "host": me.host, "pid": me.pid, "born": me.born}

        def insert(connection: Connection) -> None:
            connection.execute(leases.insert().values(study=study, renewed=now(connection), **row))

        while True:
            try:
                database.transact(insert)
                break
            except IntegrityError:
                if cls._take_over(database, study, name, row):
                    break
        return cls(database, study, token)

    @staticmethod
    def of(connection: Connection, study: int) -> Any:
        """The row of ``leases`` for a study, with ``age``: seconds since it was renewed; ``None`` if it has none."""
        age = (now(connection) - leases.c.renewed).label("age")
        return connection.execute(sa.select(leases, age).where(leases.c.study == study)).one_or_none()

    @staticmethod
    def is_free(found: Any) -> bool:
        """True when the holder of this row is gone, or has given no sign for too long.

        A sign from the future was given before a clock was set back; it says nothing of how long ago that was.
        """
        gone = Holder(found.host, found.pid, found.born).surely_gone()
        return gone or found.token in _GIVEN_UP or abs(found.age) > EXPIRE_SECONDS

    @classmethod
    def _take_over(cls, database: Database, study: int, name: str, row: dict[str, object]) -> bool:
        """Take a free lease; False when its holder has just released it, so that there is none."""

        def swap(connection: Connection) -> bool:
            found = cls.of(connection, study)
            if found is None:
                return False
            if found.token == row["token"]:
                return True  # it is ours: only the answer to an earlier attempt was lost
            # Compare and swap on the old token: of two that see a free lease, one gets it.
            held = leases.update().where(leases.c.study == study, leases.c.token == found.token)
            swap = held.values(renewed=now(connection), **row)
            if not cls.is_free(found) or connection.execute(swap).rowcount != 1:
                raise StudyLocked(
                    f"study {name!r} is being run by another driver"
                    f" (pid {found.pid} on {found.host},"
                    f" last sign of life {max(found.age, 0):.0f} s ago)\n"
                    f"Stop that driver first, or wait: a lease is free {EXPIRE_SECONDS:.0f} s after the last sign."
                )
            return True

        return database.transact(swap)

    def check(self, connection: Connection) -> None:
        """Prove within the caller's transaction that the lease is still ours.

        Raises:
            LeaseLost: it is not.
        """
        renewal = (
            leases.update()
            .where(leases.c.study == self.study, leases.c.token == self._token)
            .values(renewed=now(connection))
        )
        if connection.execute(renewal).rowcount != 1:
            raise LeaseLost(
                "this driver lost its study to another one (it gave no sign of life for too long)\n"
                "Nothing was written since. The other driver goes on; stop it before resuming here."
            )

    def release(self) -> None:
        """Give the lease back. Harmless when it is lost already, and when the store is away: then it lapses."""
        self._released.set()
        self._renewer.join()
        mine = leases.delete().where(leases.c.study == self.study, leases.c.token == self._token)
        try:
            self._database.transact(lambda connection: connection.execute(mine))
        except StoreUnavailable:
            _GIVEN_UP.add(self._token)

    def _renew_until_released(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                self._database.once(self.check)
            except LeaseLost:
                return  # the next event says so, on the driver's own thread
            except sa.exc.SQLAlchemyError:
                continue  # a busy or absent database: the driver's next event will meet it too
