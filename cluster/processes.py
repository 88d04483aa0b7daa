"""Processes by their id and birth, so that an id that was given out again is never taken for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine."""

    pid: int
    born: str
    """``boot:ticks``: the boot of the machine and when the process started since, in the kernel's own count."""


def process(pid: int) -> Process | None:
    """The process of that id; ``None`` if there is none, or it only waits to be reaped."""
    found = _stat(pid)
    return None if found is None else Process(pid, f"{_boot()}:{found.ticks}")


def is_alive(known: Process) -> bool:
    """Whether it is still that process."""
    return process(known.pid) == known


def family(pid: int) -> set[Process]:
    """The living processes below this one, and those of its session, whoever their parents are by now; itself too."""
    everyone = {each: found for each in _pids() if (found := _stat(each)) is not None}
    members, boot = {pid}, _boot()
    while more := {each for each, found in everyone.items() if found.parent in members} - members:
        members |= more
    members |= {each for each, found in everyone.items() if found.session == pid}
    return {Process(each, f"{boot}:{everyone[each].ticks}") for each in members & everyone.keys()}


def variable(known: Process, name: str) -> str | None:
    """A variable of the environment that the process was started with; ``None`` if it has none, or is not ours."""
    try:
        environment = Path(f"/proc/{known.pid}/environ").read_bytes()
    except OSError:
        return None
    values = dict(entry.partition(b"=")[::2] for entry in environment.split(b"\0"))
    found = values.get(name.encode())
    return None if found is None else found.decode(errors="replace")


def send(known: Process, number: signal.Signals) -> None:
    """Send a signal, unless the process is gone."""
    if is_alive(known):
        try:
            os.kill(known.pid, number)
        except ProcessLookupError:
            return


def wait(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Wait for something, at most so many seconds; whether it came."""
    end = time.monotonic() + seconds
    while not (there := condition()) and time.monotonic() < end:
        time.sleep(every)
    return there


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    session: int
    ticks: str


def _stat(pid: int) -> _Stat | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else _Stat(int(fields[1]), int(fields[3]), fields[19])


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]
