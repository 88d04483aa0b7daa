"""Deletes what a study's shelf has parted with: in a thread of its own, as no decision waits for a file system."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable

from asha_nas.checkpoints.shelf import Removal

PATIENCE = 30.0
"""Seconds that a driver waits at its end for deletions under way. What is then left goes at the next resume."""


class Cleaner:
    """Takes removals and carries them out, one after the other, as well as it can.

    Nothing is lost if it is killed, or never gets to it: a resumed study hands in again all that its log implies.
    A failure to delete costs room and nothing else, so it is not told to anyone.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last = threading.Event()
        self._last.set()

    def remove(self, removal: Removal) -> None:
        """Delete these files soon."""
        self._order(lambda: _remove(removal))

    def sweep(self, folder: str, removals: Iterable[Removal]) -> None:
        """Delete what is still there of all that a log implies, by one listing of the study's whole folder."""
        pending = tuple(removals)
        if pending:
            self._order(lambda: _sweep(folder, pending))

    def wait(self, seconds: float = PATIENCE) -> bool:
        """Wait until all that was handed in is done, but not for longer; returns whether it is."""
        return self._last.wait(seconds)

    def _order(self, work: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            try:
                work()
            finally:
                done.set()

        self._last = done  # orders are carried out in turn, so the last one's end is the end of all
        self._orders.put(run)
        if self._thread is None:
            # A daemon: a file system that hangs must not keep a study's process from ending.
            self._thread = threading.Thread(target=self._work, name="asha-nas-cleaner", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._orders.get()()


def _remove(removal: Removal) -> None:
    from trials import storage  # noqa: PLC0415 - imports fsspec, which a study of look-ups does without

    try:
        storage.delete(removal.folder, removal.names)
        if removal.keep is not None:
            storage.prune(removal.folder, removal.keep)
            if not removal.keep:
                storage.drop_empty(removal.folder)
    except Exception:  # noqa: S110 - remote file systems raise what they like, and nothing depends on it
        pass


def _sweep(folder: str, removals: Iterable[Removal]) -> None:
    from trials import storage  # noqa: PLC0415

    try:
        there = storage.tree(folder)
    except Exception:
        return
    for removal in removals:
        names = there.get(removal.folder, set())
        stale = names.intersection(removal.names)
        if removal.keep is not None:
            stale |= {name for name in names - removal.keep if storage.is_checkpoint(name)}
        if stale:
            _remove(removal)
            names -= stale
