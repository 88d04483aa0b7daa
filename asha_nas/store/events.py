"""The rows of a study's log, as values.

A study *is* its log. Each event is one row, written in one transaction, and named by a key that is
unique in its study, so that writing it twice does no harm. An event's *payload* is a function of
the decisions and results alone; what depends on the wall clock or on the machine is kept apart in
its *clock*, so that the logs of two runs can be compared digit for digit.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trials.contract import Checkpoint, Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have. ``clock`` holds what may differ between two equal runs."""

    kind: ClassVar[str]
    named_by: ClassVar[tuple[str, ...]]
    """Fields that, with the kind, name an event in its study."""
    clock: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the event in its study, e.g. ``reported/17/4``."""
        return "/".join([self.kind, *(str(getattr(self, name)) for name in self.named_by)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """A driver began to run the study. Clock: host, pid, versions, source (hash of our code)."""

    kind: ClassVar[str] = "opened"
    named_by: ClassVar[tuple[str, ...]] = ("session",)
    session: int
    """0 for the first driver, 1 for the first resume, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """The scheduler handed out a job."""

    kind: ClassVar[str] = "asked"
    named_by: ClassVar[tuple[str, ...]] = ("job",)
    job: int
    trial: int
    rung: int
    start: int
    stop: int
    config: Mapping[str, Any] | None = None
    """The trial's configuration, given with its first job only."""
    identity: str | None = None
    """Canonical identity of the architecture, given with the first job where the space has one."""
    bracket: int = 0
    """Bracket of the trial, in schedulers that have several."""
    origin: str = ""
    """Where the configuration comes from (``random``, ``model``, …), given with the trial's first job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Event):
    """A trial finished an epoch. Clock: seconds (of this epoch)."""

    kind: ClassVar[str] = "reported"
    named_by: ClassVar[tuple[str, ...]] = ("job", "epoch")
    job: int
    epoch: int
    metrics: Mapping[str, float]
    checkpoint: Checkpoint | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """An attempt at a job failed and is to be repeated. The failure that ends a job is in its Told."""

    kind: ClassVar[str] = "failed"
    named_by: ClassVar[tuple[str, ...]] = ("job", "attempt")
    job: int
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    """The scheduler was told how a job ended."""

    kind: ClassVar[str] = "told"
    named_by: ClassVar[tuple[str, ...]] = ("job",)
    job: int
    loss: float | None
    """The metric, sign turned so that less is better; ``None`` with a failure."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Event):
    """A driver stopped in good order. Clock: shortage (in words), if there was no room for checkpoints."""

    kind: ClassVar[str] = "closed"
    named_by: ClassVar[tuple[str, ...]] = ("session",)
    session: int
    reason: str
    """``done`` (nothing left to do), ``time`` (time limit), ``interrupted`` (by a person), ``full`` (no room for the
    checkpoints of another job) or ``failing`` (a sweep lost job after job)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated(Event):
    """A whole repeat of a simulated study ended; of its jobs nothing is kept but how its best result came about."""

    kind: ClassVar[str] = "repeated"
    named_by: ClassVar[tuple[str, ...]] = ("repeat",)
    repeat: int
    """0, 1, 2, …"""
    seed: int
    """Everything random in the repeat followed from it."""
    trajectory: Mapping[str, Any]
    """:meth:`asha_nas.analysis.trajectory.Trajectory.to_plain` of its incumbents."""


Listener = Callable[[Event], None]
"""Called with every event after it is in the log, from the driver's thread."""

KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in (Opened, Asked, Reported, Failed, Told, Closed, Repeated)}


def payload(event: Event) -> str:
    """The event's canonical JSON: sorted keys, fields at their defaults left out, NaN as null."""
    fields = {
        f.name: value
        for f in dataclasses.fields(event)
        if f.name != "clock" and (value := getattr(event, f.name)) != _default(f)
    }
    return to_json(fields)


def to_json(value: Any) -> str:
    """Canonical JSON of plain values and of our dataclasses; non-finite numbers become null."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse(kind: str, payload: str, clock: str) -> Event:
    """The event that ``payload`` and ``clock`` were made from.

    Raises:
        ValueError: they are no event's that this version knows; says what is wrong.
    """
    if kind not in KINDS:
        raise ValueError(f"of unknown kind {kind!r}")
    try:
        return _parsed(KINDS[kind], json.loads(payload), json.loads(clock))
    except json.JSONDecodeError as error:
        raise ValueError(f"{kind}: no whole JSON: {error}") from None
    except (TypeError, AttributeError) as error:  # fields that are missing, unknown or of another form
        raise ValueError(f"{kind}: {error}") from None


def _parsed(kind: type[Event], fields: dict[str, Any], clock: Any) -> Event:
    if "metrics" in fields:
        fields["metrics"] = {k: math.nan if v is None else v for k, v in fields["metrics"].items()}
    if "checkpoint" in fields:
        fields["checkpoint"] = Checkpoint(**fields["checkpoint"])
    if "failure" in fields:
        fields["failure"] = Failure(**fields["failure"])
    return kind(**fields, clock=clock)


def _default(field: dataclasses.Field[Any]) -> Any:
    return {} if field.default_factory is dict else field.default


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value
