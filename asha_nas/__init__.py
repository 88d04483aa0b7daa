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
    from asha_nas.study import Asha, Random, Retries, StudySpec, Workers, make_spec, read_spec

# Imported on first use: a command that only lists studies need not load PyTorch.
_HOME = {
    "Asha": "asha_nas.study", "Random": "asha_nas.study", "Retries": "asha_nas.study",
    "StudySpec": "asha_nas.study", "Workers": "asha_nas.study", "make_spec": "asha_nas.study",
    "read_spec": "asha_nas.study", "Store": "asha_nas.store", "Study": "asha_nas.api",
    "create": "asha_nas.api", "load": "asha_nas.api", "objective_study": "asha_nas.api",
}  # fmt: skip

__all__ = [
    "Asha", "Random", "Retries", "Store", "Study", "StudySpec", "Workers", "create", "load", "make_spec",
    "objective_study", "read_spec",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'asha_nas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
