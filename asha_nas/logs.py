"""Logs as JSON lines that name study, trial and job, from the driver and from its workers.

The driver writes them to a file. A worker writes those of its trials to its standard error, which Ray keeps, for each
worker, among the logs that its dashboard shows. Either way a line is one JSON object with ``time``, ``level``,
``logger``, ``message``, whichever of ``owner``, ``study``, ``trial`` and ``job`` are known, and ``traceback`` if there
is one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from asha_nas.store import Asked, Closed, Event, Failed, Listener, Opened, Reported, Row, Told
from spaces.errors import UserError
from trials.contract import Failure, Report, Task, Trial, closed_after

OURS = ("asha_nas", "trials", "spaces", "cluster")
"""Loggers that are written."""

_ids: ContextVar[Mapping[str, str | int]] = ContextVar("ids", default={})  # noqa: B039 - never changed in place
_log = logging.getLogger(__name__)


@contextmanager
def bound(**ids: str | int | None) -> Iterator[None]:
    """Have what is logged inside the block name these, beside what was bound before; ``None`` is left out."""
    known = {name: value for name, value in ids.items() if value is not None}
    token = _ids.set({**_ids.get(), **known})
    try:
        yield
    finally:
        _ids.reset(token)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as such a line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, **_ids.get(), "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def is_on() -> bool:
    """Whether this process writes logs."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger(OURS[0]).handlers)


def write_to(stream: TextIO) -> logging.Handler:
    """Write what our packages log, from level INFO on, to a stream. Returns the handler, for :func:`stop`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    return handler


def write_to_file(path: Path) -> logging.Handler:
    """Write what our packages log to the end of a file.

    Raises:
        UserError: it cannot be written.
    """
    try:
        return write_to(path.open("a", encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"log {path}: cannot be written ({error.strerror or error})\nName another file with --log-file."
        ) from None


def stop(handler: logging.Handler) -> None:
    """Write no longer."""
    for name in OURS:
        logging.getLogger(name).removeHandler(handler)


def listener(study: str, owner: str = "") -> Listener:
    """Logs what a driver decides and learns; knows which trial a job is of."""
    whose = owner or None
    trials: dict[int, int] = {}

    def take(event: Event) -> None:
        if isinstance(event, Asked):
            trials[event.job] = event.trial
        job = getattr(event, "job", None)
        with bound(owner=whose, study=study, trial=trials.get(job) if job is not None else None, job=job):
            _log.log(*described(event))
        if isinstance(event, Told):
            trials.pop(event.job, None)

    return take


class LogLines:
    """A study's log for people: a line for each of its events, from the first one on."""

    def __init__(self) -> None:
        self.newest = -1
        """Sequence number of the event that was told last."""
        self._trials: dict[int, int] = {}

    def line(self, row: Row) -> str:
        """The next event in a line, without its end."""
        event, when = row.event, datetime.fromtimestamp(row.time).astimezone().isoformat(" ", "seconds")
        if isinstance(event, Asked):
            self._trials[event.job] = event.trial
        level, message = described(event)
        job: int | None = getattr(event, "job", None)
        who = "" if job is None else f"trial {self._trials[job]}, job {job}: "
        self.newest = row.sequence
        return f"{when}  {'warning: ' if level > logging.INFO else ''}{who}{message}"


def described(event: Event) -> tuple[int, str]:
    """Level and message of an event."""
    level, message = logging.INFO, event.kind
    match event:
        case Opened():
            message = f"session {event.session} opened"
        case Asked():
            message = f"job for rung {event.rung}: epochs {event.start} to {event.stop}"
        case Reported():
            message = f"epoch {event.epoch}: " + ", ".join(f"{name} {x:.6g}" for name, x in event.metrics.items())
        case Failed():
            level, message = logging.WARNING, f"attempt {event.attempt} failed, to be repeated: {_of(event.failure)}"
        case Told() if event.failure is not None:
            level, message = logging.WARNING, f"ended without a result: {_of(event.failure)}"
        case Told():
            message = f"ended with loss {event.loss:.6g}"
        case Closed():
            message = f"session {event.session} closed: {event.reason}"
    return level, message


def _of(failure: Failure) -> str:
    return f"{failure.kind}: {failure.reason}"


@dataclass(frozen=True, slots=True)
class LoggedTrial:
    """A trial whose process names study, trial and job in what it logs, and logs why an attempt failed, with where."""

    trial: Trial
    study: str
    owner: str = ""

    def __call__(self, task: Task) -> Iterator[Report]:
        """Run it."""
        if not is_on():  # a worker
            write_to(sys.stderr)
        ids: dict[str, str | int | None] = {
            "owner": self.owner or None,
            "study": self.study,
            "trial": task.trial,
            "job": task.job,
        }
        with closed_after(self._begun(task, ids)) as reports:
            while (report := self._next(reports, ids)) is not None:
                yield report

    def _begun(self, task: Task, ids: Mapping[str, str | int | None]) -> Iterator[Report]:
        with bound(**ids):
            _log.info("job begins: epochs %d to %d", task.start, task.stop)
        return self.trial(task)

    def _next(self, reports: Iterator[Report], ids: Mapping[str, str | int | None]) -> Report | None:
        with bound(**ids):  # around each step alone: between them the worker may do other work
            try:
                return next(reports, None)
            except Exception:
                _log.exception("attempt failed")
                raise
