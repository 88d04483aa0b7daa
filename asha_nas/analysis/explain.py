"""Why a trial was promoted, or was not: told from the log, rung by rung."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from asha_nas.analysis.history import History, JobRecord
from asha_nas.study import AnyScheduler, Halving, Promoting


@dataclass(frozen=True, slots=True)
class Visit:
    """A trial at one rung."""

    rung: int
    epochs: int
    state: str
    """``running``, ``done``, ``diverged`` or ``failed``."""
    loss: float | None
    rank: int | None
    """1 for the best of the rung's results so far; ``None`` without a result."""
    results: int
    """Results at this rung so far, diverged trials included."""
    allowed: int
    """How many may go up: ⌊n/η⌋ of n results, or what the plan of a synchronous bracket says."""
    promoted: int
    """How many have gone up."""
    verdict: str
    """One sentence for people."""
    reused: str | None = None
    """Which trial of which study the result comes from, if it was not trained here."""


def explain(history: History, scheduler: AnyScheduler, trial: int) -> list[Visit]:
    """The trial's way up the ladder.

    Raises:
        TrialNotFound: the study has no such trial.
    """
    jobs = history.trial(trial).jobs
    return [_visit(history, scheduler, job, after) for job, after in zip_longest(jobs, jobs[1:])]


def _visit(history: History, scheduler: AnyScheduler, job: JobRecord, next_job: JobRecord | None) -> Visit:
    ranked = _results(history, job)
    rank = ranked.index(job) + 1 if job in ranked and job.loss is not None else None
    ups = _ups(history, job)
    allowed = _allowed(scheduler, job, ranked)
    if job.state == "running":
        verdict = f"is training, epoch {max(job.metrics, default=job.start)} of {job.stop}"
    elif job.failure is not None:
        verdict = f"never goes up: {job.failure.kind}: {job.failure.reason}"
    elif job.stop == history.ladder[-1]:
        verdict = f"was trained to the end; it is number {rank} of {len(ranked)} at R{_within(scheduler, job)}"
    elif isinstance(scheduler, Halving):
        verdict = _why_halved(history, scheduler, job, next_job, ranked, allowed)
    elif isinstance(scheduler, Promoting):
        if next_job is not None:
            verdict = _why_promoted(history, job, next_job, scheduler.eta)
        else:
            verdict = _why_not(history, scheduler, job, ranked, ups)
    else:  # a sweep: all others train every trial to the end
        verdict = f"was trained to its budget; it is number {rank} of {len(ranked)} jobs of that budget"
    return Visit(job.rung, job.stop, job.state, job.loss, rank, len(ranked), allowed, len(ups), verdict, job.reused)


def _within(scheduler: AnyScheduler, job: JobRecord) -> str:
    several = isinstance(scheduler, Halving) or (isinstance(scheduler, Promoting) and scheduler.first_rungs > 1)
    return f" in bracket {job.bracket}" if several else ""


def _ups(history: History, job: JobRecord) -> list[JobRecord]:
    """Jobs of trials that went up from this rung of this bracket."""
    return [
        other for other in history.jobs.values()
        if other.rung == job.rung + 1 and other.bracket == job.bracket
        and history.trials[other.trial].jobs[0].number != other.number
    ]  # fmt: skip


def _allowed(scheduler: AnyScheduler, job: JobRecord, ranked: list[JobRecord]) -> int:
    if isinstance(scheduler, Promoting):
        return len(ranked) // scheduler.eta
    if not isinstance(scheduler, Halving):
        return 0
    plan = scheduler.brackets[job.bracket % len(scheduler.brackets)]
    stage = job.rung - plan.rung + 1
    return plan.sizes[stage] if stage < len(plan.sizes) else 0


def _why_halved(
    history: History,
    scheduler: Halving,
    job: JobRecord,
    next_job: JobRecord | None,
    ranked: list[JobRecord],
    allowed: int,
) -> str:
    plan = scheduler.brackets[job.bracket % len(scheduler.brackets)]
    place = f"number {ranked.index(job) + 1} of {len(ranked)} results of bracket {job.bracket}"
    if not allowed:
        return f"is {place}, which ends at this rung"
    rule = f"the best {allowed} of {plan.sizes[job.rung - plan.rung]} go up there"
    if next_job is not None:
        return f"went up as {place}; {rule} (job {next_job.number})"
    if ranked.index(job) >= allowed:
        return f"has not gone up: {place}; {rule}"
    if history.state == "open":
        return f"may go up: {place} so far; {rule} when all have ended"
    return f"has not gone up: {place}; {rule}, but the study ended before"


def _why_promoted(history: History, job: JobRecord, next_job: JobRecord, eta: int) -> str:
    then = _results(history, job, before=next_job.asked)
    return (
        f"went up as number {then.index(job) + 1} of {len(then)} results there were then,"
        f" of which {len(then)}/{eta} = {len(then) // eta} may go up (job {next_job.number})"
    )


def _why_not(
    history: History, scheduler: Promoting, job: JobRecord, ranked: list[JobRecord], ups: list[JobRecord]
) -> str:
    rank, allowed = ranked.index(job) + 1, len(ranked) // scheduler.eta
    rule = f"number {rank} of {len(ranked)}; {len(ranked)}/{scheduler.eta} = {allowed} may go up"
    if rank > allowed:
        return f"has not gone up: {rule}"
    if scheduler.promotion == "eager":
        rule += ", whoever went up before"
    else:
        place = {result.trial: i for i, result in enumerate(ranked, start=1)}
        earlier = sum(place.get(up.trial, 0) > rank for up in ups)
        if len(ups) >= allowed:
            return (
                f"has not gone up: {rule}, and all {allowed} promotions are used,"
                f" {earlier} of them by trials that are behind it now and went up when fewer results were in"
            )
        better = rank - 1 - (len(ups) - earlier)
        if len(ups) + better >= allowed:
            return f"has not gone up: {rule}, {len(ups)} did, and the next {allowed - len(ups)} are better than it"
    return _what_it_waits_for(history, scheduler, job, f"{rule}, {len(ups)} did")


def _what_it_waits_for(history: History, scheduler: Promoting, job: JobRecord, rule: str) -> str:
    """Why a trial that the rule lets up has not gone: a bound of the study, or nobody asked."""
    bound, needed = scheduler.max_epochs, history.ladder[job.rung + 1] - job.stop
    handed_out = sum(other.stop - other.start for other in history.jobs.values())
    if bound is not None and handed_out + needed > bound:
        room = f"max_epochs = {bound} has no room for it (left {bound - handed_out}, needed {needed})"
        return f"has not gone up: {rule}, but {room}"
    ended = {
        "open": "no worker has asked since",
        "time": "the time limit was reached before a worker asked",
        "interrupted": "the study was interrupted before a worker asked",
    }.get(history.state, "the study ended before a worker asked")
    return f"may go up: {rule}; {ended}"


def _results(history: History, like: JobRecord, before: int | None = None) -> list[JobRecord]:
    """Results of a job's rung and bracket in order, diverged ones last; optionally only those told before an event."""
    found = [
        job for job in history.jobs.values()
        if job.rung == like.rung and job.bracket == like.bracket and job.state in ("done", "diverged")
        and (before is None or (job.told is not None and job.told < before))
    ]  # fmt: skip
    return sorted(found, key=lambda job: (job.loss is None, job.loss or 0.0, job.trial))
