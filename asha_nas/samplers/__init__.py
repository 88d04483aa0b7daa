"""Samplers: which configuration is tried next."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from asha_nas.samplers.independent import DefaultFirst, Independent

if TYPE_CHECKING:
    from asha_nas.samplers.evolution import Evolution
    from asha_nas.samplers.reinforce import Reinforce
    from asha_nas.samplers.smac import SMAC
    from asha_nas.samplers.tpe import TPE

# Imported on first use: a study that draws at random need load neither ConfigSpace nor SciPy.
_HOME = {
    "SMAC": "asha_nas.samplers.smac",
    "TPE": "asha_nas.samplers.tpe",
    "Evolution": "asha_nas.samplers.evolution",
    "Reinforce": "asha_nas.samplers.reinforce",
}

__all__ = ["SMAC", "TPE", "DefaultFirst", "Evolution", "Independent", "Reinforce"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'asha_nas.samplers' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
