"""Samplers: which configuration is tried next."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from asha_nas.samplers.independent import DefaultFirst, Independent

if TYPE_CHECKING:
    from asha_nas.samplers.hpbandster import HpBandSter
    from asha_nas.samplers.kde import KDE

# Imported on first use: a study that draws at random need load neither ConfigSpace nor SciPy.
_HOME = {"HpBandSter": "asha_nas.samplers.hpbandster", "KDE": "asha_nas.samplers.kde"}

__all__ = ["KDE", "DefaultFirst", "HpBandSter", "Independent"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'asha_nas.samplers' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
