"""Where results come from: versions of what computes them, and a hash of our own source."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("asha-nas", "torch", "ray", "numpy", "ConfigSpace", "scikit-learn", "SQLAlchemy")
OURS = ("asha_nas", "trials", "spaces", "cluster")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def source_hash() -> str:
    """Digest of the Python source of our four packages, 16 hexadecimal digits."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in OURS:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def provenance() -> dict[str, str]:
    """Everything above, as it is stored with a study."""
    return {**versions(), "source": source_hash()}
