"""What a machine has: the checks behind ``asha-nas doctor`` that need none of our other packages."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import ray


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: str
    """``ok``, ``note`` (works, with less) or ``bad`` (studies will fail)."""
    found: str
    remedy: str = ""


def machine(folder: Path) -> list[Check]:
    """Look at Python, processors, memory, shared memory, disk and Ray.

    Args:
        folder: where studies keep what they write; its disk is looked at.
    """
    return [_python(), _processors(), _memory(), _shared_memory(), _disk(folder), _ray()]


def _python() -> Check:
    found = platform.python_version()
    good = sys.version_info >= (3, 11)
    return Check("python", "ok" if good else "bad", found, "" if good else "Python 3.11 or newer is needed.")


def _processors() -> Check:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("processors", "ok", f"{count} usable")


def _memory() -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return Check("memory", "note", "unknown")
    enough = total > 4e9
    remedy = "" if enough else "Each worker holds about 0.5 GB; run with --workers 1."
    return Check("memory", "ok" if enough else "note", f"{total / 1e9:.1f} GB", remedy)


def _shared_memory() -> Check:
    shm = Path("/dev/shm")  # noqa: S108 - looked at, not written
    if not shm.is_dir():
        return Check("shared memory", "note", "no /dev/shm", "Ray falls back to slower files in /tmp.")
    free = shutil.disk_usage(shm).free
    enough = free > 1e9
    remedy = "" if enough else "In a container, start it with --shm-size=2g or more."
    return Check("shared memory", "ok" if enough else "note", f"{free / 1e9:.1f} GB free", remedy)


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    writable = os.access(there, os.W_OK)
    if not writable:
        return Check("disk", "bad", f"{there} cannot be written", "Choose other places: --store and --checkpoints.")
    enough = free > 1e9
    remedy = "" if enough else "asha-nas … --plan says how much a study needs; --checkpoints puts it elsewhere."
    return Check("disk", "ok" if enough else "note", f"{free / 1e9:.1f} GB free at {there}", remedy)


def _ray() -> Check:
    address = os.environ.get("RAY_ADDRESS")
    version = metadata.version("ray")
    if ray.is_initialized():
        return Check("ray", "ok", f"{version}, connected")
    return Check(
        "ray", "ok", f"{version}, " + (f"RAY_ADDRESS={address}" if address else "a Ray of its own for each study")
    )
