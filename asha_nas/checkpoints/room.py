"""Whether a further job's checkpoints will find room: asked before it is handed out, while there still is some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RESERVE_BYTES = 64_000_000
"""Of the disk that is left alone: for the log, which lies on the same one as a rule, and for what others write."""

FILES_PER_JOB = 2
"""Checkpoints that a job is reckoned to add: its newest, and the one before, or one that is being written."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """There is no room for another job."""

    what: str
    """``quota`` or ``disk``."""
    needed: int
    """Bytes that one more job may write; of a disk, with what is left alone."""
    left: int
    """Bytes that there are for them; may be below 0."""

    def __str__(self) -> str:
        """In words."""
        room = f"{max(0, self.left) / 1e6:,.1f} MB"
        place = "are left of the quota" if self.what == "quota" else "are free on the disk of the checkpoints"
        return f"{room} {place}, and another job needs {self.needed / 1e6:,.1f} MB"


@dataclass(frozen=True, slots=True)
class Room:
    """What checkpoints have room for."""

    quota: int | None = None
    """Bytes that the study's checkpoints may take together; ``None`` for no bound."""
    free: Callable[[], int | None] = lambda: None
    """Bytes free on their disk now; ``None`` where nobody knows."""
    settle: Callable[[], object] = lambda: None
    """Waits for deletions that are under way."""

    def shortage(self, taken: int, largest: int, jobs: int, files: int = FILES_PER_JOB) -> Shortage | None:
        """Why there is no room for ``jobs`` jobs, the running ones included; ``None`` if there is.

        Args:
            taken: bytes of the checkpoints that the study has.
            largest: bytes of its largest one so far, which the next is taken to be as large as; 0 if none was saved.
            jobs: how many, >= 1.
            files: checkpoints that one adds at most.
        """
        needed = jobs * files * largest
        if not needed:
            return None  # nothing was saved yet, or nothing ever is
        if self.quota is not None and taken + needed > self.quota:
            return Shortage("quota", needed, self.quota - taken)
        free, needed = self.free(), needed + RESERVE_BYTES
        if free is not None and needed > free:
            self.settle()
            free = self.free()
        if free is not None and needed > free:
            return Shortage("disk", needed, free)
        return None
