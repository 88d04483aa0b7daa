"""asha-nas: distributed hyperparameter optimization for neural architecture search.

From Python::

    import asha_nas

    study = asha_nas.objective_study("mine", function, space, asha_nas.Asha(R=27, eta=3, configs=50))
    study.run()                     # and after any crash: asha_nas.load("mine", objective=function).run()
    study.best_config, study.trials()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asha_nas.api import Study, create, load, objective_study
    from asha_nas.store import Store
    from asha_nas.study import (
        Asha,
        AsyncBohb,
        AsyncHyperband,
        Bohb,
        Evolution,
        Hyperband,
        Random,
        Reinforce,
        Retries,
        Simulation,
        Smac,
        StudySpec,
        SuccessiveHalving,
        Tpe,
        Workers,
        make_spec,
        read_spec,
    )

__all__ = [
    "Asha", "AsyncBohb", "AsyncHyperband", "Bohb", "Evolution", "Hyperband", "Random", "Reinforce", "Retries",
    "Simulation", "Smac", "Store", "Study", "StudySpec", "SuccessiveHalving", "Tpe", "Workers", "create", "load",
    "make_spec", "objective_study", "read_spec",
]  # fmt: skip

# Imported on first use: a command that only lists studies need not load what runs them.
_HOME = {
    **dict.fromkeys(__all__, "asha_nas.study"), "Store": "asha_nas.store",
    **dict.fromkeys(("Study", "create", "load", "objective_study"), "asha_nas.api"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'asha_nas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
