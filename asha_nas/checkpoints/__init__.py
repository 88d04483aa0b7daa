"""What is kept of a study's checkpoints: which are needed, how much room they take, and deleting the others."""

from asha_nas.checkpoints.cleaner import Cleaner
from asha_nas.checkpoints.room import FILES_PER_JOB, RESERVE_BYTES, Room, Shortage
from asha_nas.checkpoints.shelf import Policy, Removal, Shelf, policy, trial_folder

__all__ = [
    "FILES_PER_JOB", "RESERVE_BYTES", "Cleaner", "Policy", "Removal", "Room", "Shelf", "Shortage", "policy",
    "trial_folder",
]  # fmt: skip
