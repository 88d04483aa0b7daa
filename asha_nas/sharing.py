"""Who may run how many jobs, when several studies run on one cluster at the same time.

Each study claims what it could use, and every driver computes from the same claims what all of them get; nobody is in
charge. The rule is weighted dominant-resource fairness (Ghodsi et al., NSDI 2011, algorithm 1): job after job goes to
the study whose *dominant share* (of CPUs or of GPUs, whichever it has the larger part of), divided by its priority, is
smallest. Three things are added:

- A study whose next job does not fit is passed over and the others go on, so that nothing lies idle that someone wants.
- Where shares are equal, as all are before the first job, that study goes first which has been served least until now.
  So a slot that is left over, or a cluster smaller than the number of its studies, goes round. It does so by turns of
  :data:`TURN_SECONDS`: to change places costs the start of a worker.
- What nobody wants is given away too, by the same rule. So a study that waits for its rung to fill may keep its idle
  workers, until someone wants them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

TURN_SECONDS = 30.0
"""How long a slot that goes round stays with a study of priority 1; N times as long with one of priority N."""
ROUNDING = 1e-9
"""Fractions of a GPU are added up: three times a third must fit."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What all workers of a cluster may use together."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a study could use, and has."""

    cpus: float
    """Of one job, above 0."""
    gpus: float
    """Of one job, 0 or more; may be a fraction."""
    wanted: int
    """Jobs that it could run now: those in flight, and as many more as it may have."""
    most: int
    """Jobs that it might ever run at a time, at least ``wanted``."""
    workers: int
    """Worker processes that it has, idle ones too."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A study's part in the division."""

    study: str
    """Its name; no other claim has it."""
    priority: int
    """Its weight, 1 or more: a study of twice the priority gets twice as much."""
    need: Need
    served: float = 0.0
    """What it has had until now: dominant share times seconds over priority; see :func:`charge` and :func:`entry`."""


Allot = Callable[[Capacity, Need], int]
"""Is told what a study needs, and says how many jobs it may run at a time. Does not wait, but for the first answer."""

Sharing = Callable[[str], AbstractContextManager[Allot]]
"""Divides the cluster of that name with others, as long as the ``with`` block runs."""


def allocate(capacity: Capacity, claims: Iterable[Claim]) -> dict[str, int]:
    """Jobs that each study may run at a time: a function of the arguments, whatever the order of the claims.

    What they need together is never more than ``capacity``, and there is no room left for one more job of any study
    that might have one. What is ``wanted`` comes first. These are upper bounds: whether jobs fit on the nodes is not
    looked at, nor what others than these studies use.
    """
    each = list(claims)
    given = {claim.study: 0 for claim in each}
    _share_out(capacity, each, given, [claim.need.wanted for claim in each])
    _share_out(capacity, each, given, [claim.need.most for claim in each])
    return given


def fitting(capacity: Capacity, cpus: float, gpus: float) -> int:
    """Jobs of so many CPUs and GPUs for which there would be room if all of the cluster were the study's."""
    room = [capacity.cpus / cpus] + ([capacity.gpus / gpus] if gpus else [])
    return int(min(room) + ROUNDING)


def dominant(capacity: Capacity, need: Need) -> float:
    """The part of the cluster that one job takes: of its CPUs or its GPUs, whichever is more."""
    return max(_part(need.cpus, capacity.cpus), _part(need.gpus, capacity.gpus))


def charge(capacity: Capacity, claim: Claim, seconds: float) -> float:
    """``served`` after so many seconds more with the workers that it has; at most all of the cluster is charged."""
    if not claim.need.workers:
        return claim.served
    return claim.served + min(1.0, claim.need.workers * dominant(capacity, claim.need)) * seconds / claim.priority


def entry(claim: Claim, others: Iterable[Claim], credit: float = 0.0) -> float:
    """``served`` of a study that comes in: no less than the least of the others', less a ``credit``.

    Otherwise a study that begins would have to itself for hours what others have had for hours. The same goes, with the
    credit of a :func:`turn`, for one that wants no more than it has: while it waits for its own results it would save
    up a right to what it does not want. (The virtual time of fair queueing.)
    """
    least = min((other.served for other in others if other.study != claim.study), default=0.0)
    return max(claim.served, least - credit)


def turn(capacity: Capacity, claims: Iterable[Claim]) -> float:
    """How much ``served`` grows in a turn: as many share-seconds as the largest job takes in that time.

    So turns last as long on a large cluster as on a small one, and with jobs of different sizes.
    """
    parts = [dominant(capacity, claim.need) for claim in claims]
    return TURN_SECONDS * max((part for part in parts if part <= 1), default=1.0)


def _share_out(capacity: Capacity, claims: Sequence[Claim], given: dict[str, int], limits: Sequence[int]) -> None:
    """Give one job after the other, up to each claim's limit."""
    cpus = capacity.cpus - sum(given[claim.study] * claim.need.cpus for claim in claims)
    gpus = capacity.gpus - sum(given[claim.study] * claim.need.gpus for claim in claims)
    parts, a_turn = [dominant(capacity, claim.need) for claim in claims], turn(capacity, claims)
    queue = [
        (_share(given[claim.study], part, claim), int(claim.served / a_turn), claim.study, number)
        for number, (claim, part) in enumerate(zip(claims, parts, strict=True))
        if math.isfinite(part)
    ]
    heapq.heapify(queue)
    while queue:
        _, turns, study, number = heapq.heappop(queue)
        claim = claims[number]
        if given[study] >= limits[number] or claim.need.cpus > cpus + ROUNDING or claim.need.gpus > gpus + ROUNDING:
            continue  # for good: what is left only gets less
        given[study] += 1
        cpus, gpus = cpus - claim.need.cpus, gpus - claim.need.gpus
        heapq.heappush(queue, (_share(given[study], parts[number], claim), turns, study, number))


def _share(jobs: int, part: float, claim: Claim) -> float:
    return round(jobs * part / claim.priority, 12)  # what is equal on paper is a tie


def _part(needed: float, there: float) -> float:
    if not needed:
        return 0.0
    return needed / there if there > 0 else math.inf
