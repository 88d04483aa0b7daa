"""What a study would do: jobs, epochs, hours and disk, without running any of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from asha_nas import problems, scheduling, searching
from asha_nas.analysis.stored import stored_history, stored_spec
from asha_nas.checkpoints import FILES_PER_JOB, policy
from asha_nas.errors import StudyUnreadable, UserError
from asha_nas.samplers import Independent
from asha_nas.schedulers import Answer, Job, Outcome, Scheduler, survivors
from asha_nas.store import Store
from asha_nas.study import (
    Curves,
    Full,
    FullTraining,
    Halving,
    Lookup,
    Model,
    Objective,
    OneShot,
    PartialTraining,
    Promoting,
    StudySpec,
    Sweep,
    Tabulation,
    Tune,
)
from spaces.encodings import Hyperparameters
from trials.recipe import RECIPES

MOST_JOBS = 100_000
"""Where counting stops, if a study has to be played through to be counted."""

TYPICAL_SECONDS = {
    "digits": (0.7, "typical of one processor core"),
    # 700 architectures on the released ladder are about 2,850 epochs; the paper reports 9 GPU days for them.
    "cifar10": (273.0, "Li & Talwalkar's P100; a newer GPU is several times faster"),
}
"""Seconds an epoch of the data set's own recipe takes, where no earlier study tells; and of what."""


@dataclass(frozen=True, slots=True)
class RungPlan:
    """One rung of a plan."""

    rung: int
    stop: int
    """Epochs a trial has when it gets here."""
    jobs: int
    epochs: int
    """Epochs trained by these jobs, together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would run."""

    rungs: tuple[RungPlan, ...]
    jobs: int
    trials: int
    """Configurations that are started."""
    first: Mapping[str, Any] | None
    """The configuration that is tried first, where it is the space's default."""
    epochs: int
    full_epochs: int | None
    """Epochs if every trial were trained once, straight to R; ``None`` in a sweep, which leaves nothing out."""
    workers: int
    seconds_per_epoch: float | None
    """Of one worker; ``None`` when nothing is known about it."""
    seconds_source: str
    hours: float | None
    """On all workers together, without waiting."""
    disk_bytes: int | None
    """Checkpoints at the end; ``None`` where their size is not known."""
    peak_bytes: int | None
    """Checkpoints at the moment when there are most of them, about."""
    warnings: tuple[str, ...]


def make_plan(spec: StudySpec, store: Store, workers: int) -> Plan:
    """Plan a study without running any of it.

    Exact, as long as no job fails and neither epochs nor time end the study, for synchronous brackets, for those that
    train everything fully, and for ASHA's ``capped`` rule: the number of jobs at each rung then depends on nothing
    else. Otherwise it is one likely course, of one
    worker, with losses drawn at random.

    Args:
        spec: the study.
        store: where seconds per epoch of earlier studies are looked up.
        workers: jobs at a time.

    Raises:
        UserError: the study is bounded by time alone and nothing is known about the time an epoch takes.
    """
    missing = _check(spec)
    seconds, source, measured_bytes = _experience(spec, store)
    budget = _budget(spec, seconds, workers)
    counts = _count(spec, budget)
    rungs, trials = _rungs(spec, counts), sum(counts.begun)
    jobs, epochs = sum(counts.jobs), sum(rung.epochs for rung in rungs)
    per_file = measured_bytes or _checkpoint_bytes(spec)
    at_end, at_most = (0, 0) if per_file is None else _files(spec, rungs, budget, workers)
    return Plan(
        rungs=rungs, jobs=jobs, trials=trials, first=_first(spec), epochs=epochs,
        full_epochs=None if isinstance(spec.scheduler, Sweep) else trials * spec.scheduler.R, workers=workers,
        seconds_per_epoch=seconds, seconds_source=source,
        hours=None if seconds is None else epochs * seconds / max(1, min(workers, jobs)) / 3600,
        disk_bytes=None if per_file is None else at_end * per_file,
        peak_bytes=None if per_file is None else at_most * per_file,
        warnings=(*missing, *_warnings(spec, rungs, counts.cut, None if per_file is None else at_most * per_file)),
    )  # fmt: skip


def planned_epochs(spec: StudySpec) -> int | None:
    """Epochs that a study will train, for the time left; ``None`` where time or nothing but luck bounds it."""
    if spec.scheduler.max_hours is not None:
        return None
    counts = _count(spec, None)
    return None if counts.cut else sum(rung.epochs for rung in _rungs(spec, counts))


