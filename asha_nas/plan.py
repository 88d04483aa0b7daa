"""What a study would do, found by letting its scheduler run dry: jobs, epochs, hours, disk."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asha_nas import problems
from asha_nas.analysis import History
from asha_nas.errors import UserError
from asha_nas.schedulers import Answer, Job, Outcome
from asha_nas.store import Store
from asha_nas.study import FullTraining, Objective, PartialTraining, StudySpec

CHECKPOINTS_KEPT = 2
"""Files a trial keeps at the end of a job: its newest state, and the one before as a fallback."""

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
    epochs: int
    full_epochs: int
    """Epochs if every trial were trained to R."""
    workers: int
    seconds_per_epoch: float | None
    """Of one worker; ``None`` when nothing is known about it."""
    seconds_source: str
    hours: float | None
    """On all workers together, without waiting."""
    disk_bytes: int | None
    """Checkpoints at the end; ``None`` for a function of the user's own."""
    warnings: tuple[str, ...]


def make_plan(spec: StudySpec, store: Store, workers: int) -> Plan:
    """Plan a study without running any of it.

    Losses are drawn at random: with the ``capped`` rule the number of jobs at each rung does not depend
    on them, so the plan is exact as long as no job fails; with ``eager`` it is one likely course.

    Args:
        spec: the study.
        store: where seconds per epoch of earlier studies are looked up.
        workers: jobs at a time.
    """
    problems.build(spec)  # what is not installed, or makes no space, is told now
    seconds, source, measured_bytes = _experience(spec, store)
    limit = spec.scheduler.max_hours
    budget = None if limit is None or seconds is None else limit * 3600 * workers / seconds
    if limit is not None and budget is None and spec.scheduler.configs is None and spec.scheduler.max_epochs is None:
        raise UserError(
            f"max_hours = {limit}: cannot be planned, as nothing is known about the seconds an epoch takes\n"
            "Give --configs or --max-epochs, or run one small study first."
        )
    jobs = list(_dry_run(spec, budget))
    ladder = spec.scheduler.ladder
    rungs = tuple(_rung(k, stop, [job for job in jobs if job.rung == k]) for k, stop in enumerate(ladder))
    epochs = sum(rung.epochs for rung in rungs)
    trials = rungs[0].jobs
    per_file = measured_bytes or _checkpoint_bytes(spec)
    return Plan(
        rungs=rungs, jobs=len(jobs), epochs=epochs, full_epochs=trials * ladder[-1], workers=workers,
        seconds_per_epoch=seconds, seconds_source=source,
        hours=None if seconds is None else epochs * seconds / workers / 3600,
        disk_bytes=None if per_file is None else trials * CHECKPOINTS_KEPT * per_file,
        warnings=tuple(_warnings(spec, rungs)),
    )  # fmt: skip


def _dry_run(spec: StudySpec, budget: float | None) -> Iterator[Job]:
    """The jobs that one worker would be given."""
    core = problems.scheduler(spec, lambda _rng: {})
    rng = np.random.default_rng(spec.seed)
    spent = 0
    while not isinstance(job := core.ask(), Answer) and (budget is None or spent < budget):
        spent += job.epochs
        core.tell(job, Outcome(float(rng.random())))
        yield job


def _rung(k: int, stop: int, jobs: list[Job]) -> RungPlan:
    return RungPlan(k, stop, len(jobs), sum(job.epochs for job in jobs))


def _experience(spec: StudySpec, store: Store) -> tuple[float | None, str, int | None]:
    """Seconds per epoch and bytes per checkpoint: measured in the newest like study, else typical."""
    for record in reversed(store.studies()):
        other = StudySpec.model_validate_json(record.spec)
        if other.problem.model_copy(update={"kind": ""}) == spec.problem.model_copy(update={"kind": ""}):
            history = History.of(other, store.rows(record))
            seconds = [s for job in history.jobs.values() for s in job.seconds.values() if s > 0]
            sizes = [job.checkpoint_bytes for job in history.jobs.values() if job.checkpoint_bytes]
            if seconds:
                size = round(statistics.fmean(sizes)) if sizes else None
                return statistics.fmean(seconds), f"measured in study {record.name!r}", size
    if isinstance(spec.problem, Objective):
        return None, "unknown: no study of this objective has run yet", None
    seconds_per_epoch, source = TYPICAL_SECONDS[spec.problem.data]
    return seconds_per_epoch, source, None


def _checkpoint_bytes(spec: StudySpec) -> int | None:
    """Mean size of a checkpoint over a few sampled architectures: weights and momentum, 4 bytes each."""
    if not isinstance(spec.problem, PartialTraining | FullTraining):
        return None
    from spaces.darts_cell import parse_genotype  # noqa: PLC0415
    from trials.networks.size import checkpoint_bytes  # noqa: PLC0415 - imports PyTorch

    sampler = problems.build(spec).sampler
    configs = [sampler(np.random.default_rng([spec.seed, trial])) for trial in range(5)]
    data, recipe = spec.problem.data, spec.problem.recipe
    return round(statistics.fmean(checkpoint_bytes(parse_genotype(c["genotype"]), data, recipe) for c in configs))


def _warnings(spec: StudySpec, rungs: tuple[RungPlan, ...]) -> Iterator[str]:
    if rungs[-1].jobs == 0:
        reached = max((rung.stop for rung in rungs if rung.jobs), default=0)
        hint = "" if getattr(spec.scheduler, "rungs", "") == "released" else ", or --rungs released"
        yield (
            f"no trial will be trained to R = {rungs[-1].stop}; the deepest rung reached is {reached} epochs. "
            f"Start more configurations{hint}."
        )
