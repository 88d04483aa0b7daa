"""A study's claim on a cluster that others use too: kept up in the store, and answered from what all claim there."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from types import TracebackType

from asha_nas.errors import StoreUnavailable
from asha_nas.sharing import Capacity, Claim, Need, allocate, charge, entry, turn
from asha_nas.store import Store, StudyRecord

RENEW_SECONDS = 2.0
"""How soon, at most, a study sees that another one begins, ends, or wants more or less."""
FIRST_SECONDS = 5.0
"""How long the first answer is waited for; until there is one the study runs nothing."""


class Claimant:
    """One study's driver among those of a cluster: an :data:`asha_nas.sharing.Allot`.

    All that takes time is done on a thread of its own: the driver never waits for the store, but for the first answer.
    While the store is away the last answer holds. A study that cannot claim at all takes what there is room for, as if
    it were alone.
    """

    def __init__(
        self,
        store: Store,
        study: StudyRecord,
        priority: int,
        cluster: str,
        told: Callable[[int], None] = lambda _jobs: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Claim nothing yet.

        Args:
            store: where all studies of the cluster that are to share it are.
            study: whose claim it is.
            priority: its weight.
            cluster: its name for itself.
            told: called with each answer, from the thread.
            clock: seconds.
        """
        self._store = store
        self._study = study
        self._priority = priority
        self._cluster = cluster
        self._told = told
        self._clock = clock
        self._newest: tuple[Capacity, Need] | None = None
        self._charged: float | None = None  # until when, by the clock; None before the first claim
        self._served = 0.0
        self._allotted: int | None = 0  # None for no bound
        self._missed = False
        self._answered = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_over, name="claim", daemon=True)

    def __enter__(self) -> Claimant:
        """Begin; the claim is made when it is first said what is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give everything up. If the store is away just now, the claim lapses."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(FIRST_SECONDS)

    def __call__(self, capacity: Capacity, need: Need) -> int:
        """Jobs that the study may run at a time, as of a moment ago."""
        begins, self._newest = self._newest is None, (capacity, need)
        if begins:
            self._thread.start()
            self._answered.wait(FIRST_SECONDS)
        return need.most if self._allotted is None else self._allotted

    def renew(self) -> None:
        """Say what is needed now, and find out what is to be had."""
        assert self._newest is not None
        (capacity, need), now = self._newest, self._clock()
        mine = Claim(self._study.key, self._priority, need, self._served)
        if self._charged is not None:
            self._served, self._charged = charge(capacity, mine, now - self._charged), now
        try:
            if self._charged is None:  # what an earlier driver of this study may have left goes, too
                self._served = entry(mine, self._store.claim(self._study, self._cluster, None))
            mine = dataclasses.replace(mine, served=self._served)
            claims = self._store.claim(self._study, self._cluster, mine)
        except StoreUnavailable:
            self._missed = True
            self._allotted = None if self._charged is None else self._allotted
            return
        self._charged = now
        jobs = allocate(capacity, claims)[mine.study]
        if jobs >= need.wanted:
            self._served = entry(mine, claims, credit=turn(capacity, claims))
        self._take(jobs)

    def _take(self, jobs: int) -> None:
        # After an outage the others' claims have lapsed, and not been renewed yet: it would seem to be alone.
        if not self._missed:
            self._allotted = jobs
            self._told(jobs)
        self._missed = False

    def _renew_until_over(self) -> None:
        while True:
            self.renew()
            self._answered.set()
            if self._over.wait(RENEW_SECONDS):
                break
        with contextlib.suppress(StoreUnavailable):
            self._store.claim(self._study, self._cluster, None)