def _check(spec: StudySpec) -> list[str]:
    """Build everything: what is not installed, or makes no space, is told now. The table of a search may come later."""
    if isinstance(spec.problem, OneShot):
        try:
            searching.scorer(spec.problem)
        except UserError as error:
            return [f"it cannot run yet: {'; '.join(str(error).splitlines())}"]
    scheduling.sampler(spec, problems.build(spec))
    return []


def _first(spec: StudySpec) -> Mapping[str, Any] | None:
    """The default configuration, if it comes first."""
    if not (isinstance(spec.scheduler, Model) and spec.scheduler.default_first):
        return None
    if isinstance(spec.problem, Tune):  # its table need not be there yet
        return Hyperparameters(spec.problem.described()).default
    encoding = problems.build(spec).encoding
    return None if encoding is None else encoding.default


def _budget(spec: StudySpec, seconds: float | None, workers: int) -> float | None:
    """Epochs that fit into the time limit; ``None`` for no limit, or one that cannot be told."""
    options = spec.scheduler
    if options.max_hours is None:
        return None
    bounded = isinstance(options, Sweep | Halving) or options.configs is not None or options.max_epochs is not None
    if seconds is None and not bounded:
        raise UserError(
            f"max_hours = {options.max_hours}: cannot be planned; seconds an epoch takes are not known\n"
            "Give configs or max_epochs as well, or run one small study first."
        )
    return None if seconds is None else options.max_hours * 3600 * workers / seconds


@dataclass(frozen=True, slots=True)
class _Counts:
    """What a study runs."""

    jobs: list[int]
    """By rung."""
    begun: list[int]
    """Those of them that are the first of their trial."""
    cut: bool
    """Whether counting was cut off at ``MOST_JOBS``."""


def _count(spec: StudySpec, budget: float | None) -> _Counts:
    options = spec.scheduler
    unbounded = budget is None and not isinstance(options, Sweep | Halving) and options.max_epochs is None
    if isinstance(options, Full) and unbounded and options.configs:
        return _Counts([options.configs], [options.configs], cut=False)
    if isinstance(options, Promoting) and unbounded and options.configs and _one_bracket_capped(options):
        counts = list(survivors(options.configs, len(options.ladder), options.eta))
        return _Counts(counts, [options.configs] + [0] * (len(counts) - 1), cut=False)
    jobs, begun = ([0] * len(options.ladder) for _ in range(2))
    trials: set[int] = set()
    for _, job in _dry_run(spec, budget):
        jobs[job.rung] += 1
        begun[job.rung] += job.trial not in trials
        trials.add(job.trial)
    return _Counts(jobs, begun, cut=sum(jobs) == MOST_JOBS)


def _one_bracket_capped(options: Promoting) -> bool:
    """Whether the number of jobs at each rung follows from the number of configurations."""
    return options.first_rungs == 1 and options.promotion == "capped"


def _dry_run(spec: StudySpec, budget: float | None) -> Iterator[tuple[Scheduler, Job]]:
    """The first jobs that one worker would be given, each when it has ended; and what decided them."""
    core = scheduling.scheduler(spec, Independent(lambda _rng: {}, 0))
    rng = np.random.default_rng(spec.seed)
    spent = 0
    for _ in range(MOST_JOBS):
        if isinstance(job := core.ask(), Answer) or (budget is not None and spent >= budget):
            return
        spent += job.epochs
        core.tell(job, Outcome(float(rng.random())))
        yield core, job


def _rungs(spec: StudySpec, counts: _Counts) -> tuple[RungPlan, ...]:
    ladder = spec.scheduler.ladder
    # A promotion goes on from the rung below, unless each budget is a training from scratch, as all are in a sweep.
    scratch = isinstance(spec.scheduler, Sweep) or spec.problem.from_scratch
    before = (0,) * len(ladder) if scratch else (0, *ladder)
    return tuple(
        RungPlan(k, stop, jobs, jobs * stop - (jobs - begun) * start)
        for k, (start, stop, jobs, begun) in enumerate(zip(before, ladder, counts.jobs, counts.begun, strict=False))
    )


