"""Samplers: which configuration is tried next."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from asha_nas.samplers.independent import DefaultFirst, Independent

if TYPE_CHECKING:
    from asha_nas.samplers.evolution import Evolution
    from asha_nas.samplers.hpbandster import HpBandSter
    from asha_nas.samplers.kde import KDE
    from asha_nas.samplers.reinforce import Reinforce
    from asha_nas.samplers.smac import SMAC
    from asha_nas.samplers.tpe import TPE

__all__ = ["KDE", "SMAC", "TPE", "DefaultFirst", "Evolution", "HpBandSter", "Independent", "Reinforce"]

# Imported on first use: a study that draws at random need load neither ConfigSpace nor the libraries behind some.
_HOME = {name: f"asha_nas.samplers.{name.lower()}" for name in __all__ if name not in ("DefaultFirst", "Independent")}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'asha_nas.samplers' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
