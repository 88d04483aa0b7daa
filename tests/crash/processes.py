"""Processes of the crash tests: found by ancestry and by a mark in their environment, and never left behind."""

import os
import signal
import time
from pathlib import Path

MARK = "ASHA_NAS_CRASH_TEST"


def wait_until(condition, what, seconds=180.0, every=0.01):
    """Poll until `condition()` gives something true, and return that."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
    return found


def born(pid):
    """When the process started, in clock ticks since boot; None if there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return ""


def pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def descendants(*roots):
    """These processes and all below them, as {pid: born}."""
    children = {}
    for pid in pids():
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(pid)
    found, queue = {}, list(roots)
    while queue:
        pid = queue.pop()
        queue += children.get(pid, [])
        if (since := born(pid)) is not None:
            found[pid] = since
    return found


def marked(mark):
    """All processes, whoever their parent is, that have the mark in their environment."""
    found, line = {}, f"{MARK}={mark}".encode()
    for pid in pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if line in environment.split(b"\0") and (since := born(pid)) is not None:
            found[pid] = since
    return found


def alive(known):
    """Those of {pid: born} that still run."""
    return {pid: since for pid, since in known.items() if born(pid) == since}


def kill_all(known):
    """SIGKILL to all of them, parents before they can notice; none that took over a pid."""
    for pid in alive(known):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
