"""Ray's instruments for the metrics of a study."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

import ray
from ray.util import metrics

from cluster.metrics import TAGS, Metric

REFRESH_SECONDS = 4.0
"""How often gauges are set again. Ray exports every ten seconds, once, what was set meanwhile, and drops after twenty
what was not: a gauge that keeps its value for the length of an epoch would be gone."""


class RayMeter:
    """Passes values on to Ray, which exports them on the node of the driver, until the ``with`` block ends.

    A study begins before it is connected to Ray. Until then gauges keep their newest values, and what
    would be counted or measured is not: no job runs yet.
    """

    def __init__(self, study: str, owner: str = "") -> None:
        self._tags = {"study": study, "owner": owner}
        self._gauges: dict[tuple[Metric, tuple[tuple[str, str], ...]], float] = {}
        self._lock = threading.Lock()  # of the gauges
        self._over = threading.Event()
        self._refreshing = threading.Thread(target=self._refresh, name="asha-nas-metrics", daemon=True)

    def __enter__(self) -> RayMeter:
        """Begin."""
        self._refreshing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; Ray forgets the gauges within twenty seconds."""
        self._over.set()
        self._refreshing.join()

    def __call__(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        """Set a gauge to ``value``, add it to a counter or let a histogram observe it."""
        if metric.kind == "gauge":
            with self._lock:
                self._gauges[metric, tuple(tags.items())] = value
        elif ray.is_initialized():
            self._record(metric, value, tags)

    def _refresh(self) -> None:
        while not self._over.wait(REFRESH_SECONDS):
            if ray.is_initialized():
                with self._lock:
                    gauges = list(self._gauges.items())
                for (metric, tags), value in gauges:
                    self._record(metric, value, dict(tags))

    def _record(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        _instrument(metric)(value, {**self._tags, **tags})


@functools.cache  # for all studies of this process: Ray forgets the values of an instrument that is let go
def _instrument(metric: Metric) -> Callable[[float, dict[str, str]], None]:
    keys = (*TAGS, *metric.tags)
    if metric.kind == "gauge":
        return metrics.Gauge(metric.name, metric.description, tag_keys=keys).set
    if metric.kind == "counter":
        return metrics.Counter(metric.name, metric.description, tag_keys=keys).inc
    return metrics.Histogram(metric.name, metric.description, list(metric.boundaries), tag_keys=keys).observe
