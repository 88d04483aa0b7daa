"""What a study tells Prometheus while it runs on Ray: the list that instruments, dashboard and documents are made from.

Ray's own agent on each node exports these beside Ray's metrics, with ``ray_`` before each name. Most are gauges and
not counters: they are totals of the *study*, folded from its log, and so do not fall back to zero when a driver dies
and the study is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TAGS = ("owner", "study")
"""Of every metric: whose study, and its name. A study without an owner has an empty one, which Prometheus drops."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, with a series for each study of each owner and each combination of its tags."""

    name: str
    """Without ``ray_``."""
    kind: Literal["gauge", "counter", "histogram"]
    description: str
    tags: tuple[str, ...] = ()
    """Beside :data:`TAGS`."""
    boundaries: tuple[float, ...] = ()
    """Of a histogram's buckets, ascending; the last bucket is open."""

    @property
    def exported(self) -> tuple[str, ...]:
        """Names of its series in Prometheus."""
        name = f"ray_{self.name}"
        if self.kind == "histogram":
            return (f"{name}_bucket", f"{name}_count", f"{name}_sum")
        return (f"{name}_total",) if self.kind == "counter" else (name,)


_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)

TRIALS = Metric("asha_nas_trials", "gauge", "Trials that were started")
JOBS = Metric("asha_nas_jobs", "gauge", "Jobs by state: running, done, diverged or failed", ("state",))
RESULTS = Metric("asha_nas_results", "gauge", "Jobs that gave a result, by rung", ("rung", "epochs"))
PROMOTIONS = Metric("asha_nas_promotions", "gauge", "Trials that went up from a rung", ("rung", "epochs"))
BEST = Metric("asha_nas_best", "gauge", "Best value so far of the metric that is optimised", ("metric",))
EPOCHS = Metric("asha_nas_epochs", "gauge", "Epochs trained, each once")
REUSED = Metric("asha_nas_reused", "gauge", "Results that were taken over from other studies")
SHARE = Metric("asha_nas_share", "gauge", "Jobs that it may run at a time, of a cluster that studies share")
FAILED_ATTEMPTS = Metric("asha_nas_failed_attempts", "gauge", "Attempts that failed and were repeated", ("failure",))
EPOCH_SECONDS = Metric("asha_nas_epoch_seconds", "histogram", "Seconds an epoch took", boundaries=_SECONDS)
JOB_OVERHEAD = Metric(
    "asha_nas_job_overhead_seconds", "histogram",
    "Seconds of a job, from asked for to told, that its reports do not account for", boundaries=_SECONDS,
)  # fmt: skip
CHECKPOINT_BYTES = Metric("asha_nas_checkpoint_bytes", "counter", "Bytes of checkpoints written by this driver's jobs")

METRICS = (
    TRIALS, JOBS, RESULTS, PROMOTIONS, BEST, EPOCHS, REUSED, SHARE, FAILED_ATTEMPTS, EPOCH_SECONDS, JOB_OVERHEAD,
    CHECKPOINT_BYTES,
)  # fmt: skip
