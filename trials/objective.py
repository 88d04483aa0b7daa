"""A user's own function as a trial."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spaces.errors import InvalidValue
from trials.contract import Diverged, Report, Task

Function = Callable[[Task], Any]
"""Takes a task and returns, or yields once an epoch, a number or a mapping of metrics, or yields whole Reports."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Runs ``function`` as a trial.

    A function that *returns* a value is called once a job and its value stands for epoch ``task.stop``.
    A function that *yields* is taken to yield once an epoch, from ``task.start + 1`` on; to go on after
    a stop it saves what it needs (:mod:`trials.checkpoint`) and yields :class:`Report` values that carry
    the checkpoint. A bare number is the metric itself.
    """

    function: Function | str
    """The function, or ``"installed_module:function"``, imported where the trial runs."""
    metric: str
    """Name of the metric that is optimised."""

    def __call__(self, task: Task) -> Iterator[Report]:
        """Run the function; stop as diverged at the first value of the metric that is not finite."""
        function = resolve(self.function) if isinstance(self.function, str) else self.function
        began = time.perf_counter()
        value = function(task)
        values = value if isinstance(value, Iterator) else None
        if values is None:
            yield self._checked(Report(task.stop, self._metrics(value), time.perf_counter() - began))
            return
        epoch = task.start
        for item in values:
            epoch = item.epoch if isinstance(item, Report) else epoch + 1
            now = time.perf_counter()
            report = item if isinstance(item, Report) else Report(epoch, self._metrics(item), now - began)
            began = now
            yield self._checked(report)

    def _metrics(self, value: Any) -> dict[str, float]:
        metrics = dict(value) if isinstance(value, Mapping) else {self.metric: value}
        try:
            return {str(name): float(item) for name, item in metrics.items()}
        except (TypeError, ValueError):
            raise TypeError(
                f"the objective gave {value!r}; it must give a number, a mapping of numbers, or Reports"
            ) from None

    def _checked(self, report: Report) -> Report:
        if self.metric not in report.metrics:
            raise KeyError(f"the objective gave no {self.metric!r} at epoch {report.epoch}, only {[*report.metrics]}")
        if not math.isfinite(report.metrics[self.metric]):
            raise Diverged(f"{self.metric} = {report.metrics[self.metric]} at epoch {report.epoch}")
        return report


def resolve(name: str) -> Any:
    """What ``"module:attribute"`` names.

    Raises:
        InvalidValue: the text has another form, or names nothing that is installed.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise InvalidValue("name", name, "must be 'installed_module:attribute'")
    try:
        value: Any = importlib.import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise InvalidValue("name", name, str(error), "Install the package that holds it in this environment.") from None
    return value
