"""Scheduler cores: what is decided, and nothing else."""

from asha_nas.schedulers.asha import ASHA, PROMOTIONS
from asha_nas.schedulers.brackets import Bracket, halving, hyperband
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
from asha_nas.schedulers.synchronous import SynchronousHalving

__all__ = [
    "ASHA", "DONE", "LADDERS", "PROMOTIONS", "WAIT", "Answer", "Bracket", "Config", "Draw", "FullTraining", "Job",
    "Outcome", "Piece", "Proposal", "ProtocolError", "Sampler", "Scheduler", "Sweep", "SynchronousHalving", "halving",
    "hyperband", "ladder", "survivors",
]  # fmt: skip
