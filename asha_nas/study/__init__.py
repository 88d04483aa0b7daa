"""What a study is: its problem, its scheduler and where it runs, as one validated value.

A TOML file, the command line and Python all make the same :class:`StudySpec`.
"""

from asha_nas.study.lookup import Curves, Lookup
from asha_nas.study.problem import FullTraining, Objective, PartialTraining, Tabulation
from asha_nas.study.reading import make_spec, read_spec
from asha_nas.study.scheduling import (
    LEARNING,
    AnyScheduler,
    Asha,
    AsyncBohb,
    AsyncHyperband,
    Bohb,
    Evolution,
    Full,
    Halving,
    Hyperband,
    Model,
    Promoting,
    Random,
    Reinforce,
    Smac,
    SuccessiveHalving,
    Sweep,
    Tpe,
)
from asha_nas.study.search import OneShot, Search
from asha_nas.study.simulation import Simulation
from asha_nas.study.spec import AnyProblem, Retries, StudySpec, Workers
from asha_nas.study.tune import Tune

__all__ = [
    "LEARNING", "AnyProblem", "AnyScheduler", "Asha", "AsyncBohb", "AsyncHyperband", "Bohb", "Curves", "Evolution",
    "Full", "FullTraining", "Halving", "Hyperband", "Lookup", "Model", "Objective", "OneShot", "PartialTraining",
    "Promoting", "Random", "Reinforce", "Retries", "Search", "Simulation", "Smac", "StudySpec", "SuccessiveHalving",
    "Sweep", "Tabulation", "Tpe", "Tune", "Workers", "make_spec", "read_spec",
]  # fmt: skip
