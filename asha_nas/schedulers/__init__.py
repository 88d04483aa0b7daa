"""Scheduler cores: what is decided, and nothing else."""

from asha_nas.schedulers.asha import ASHA, PROMOTIONS
from asha_nas.schedulers.full_training import FullTraining
from asha_nas.schedulers.protocol import (
    DONE,
    WAIT,
    Answer,
    Config,
    Draw,
    Job,
    Outcome,
    Proposal,
    ProtocolError,
    Sampler,
    Scheduler,
)
from asha_nas.schedulers.rungs import LADDERS, ladder, survivors
from asha_nas.schedulers.sweep import Piece, Sweep

__all__ = [
    "ASHA", "DONE", "LADDERS", "PROMOTIONS", "WAIT", "Answer", "Config", "Draw", "FullTraining", "Job", "Outcome",
    "Piece", "Proposal", "ProtocolError", "Sampler", "Scheduler", "Sweep", "ladder", "survivors",
]  # fmt: skip