def _files(spec: StudySpec, rungs: tuple[RungPlan, ...], budget: float | None, workers: int) -> tuple[int, int]:
    """Checkpoints that are there at the end, and at most; of one that can go on the newest two are kept."""
    keeping = policy(spec)
    every = keeping.keep_every
    kept = [0 if every is None else rung.stop // every for rung in rungs]  # by each job, to the end of the study
    # What jobs in flight write; and the rests of those that have ended, until they are deleted.
    passing = FILES_PER_JOB * min(workers, sum(rung.jobs for rung in rungs))
    if keeping.lasting or not keeping.deletes:
        last = [0 if every is not None and rung.stop % every == 0 else 1 for rung in rungs]
        if keeping.from_scratch or isinstance(spec.scheduler, Full | Sweep):
            at_end = sum(rung.jobs * (k + n) for rung, k, n in zip(rungs, kept, last, strict=True))
        else:
            at_end = sum(rung.jobs for rung in rungs[:2])  # its newest, and the one its last job began with
        return at_end, at_end + passing
    forever = sum(rung.jobs * k for rung, k in zip(rungs, kept, strict=True))
    open_at_most = 0 if keeping.from_scratch else _open_at_most(spec, budget)
    return forever + 1, forever + 1 + open_at_most + passing


def _open_at_most(spec: StudySpec, budget: float | None) -> int:
    """Checkpoints, at most, of trials that wait for a job, in one likely course of one worker."""
    files: dict[int, int] = {}
    most = there = finished = 0
    for core, job in _dry_run(spec, budget):
        there += min(job.rung + 1, FILES_PER_JOB) - files.get(job.trial, 0)
        files[job.trial] = min(job.rung + 1, FILES_PER_JOB)
        over = core.finished()
        there -= sum(files.pop(trial, 0) for trial in over[finished:])
        finished = len(over)
        most = max(most, there)
    return most


def _experience(spec: StudySpec, store: Store) -> tuple[float | None, str, int | None]:
    """Seconds per epoch and bytes per checkpoint: measured in the newest like study, else typical."""
    if isinstance(spec.problem, Lookup | Curves):
        return None, "next to none: nothing is trained, all is looked up", None
    for record in reversed(store.studies()):
        try:
            other = stored_spec(record.name, record.spec)
            if _training(other) != _training(spec):
                continue
            history = stored_history(record, other, store)
        except StudyUnreadable:
            continue
        seconds = [s for job in history.jobs.values() for s in job.seconds.values() if s > 0]
        sizes = [job.checkpoint_bytes for job in history.jobs.values() if job.checkpoint_bytes]
        if seconds:
            size = round(statistics.fmean(sizes)) if sizes else None
            return statistics.fmean(seconds), f"measured in study {history.name!r}", size
    if isinstance(spec.problem, Objective):
        return None, "unknown: no study of this objective has run yet", None
    if isinstance(spec.problem, OneShot):
        return None, "unknown: no such search has run yet; run a short one first", None
    if isinstance(spec.problem, Tabulation) or _training(spec) != (spec.problem.data, RECIPES[spec.problem.data]):
        return None, "unknown: no study has trained by this recipe yet; run a small one first", None
    seconds_per_epoch, source = TYPICAL_SECONDS[spec.problem.data]
    return seconds_per_epoch, source, None


def _training(spec: StudySpec) -> tuple[object, ...]:
    """What the time of an epoch depends on."""
    problem = spec.problem
    if isinstance(problem, Tabulation):
        return problem.space, problem.data, problem.recipe, problem.together
    if isinstance(problem, OneShot):
        return problem.optimizer, problem.space, problem.data, problem.recipe, problem.table is None
    if isinstance(problem, Objective):
        return problem.objective, problem.space
    if isinstance(problem, Lookup | Curves):
        return (problem,)
    return problem.data, problem.recipe


def _checkpoint_bytes(spec: StudySpec) -> int | None:
    """Mean size of a checkpoint over a few sampled architectures: weights and momentum, 4 bytes each."""
    if not isinstance(spec.problem, PartialTraining | FullTraining):
        return None
    from spaces.darts_cell import parse_genotype  # noqa: PLC0415
    from trials.networks.size import checkpoint_bytes  # noqa: PLC0415 - imports PyTorch

    draw = problems.build(spec).draw
    configs = [draw(np.random.default_rng([spec.seed, trial])) for trial in range(5)]
    data, recipe = spec.problem.data, spec.problem.recipe
    return round(statistics.fmean(checkpoint_bytes(parse_genotype(c["genotype"]), data, recipe) for c in configs))


def _warnings(spec: StudySpec, rungs: tuple[RungPlan, ...], cut: bool, peak: int | None) -> Iterator[str]:
    if spec.quota is not None and peak is not None and peak > spec.quota:
        yield f"the quota of {spec.quota / 1e9:.3g} GB is less than checkpoints take, and will end the study before."
    if cut:
        yield f"counting stopped at {MOST_JOBS:,} jobs; the study is longer."
    if rungs[-1].jobs == 0 and not isinstance(spec.scheduler, Sweep):
        reached = max((rung.stop for rung in rungs if rung.jobs), default=0)
        hint = "" if getattr(spec.scheduler, "rungs", "") == "released" else ", or --rungs released"
        yield (
            f"no trial will be trained to R = {rungs[-1].stop}; the deepest rung reached is {reached} epochs. "
            f"Start more configurations{hint}."
        )
