"""Scheduler cores: what is decided, and nothing else."""

from asha_nas.schedulers.asha import ASHA, PROMOTIONS
from asha_nas.schedulers.protocol import (
    DONE,
    WAIT,
    Answer,
    Config,
    Job,
    Outcome,
    ProtocolError,
    Sampler,
    Scheduler,
)
from asha_nas.schedulers.random_search import RandomSearch
from asha_nas.schedulers.rungs import LADDERS, ladder, survivors
from asha_nas.schedulers.sweep import Piece, Sweep

__all__ = [
    "ASHA", "DONE", "LADDERS", "PROMOTIONS", "WAIT", "Answer", "Config", "Job", "Outcome", "Piece", "ProtocolError",
    "RandomSearch", "Sampler", "Scheduler", "Sweep", "ladder", "survivors",
]  # fmt: skip
