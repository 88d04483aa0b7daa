"""What a study's log means: folds of it for people, and for pandas. Nothing here decides anything."""

from asha_nas.analysis.evaluation import Evaluation, evaluation
from asha_nas.analysis.explain import Visit, explain
from asha_nas.analysis.history import Cost, History, JobRecord, RungView, TrialRecord

__all__ = [
    "Cost", "Evaluation", "History", "JobRecord", "RungView", "TrialRecord", "Visit", "evaluation", "explain",
]  # fmt: skip
