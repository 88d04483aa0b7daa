"""A user's own function as a trial."""

from __future__ import annotations

import importlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from spaces.errors import InvalidValue
from trials.contract import Checkpoint, Diverged, Report, Task, closed_after

Function = Callable[[Task], Any]
"""Takes a task and returns, or yields once an epoch, a number, a mapping of metrics or a whole Report."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Runs ``function`` as a trial.

    A function that *returns* a value is called once a job and its value stands for epoch ``task.stop``.
    A function that *yields* is taken to yield once an epoch, from ``task.start + 1`` on; to go on after
    a stop it saves what it needs (:mod:`trials.checkpoint`) and yields :class:`Report` values that carry
    the checkpoint. A bare number is the metric itself. Numbers may be of any kind that ``float`` takes, as
    NumPy's and 0-dimensional tensors are; what goes on from here are plain values, which JSON can hold.
    """

    function: Function | str
    """The function, or ``"installed_module:function"``, imported where the trial runs."""
    metric: str
    """Name of the metric that is optimised."""
    seconds_per_epoch: float | None = None
    """What an epoch of a value that is no Report counts; None to measure the time it takes."""

    def __call__(self, task: Task) -> Iterator[Report]:
        """Run the function; stop as diverged at the first value of the metric that is not finite.

        Raises, while iterating:
            TypeError: it gave something that is no number, no mapping of numbers and no sound Report.
            KeyError: the metric is not among what it gave.
        """
        function = resolve_function(self.function) if isinstance(self.function, str) else self.function
        began = time.perf_counter()
        value = function(task)
        if not isinstance(value, Iterator):
            yield self._report(value, task.stop, self._took(time.perf_counter() - began, task.stop - task.start))
            return
        epoch = task.start
        with closed_after(value) as values:
            for item in values:
                now = time.perf_counter()
                report = self._report(item, epoch + 1, self._took(now - began, 1))
                epoch, began = report.epoch, now
                yield report

    def _took(self, measured: float, epochs: int) -> float:
        return measured if self.seconds_per_epoch is None else self.seconds_per_epoch * epochs

    def _report(self, value: Any, epoch: int, seconds: float) -> Report:
        """The report that ``value`` is, or stands for; epoch and seconds are for one that is none itself."""
        return self._checked(value if isinstance(value, Report) else Report(epoch, self._metrics(value), seconds))

    def _metrics(self, value: Any) -> dict[str, float]:
        metrics = dict(value) if isinstance(value, Mapping) else {self.metric: value}
        try:
            return {str(name): float(item) for name, item in metrics.items()}
        except (TypeError, ValueError, OverflowError):
            raise TypeError(
                f"the objective gave {value!r}; it must give a number, a mapping of numbers, or Reports"
            ) from None

    def _checked(self, report: Report) -> Report:
        """The same report in plain values."""
        epoch, metrics = _whole("epoch", report.epoch), self._metrics(report.metrics)
        if self.metric not in metrics:
            raise KeyError(f"the objective gave no {self.metric!r} at epoch {epoch}, only {[*metrics]}")
        if not math.isfinite(metrics[self.metric]):
            raise Diverged(f"{self.metric} = {metrics[self.metric]} at epoch {epoch}")
        return Report(epoch, metrics, _seconds(report.seconds), _checkpoint(report.checkpoint), _notes(report.notes))


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
        if number == value:
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"the objective gave a Report with {name} = {value!r}; it must be an integer")


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise TypeError(f"the objective gave a Report with seconds = {value!r}; it must be a number from 0 on")
    return seconds


def _checkpoint(value: Any) -> Checkpoint | None:
    if value is None:
        return None
    if not isinstance(value, Checkpoint):
        raise TypeError(f"the objective gave a Report with checkpoint = {value!r}; it must be a Checkpoint or None")
    epoch, size = _whole("checkpoint.epoch", value.epoch), _whole("checkpoint.size", value.size)
    return Checkpoint(str(value.name), epoch, str(value.sha256), size)


def _notes(notes: Any) -> dict[str, Any]:
    """A copy, as JSON would give it back."""
    if not isinstance(notes, Mapping):
        raise TypeError(f"the objective gave a Report with notes = {notes!r}; it must be a mapping")
    plain = {}
    for name, value in notes.items():
        try:
            plain[str(name)] = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(
                f"the objective gave a Report with a note {name!r} that JSON cannot hold: {error}"
            ) from None
    return plain


def resolve_function(name: str) -> Function:
    """The function that ``"module:function"`` names.

    Raises:
        InvalidValue: as :func:`resolve`, or it names something that cannot be called.
    """
    function = resolve(name)
    if not callable(function):
        rule = f"must name a function; it names {type(function).__name__} {function!r}"
        raise InvalidValue("name", name, rule, "Name a function that takes a task.")
    return cast("Function", function)


def resolve(name: str) -> Any:
    """What ``"module:attribute"`` names.

    Raises:
        InvalidValue: the text has another form, names nothing that is installed, or its module raises when imported.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute) or module.startswith("."):
        raise InvalidValue("name", name, "must be 'installed_module:attribute'")
    install = "Install the package that holds it in this environment."
    try:
        value: Any = importlib.import_module(module)
    except ImportError as error:
        raise InvalidValue("name", name, str(error), install) from None
    except (Exception, SystemExit) as error:  # a script that ends with sys.exit() is no module either
        text = f"{type(error).__name__}: {error}".removesuffix(": ").partition("\n")[0]
        remedy = f"Mend it until `python -c 'import {module}'` works."
        raise InvalidValue("name", name, f"importing {module} raised {text}", remedy) from error
    try:
        for part in attribute.split("."):
            value = getattr(value, part)
    except AttributeError as error:
        raise InvalidValue("name", name, str(error), install) from None
    return value
