"""A session of a study: a driver, an engine and the log between them, from the lease to the last event."""

from __future__ import annotations

import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from asha_nas.checkpoints import Cleaner, Room
from asha_nas.driver import Driver
from asha_nas.engines import Engine
from asha_nas.engines.stopping import sigterm_as_ctrl_c
from asha_nas.problems import Problem
from asha_nas.provenance import provenance
from asha_nas.reuse import LookUp, nothing
from asha_nas.stop_sign import StopSign, grace
from asha_nas.store import Closed, Event, Lease, Listener, Opened, Store, StudyRecord
from asha_nas.study import StudySpec


def run(
    record: StudyRecord,
    spec: StudySpec,
    problem: Problem,
    store: Store,
    engine: Engine,
    *,
    folder: str,
    listeners: Iterable[Listener] = (),
    max_hours: float | None = None,
    quota: int | None = None,
    past: LookUp = nothing,
    clock: Callable[[], float] | None = None,
    afterwards: Callable[[Callable[[Event], None]], None] = lambda _write: None,
) -> str:
    """Run a study, new or begun, until it is over, its time is up or it is interrupted: by Ctrl-C or by SIGTERM.

    SIGTERM gives running trials a little time to save (:data:`asha_nas.stop_sign.SECONDS`); a second one does not.

    Args:
        record: the study in its store.
        spec: what it is.
        problem: what :func:`asha_nas.problems.build` made of it.
        store: where its log is.
        engine: runs its jobs.
        folder: path or URL below which each trial has its folder of checkpoints.
        listeners: called with each event after it is in the log.
        max_hours: time limit over all sessions, instead of the spec's.
        quota: bytes that checkpoints may take together, instead of the spec's.
        past: results that other studies have; see :class:`Driver`.
        clock: a virtual clock, in seconds since 1970, that events are dated by. Nothing is at stake then that could
            not be played again, so events are written when the engine is done, all or none: what goes on from jobs in
            flight would not be what it is uninterrupted.
        afterwards: called when the engine is done, with what writes further events, before the session is closed.

    Returns:
        Why it ended: ``done``, ``time``, ``interrupted``, ``full`` (no room for checkpoints), or ``failing`` (a sweep,
        see :data:`asha_nas.driver.LOST_IN_A_ROW`).

    Raises:
        StudyLocked: another driver is running it.
        ReplayMismatch: see :meth:`Driver.replay`.
        LeaseLost: another driver took over meanwhile.
    """
    stoppable = threading.Event()

    def stop() -> bool:
        """Someone asked for it through the store: as if this process alone had been told."""
        if stoppable.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
        return stoppable.is_set()

    lease = store.lease(record, stop)
    listening = tuple(listeners)
    played = None if clock is None else _Buffer(store, lease, clock)

    def write(event: Event) -> None:
        if played is None:
            store.append(lease, event)
        else:
            played.append(event)
        for listener in listening:
            listener(event)

    # On a virtual clock nothing is under way that would be lost.
    sign = None if played is not None else StopSign(folder, grace())
    cleaner = Cleaner()
    room = Room(spec.quota if quota is None else quota, functools.partial(_free_bytes, folder), cleaner.wait)
    try:
        driver = Driver(
            spec, problem, write, folder, clock or time.monotonic, max_hours, room, cleaner.remove, sign, past
        )
        cleaner.sweep(folder, driver.replay(store.rows(record)))
        write(Opened(session=driver.session, clock=_circumstances()))
        try:
            with sigterm_as_ctrl_c(driver.leave) as heard:
                if heard:
                    stoppable.set()
                try:
                    engine.run(driver, problem.trial)
                    if played is not None:
                        played.release()
                    afterwards(write)
                finally:
                    stoppable.clear()
            reason = _reason(driver)
        except KeyboardInterrupt:
            reason = "interrupted"
            if played is not None and played.holding:
                return reason
        why = {"shortage": str(driver.shortage)} if reason == "full" else {}
        write(Closed(session=driver.session, reason=reason, clock=why))
        cleaner.wait()
        return reason
    finally:
        if sign is not None:
            sign.take_away()
        lease.release()


def _reason(driver: Driver) -> str:
    if driver.leaving:
        return "interrupted"
    if driver.failing:
        return "failing"
    if driver.shortage is not None:
        return "full"
    return "time" if driver.out_of_time else "done"


def _free_bytes(folder: str) -> int | None:
    from trials import storage  # noqa: PLC0415 - imports fsspec, which a study of look-ups does without

    return storage.free_bytes(folder)


class _Buffer:
    """Events of a simulated study on their way to the store: all or none, until :meth:`release`; then each at once."""

    def __init__(self, store: Store, lease: Lease, clock: Callable[[], float]) -> None:
        self._store, self._lease, self._clock = store, lease, clock
        self._waiting: list[tuple[Event, float]] = []
        self.holding = True

    def append(self, event: Event) -> None:
        self._waiting.append((event, self._clock()))
        if not self.holding:
            self._flush()

    def release(self) -> None:
        """Write what is waiting, and hold nothing back any more."""
        self.holding = False
        self._flush()

    def _flush(self) -> None:
        self._store.append_all(self._lease, self._waiting)
        self._waiting = []


def _circumstances() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), **provenance()}
