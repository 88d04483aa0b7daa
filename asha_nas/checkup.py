"""Is everything there that one study needs? The checks behind ``asha-nas doctor STUDY``."""

from __future__ import annotations

import time
import uuid

from asha_nas.api import default_checkpoints
from asha_nas.checkpoints import RESERVE_BYTES
from asha_nas.plan import make_plan
from asha_nas.store import Store
from asha_nas.study import StudySpec
from cluster.doctor import Check
from trials import storage

SLOW_SECONDS = 2.0
"""A small file that takes longer to write is worth a note."""
SKEW_SECONDS = 5.0
"""Two clocks that differ by more are worth a note: leases and times in the log are told by them."""


def check_study(spec: StudySpec, store: Store, newest: float | None = None) -> list[Check]:
    """Look at what a study will need.

    Args:
        spec: the study, begun or not.
        store: where earlier studies tell how large checkpoints are.
        newest: when its newest event was, in seconds since 1970; ``None`` if it has not begun.

    Raises:
        UserError: it cannot be planned; says why.
    """
    folder = spec.checkpoints or default_checkpoints()
    plan = make_plan(spec, store, spec.engine.workers or 1)
    taken, seen = _written(folder)
    room = room_check(plan.disk_bytes, plan.peak_bytes, storage.free_bytes(folder), spec.quota)
    return [taken, room, clock_check(time.time(), seen, newest)]


def _written(folder: str) -> tuple[Check, float | None]:
    """Write, read and delete a small file; and when its keeper says that it was written."""
    name, content = f"doctor-{uuid.uuid4().hex}{storage.SUFFIX}{storage.TEMPORARY}", b"may be deleted"
    began = time.monotonic()
    try:
        storage.write(folder, name, content)
        whole = storage.read(folder, name) == content
        seen = storage.modified(folder, name)
        storage.delete(folder, [name])
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror or error})"
        return Check("checkpoints", "bad", found, "Make it writable, or choose another: --checkpoints."), None
    seconds = time.monotonic() - began
    if not whole:
        return Check("checkpoints", "bad", f"{folder} gives back something else than was written"), seen
    if seconds > SLOW_SECONDS:
        remedy = "Studies only wait for it; --recipe checkpoint_minutes=30 writes less often."
        return Check("checkpoints", "note", f"{folder} is slow: {seconds:.1f} s for a small file", remedy), seen
    return Check("checkpoints", "ok", f"{folder} can be written"), seen


def room_check(end: int | None, peak: int | None, free: int | None, quota: int | None) -> Check:
    """Whether checkpoints will find room.

    Args:
        end: bytes at the end of the study; ``None`` where nobody knows.
        peak: bytes when there are most.
        free: bytes free on the disk; ``None`` where nobody knows.
        quota: bytes that they may take; ``None`` for no bound.
    """
    there = "free space unknown" if free is None else f"{_shown(free)} free"
    if quota is not None:
        there += f", quota {_shown(quota)}"
    if end is None or peak is None:
        return Check("room", "note", f"size of checkpoints unknown, {there}", "Run one small study first.")
    found = f"about {_shown(peak)} of checkpoints at most, {_shown(end)} at the end; {there}"
    stops = "It would stop, lose nothing, and go on when there is more room: "
    if quota is not None and peak > quota:
        return Check("room", "note", found, f"{stops}asha-nas resume STUDY --quota SIZE.")
    if free is not None and peak + RESERVE_BYTES > free:
        return Check("room", "note", found, f"{stops}free some, or choose another place: --checkpoints.")
    return Check("room", "ok", found)


def clock_check(now: float, seen: float | None, newest: float | None) -> Check:
    """Whether clocks agree; all in seconds since 1970.

    Args:
        now: this machine's clock.
        seen: that of who keeps the checkpoints, as of now; ``None`` where it is not told.
        newest: the newest event of the study's log; ``None`` if there is none.
    """
    remedy = "Synchronise the machines' clocks (NTP)."
    if seen is not None and abs(seen - now) > SKEW_SECONDS:
        found = f"that of the checkpoints' folder differs from this machine's by {abs(seen - now):.0f} s"
        return Check("clock", "note", found, remedy)
    if newest is not None and newest - now > SKEW_SECONDS:
        return Check("clock", "note", f"the study's newest event is {newest - now:.0f} s in the future", remedy)
    return Check("clock", "ok", "agrees with all that can be compared")


def _shown(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
