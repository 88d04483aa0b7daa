"""Stage 3: the test error of one architecture over several seeds."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from asha_nas.analysis.history import History


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Test error, as fractions of test images."""

    seeds: int
    """Seeds that have finished, >= 1."""
    mean: float
    std: float
    """Sample standard deviation; 0 for a single seed."""
    best: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.2f} ± {100 * self.std:.2f} %, best {100 * self.best:.2f} % ({self.seeds} seeds)"


def evaluation(history: History) -> Evaluation | None:
    """What an ``evaluate`` study found so far; ``None`` before its first seed has finished."""
    errors = [job.loss for job in history.jobs.values() if job.loss is not None]
    if not errors:
        return None
    std = statistics.stdev(errors) if len(errors) > 1 else 0.0
    return Evaluation(len(errors), statistics.fmean(errors), std, min(errors))
