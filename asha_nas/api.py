"""Studies from Python: make one, run it, resume it, read it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import platformdirs
from ConfigSpace import ConfigurationSpace

from asha_nas import logs, owners, problems, runner, scheduling, simulation
from asha_nas.analysis import History, JobRecord, frames, search
from asha_nas.analysis.stored import stored_history, stored_spec
from asha_nas.claimant import Claimant
from asha_nas.engines import Engine, InlineEngine
from asha_nas.errors import InvalidValue, SpecError, StudyExists
from asha_nas.experience import Experience
from asha_nas.provenance import provenance
from asha_nas.reuse import nothing
from asha_nas.sharing import Sharing
from asha_nas.store import Listener, Store, StudyRecord
from asha_nas.store.events import to_json
from asha_nas.study import AnyScheduler, Retries, Simulation, StudySpec, Workers, make_spec
from asha_nas.telemetry import Meter, Telemetry
from cluster import metrics
from spaces import hyperparameters
from trials.contract import Task

CALLABLE = "(a function given from Python)"
"""Stands in a stored spec for an objective that cannot be imported by name."""


class Study:
    """A study in a store: run it, resume it, read it.

    Made by :func:`create` and :func:`load`.
    """

    def __init__(
        self, store: Store, record: StudyRecord, function: Callable[[Task], Any] | None = None, asked: str = ""
    ) -> None:
        self.store = store
        self._record = record
        self._function = function
        self._asked = asked  # by what name
        self.spec = stored_spec(store.called(record), record.spec)

    @property
    def name(self) -> str:
        """What the store's user calls it: its name, or ``owner/name`` where it is another's."""
        return self.store.called(self._record)

    @property
    def owner(self) -> str:
        """Whose it is; empty for one of a version that knew no owners."""
        return self._record.owner

    @property
    def provenance(self) -> str:
        """JSON of the package versions and the source hash it was created with."""
        return self._record.provenance

    @property
    def folder(self) -> str:
        """Path or URL below which its checkpoints lie."""
        # With the time of its making: another store may hold a study of the same name.
        root = self.spec.checkpoints or default_checkpoints()
        return f"{root}/{self._record.key}-{round(1e6 * self._record.created):x}"

    def run(
        self,
        listeners: Iterable[Listener] = (),
        *,
        engine: Engine | None = None,
        announce: Callable[[str], None] = lambda _url: None,
        max_hours: float | None = None,
        priority: int | None = None,
        quota: int | None = None,
        processes: int | None = None,
    ) -> str:
        """Run it to its end; a study begun before goes on where it was.

        Args:
            listeners: called with each event after it is in the log.
            engine: instead of the one its spec describes.
            announce: called with the URL of Ray's dashboard, if there is one.
            max_hours: time limit over all sessions, instead of the spec's; of a simulated study in virtual hours.
            priority: weight among the studies that share a cluster, 1 or more, instead of the spec's.
            quota: bytes that checkpoints may take together, instead of the spec's.
            processes: that repeats of a simulated study are played in; by default one for each processor.

        Returns:
            ``done``, ``time`` (its time limit is reached), ``interrupted`` (Ctrl-C), ``full`` (no room for the
            checkpoints of another job) or ``failing`` (a sweep lost job after job).

        Raises:
            StudyLocked: another driver is running it.
            StudyOfOthers: it is another's, and was not loaded as ``owner/name``.
            SpecError: its objective was given from Python and is not given now.
        """
        owners.check_writing(self._record.key, self._asked, self.store.owner)
        objective = getattr(self.spec.problem, "objective", None)
        if objective == CALLABLE and self._function is None:
            raise SpecError(
                f"study {self.name!r} runs a function that was given from Python\n"
                f"Go on with it from Python: asha_nas.load({self.name!r}, objective=function).run()"
            )
        problem = problems.build(self.spec, self._function)
        listening = [*listeners]
        if logs.is_on():
            problem = dataclasses.replace(problem, trial=logs.LoggedTrial(problem.trial, self._record.name, self.owner))
            listening.append(logs.listener(self._record.name, self.owner))
        run = functools.partial(
            runner.run, self._record, self.spec, problem, self.store,
            folder=self.folder, listeners=listening, max_hours=max_hours, quota=quota,
            past=Experience(self.store, self._record, self.spec) if self.spec.reuse else nothing,
        )  # fmt: skip
        if engine is not None or not isinstance(self.spec.engine, Simulation):
            with self._watched(engine is None and self.spec.engine.kind == "ray") as (watchers, meter):
                if engine is None:
                    sharing = self.sharing(priority, lambda jobs: meter(metrics.SHARE, jobs, {}))
                    engine = make_engine(self.spec.engine, announce, sharing)
                return run(engine, listeners=[*listening, *watchers])
        if max_hours is not None and self.spec.engine.repeats > 1:
            rule = "cannot be changed: its repeats were played with another limit, or without one"
            raise InvalidValue("max_hours", max_hours, rule, "Simulate the study anew, with max_hours in its file.")
        history = self.history()
        cluster = simulation.engine(self.spec, began=history.last_time)
        # A function from Python cannot be sent to other processes by its name.
        processes = 1 if self._function is not None else processes
        repeater = simulation.repeater(self.spec, problem, history.repeats, processes)
        return run(cluster, clock=cluster.now, afterwards=repeater)

    def sharing(self, priority: int | None = None, told: Callable[[int], None] = lambda _jobs: None) -> Sharing:
        """How an engine of one's own divides a cluster with the other studies of the store.

        Args:
            priority: weight among them, 1 or more, instead of the spec's.
            told: called every few seconds, from another thread, with how many jobs it may run at a time.
        """
        weight = getattr(self.spec.engine, "priority", 1) if priority is None else priority
        return lambda cluster: Claimant(self.store, self._record, weight, cluster, told)

    @contextmanager
    def _watched(self, on_ray: bool) -> Iterator[tuple[list[Listener], Meter]]:
        """What feeds Prometheus, through Ray."""
        if not on_ray:
            yield [], lambda _metric, _value, _tags: None
            return
        from cluster.meter import RayMeter  # noqa: PLC0415 - importing Ray takes seconds

        with RayMeter(self._record.name, self.owner) as meter:
            telemetry = Telemetry(self.spec, meter)
            telemetry.replay(self.store.rows(self._record))
            yield [telemetry.take], meter

    def history(self) -> History:
        """Its log, folded."""
        return stored_history(self._record, self.spec, self.store)

    def is_running(self) -> bool:
        """True while a driver holds its lease and gives signs of life."""
        return self.store.is_leased(self._record)

    @property
    def best(self) -> JobRecord:
        """The job with the lowest loss; NoResult if nothing has finished."""
        return self.history().best

    @property
    def best_config(self) -> Mapping[str, Any]:
        """The configuration of the best job."""
        history = self.history()
        return history.trial(history.best.trial).config

    def trials(self) -> pd.DataFrame:
        """One row a trial; see :func:`asha_nas.analysis.frames.trials`."""
        return frames.trials(self.history())

    def jobs(self) -> pd.DataFrame:
        """One row a job."""
        return frames.jobs(self.history())

    def reports(self) -> pd.DataFrame:
        """One row a reported epoch."""
        return frames.reports(self.history())

    def searches(self) -> pd.DataFrame:
        """One row a one-shot search; see :func:`asha_nas.analysis.search.searches`."""
        return search.searches(self.history())

    def incumbents(self) -> pd.DataFrame:
        """The best result so far, each time it changed."""
        return frames.incumbents(self.history())


def create(spec: StudySpec, *, store: Store | None = None, objective: Callable[[Task], Any] | None = None) -> Study:
    """Add a study to a store, ready to run.

    Args:
        spec: what it is; see :func:`objective_study` for one around a function of your own.
        store: where it is kept; the default store if not given.
        objective: the function, if the spec's problem is one that cannot be imported by name.

    Raises:
        StudyExists: the name is taken.
        InvalidValue: its function or space is not installed, or its sampler cannot work in the space; nothing is
            stored then.
        UserError: the table of a search cannot score every cell of its space; nothing is stored then.
    """
    scheduling.sampler(spec, problems.build(spec, objective))
    store = store or Store()
    return Study(store, store.create(spec.name, spec.model_dump_json(), to_json(provenance())), objective)


def objective_study(
    name: str,
    objective: Callable[[Task], Any],
    space: ConfigurationSpace | Mapping[str, Any],
    scheduler: AnyScheduler,
    *,
    metric: str = "loss",
    mode: str = "min",
    from_scratch: bool = False,
    seed: int = 0,
    engine: Workers | Simulation | None = None,
    retries: Retries | None = None,
    checkpoints: str | None = None,
    keep: Literal["needed", "all"] = "needed",
    quota: int | str | None = None,
    store: Store | None = None,
) -> Study:
    """A study that optimises a function of your own.

    Args:
        name: of the study.
        objective: takes a :class:`trials.contract.Task` (``config``, ``start``, ``stop``, ``seed``, ``folder``,
            ``checkpoints``) and returns the metric at epoch ``stop``, or yields it once an epoch.
        space: a ConfigSpace, or its short form, e.g. ``{"lr": {"range": [1e-4, 0.1], "log": True}}``.
        scheduler: such as :class:`Asha`, :class:`Bohb` or :class:`Random`; all but :class:`Sweep`.
        metric: name of the value that is compared.
        mode: ``min`` or ``max``.
        from_scratch: whether a job of a higher rung begins at epoch 0 again, as where a schedule spans the budget.
        seed: of the study.
        engine: where it runs; a local Ray by default. With a :class:`Simulation` the seconds of the function's reports
            are what the clock goes by.
        retries: how often failed attempts are repeated.
        checkpoints: folder or URL below which trials keep their state.
        keep: whether checkpoints that reports named are deleted when their trial cannot go on any more.
        quota: bytes that these may take together, or text such as ``20GB``.
        store: where it is kept; the default store if not given.

    Raises:
        SpecError: a value breaks a rule.
        StudyExists: the name is taken.
    """
    plain = hyperparameters.to_plain(space) if isinstance(space, ConfigurationSpace) else dict(space)
    spec = make_spec(
        {
            "name": name, "seed": seed, "scheduler": scheduler.model_dump(), "checkpoints": checkpoints,
            "keep": keep, "quota": quota,
            "problem": {
                "kind": "objective", "objective": CALLABLE, "space": plain, "metric": metric, "mode": mode,
                "from_scratch": from_scratch,
            },
            "engine": (engine or Workers()).model_dump(), "retries": (retries or Retries()).model_dump(),
        }
    )  # fmt: skip
    try:
        return create(spec, store=store, objective=objective)
    except StudyExists:
        raise StudyExists(
            f"a study named {name!r} exists already\n"
            f"Go on with it: asha_nas.load({name!r}, objective=function).run(). Or choose another name."
        ) from None


def load(name: str, *, store: Store | None = None, objective: Callable[[Task], Any] | None = None) -> Study:
    """A study of the store, to read it or to go on with it.

    Args:
        name: ``owner/name``, or ``name`` for one's own, one without an owner, or, only to read it, that of the one
            other person who has one.
        store: where it is kept; the default store if not given.
        objective: the function, if the study runs one that was given from Python.

    Raises:
        StudyNotFound: there is none of that name.
        StudyAmbiguous: several others have one of that name.
    """
    store = store or Store()
    return Study(store, store.study(name), objective, name)


def make_engine(
    options: Workers | Simulation,
    announce: Callable[[str], None] = lambda _url: None,
    sharing: Sharing | None = None,
) -> Engine:
    """The engine that a spec describes; for a simulation see :func:`asha_nas.simulation.engine`."""
    assert isinstance(options, Workers)
    if options.kind == "inline":
        return InlineEngine()
    from asha_nas.engines.ray_tune import RayTuneEngine  # noqa: PLC0415 - importing Ray takes seconds

    return RayTuneEngine(
        options.workers, options.cpus_per_trial, options.gpus_per_trial, options.address, options.dashboard,
        announce, sharing, options.silence_minutes,
    )  # fmt: skip


def default_checkpoints() -> str:
    """The user's data folder for checkpoints."""
    return str(Path(platformdirs.user_data_dir("asha-nas")) / "checkpoints")
