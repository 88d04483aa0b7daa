"""What a trial is told, what it reports, and how it may fail.

A *trial* here is any callable that takes a :class:`Task` and yields a :class:`Report` after each
epoch it trains. It knows nothing of schedulers, engines or stores: it can be run by hand, in a
test, with nothing but this module.

Guarantees a trial gives:

- It yields reports with strictly increasing epochs, each ``>= 1`` and ``<= task.stop``, and the last one
  is ``task.stop``, unless a checkpoint at ``task.stop`` was given (then there is nothing left to do).
  Epochs up to ``task.start`` may be among them, where a lost checkpoint made it train them again.
- Its results depend on ``config`` and ``seed`` alone, never on how its epochs were cut into jobs.
- A report that carries a checkpoint is yielded after that checkpoint is safely on disk.

:func:`run` holds every trial to the first of these. The report of ``task.stop`` ends the trial: it is
closed there, as a generator is, so of what follows that ``yield`` only ``finally`` and ``with`` still run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file from which a trial can go on. Written atomically; checked against its digest on reading."""

    name: str
    """File name inside the trial's folder, e.g. ``epoch-00016.ckpt``."""
    epoch: int
    """Epochs trained when it was written, >= 1."""
    sha256: str
    """Digest of the file's bytes, 64 hexadecimal digits."""
    size: int
    """Bytes, > 0."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: bring trial ``trial`` from epoch ``start`` to epoch ``stop``."""

    trial: int
    """Number of the trial in its study, from 0."""
    config: Mapping[str, Any]
    """What distinguishes this trial; plain JSON values."""
    start: int
    """Epochs the trial had at the end of its previous job, >= 0."""
    stop: int
    """Epochs to reach, > start."""
    seed: int
    """Seed of everything random in this trial, 0 <= seed < 2**63; the same in each of its jobs."""
    folder: str
    """Path or fsspec URL of the trial's own folder for checkpoints; it need not exist yet."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """Known checkpoints of this trial, newest first. The first undamaged one is where to go on."""
    job: int | None = None
    """Number of the job in its study, for what is logged; results must not depend on it."""
    stop_sign: str = ""
    """Path or URL of a file that appears when the study is told to stop: whoever does not save at every epoch saves at
    the end of the present one then (:func:`trials.storage.exists`). Empty where it will not appear."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial knows after an epoch."""

    epoch: int
    """Epochs trained so far, 1 .. task.stop."""
    metrics: Mapping[str, float]
    """Measured values by name. Not-a-number where a value could not be measured."""
    seconds: float = 0.0
    """Wall-clock seconds spent on training and validation since the report before."""
    checkpoint: Checkpoint | None = None
    """Present when the state after this epoch was saved."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Facts beside the metrics (e.g. ``{"damaged_checkpoint": "epoch-00004.ckpt"}``); plain JSON values."""
    clock: Mapping[str, Any] = field(default_factory=dict)
    """Further measured times, which may differ between two equal runs; plain JSON values."""


Trial = Callable[[Task], Iterator[Report]]
"""Runs one task, lazily: each ``next`` trains up to the next report."""


class TrialFailure(Exception):
    """A trial cannot go on, for a reason of its own. ``kind`` is what retry policies speak of."""

    kind: ClassVar[str] = "crashed"


class Diverged(TrialFailure):
    """The loss is not finite. Training is deterministic, so trying again would not help."""

    kind = "diverged"


class OutOfMemory(TrialFailure):
    """The device or the machine had too little memory."""

    kind = "out_of_memory"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended without a result."""

    kind: str
    """``diverged``, ``out_of_memory``, ``crashed`` (the trial raised) or ``worker_lost`` (its process is gone)."""
    reason: str
    """One or two lines for people."""


def classify(error: BaseException) -> Failure:
    """Name what happened. Recognises PyTorch's out-of-memory errors without importing PyTorch."""
    name = type(error).__name__
    try:
        text = f"{name}: {error}".removesuffix(": ")
    except Exception:
        text = name
    if isinstance(error, TrialFailure):
        return Failure(error.kind, str(error) or type(error).__name__)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return Failure("out_of_memory", text)
    return Failure("crashed", text)


def run(trial: Trial, task: Task) -> Iterator[Report]:
    """Start ``trial`` lazily, so that whatever it raises is raised by ``next``; end it after its report of ``stop``.

    Raises, while iterating:
        TypeError: it yields something else than reports.
        ValueError: an epoch is not an integer in 1 .. ``task.stop``, or not above the one before.
    """
    before = 0
    with closed_after(trial(task)) as reports:
        for report in reports:
            _check(report, before, task.stop)
            yield report
            if report.epoch == task.stop:
                return
            before = report.epoch


@contextmanager
def closed_after(values: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """An iterator over ``values`` that is closed at the end, if it is one that can be (a generator)."""
    iterator = iter(values)
    try:
        yield iterator
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _check(report: object, before: int, stop: int) -> None:
    if not isinstance(report, Report):
        raise TypeError(f"a trial must yield Reports, not {report!r}")
    epoch: object = report.epoch
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
        raise ValueError(f"a trial reported epoch {epoch!r}; epochs are integers from 1 on")
    if epoch > stop:
        raise ValueError(f"a trial reported epoch {epoch}; it was to stop at epoch {stop}")
    if epoch <= before:
        raise ValueError(f"a trial reported epoch {epoch} after epoch {before}; epochs must increase")


def step(reports: Iterator[Report]) -> Report | Failure | None:
    """The trial's next report, its failure, or ``None`` at its end. Never raises what the trial raises."""
    try:
        return next(reports, None)
    except (Exception, SystemExit) as error:
        return classify(error)
