"""What other studies of a store have found out already, looked up while a study runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from asha_nas import owners
from asha_nas.analysis.stored import stored_spec
from asha_nas.errors import StudyUnreadable
from asha_nas.reuse import Past, Results, key
from asha_nas.store import Store, StudyRecord
from asha_nas.study import StudySpec

SECONDS = 10.0
"""How long at least what was read is taken to be all there is."""


@dataclass(slots=True)
class _Source:
    """Another study whose results can be reused."""

    record: StudyRecord
    after: int = -1
    """Sequence number of the newest event that was read."""


class Experience:
    """A :data:`asha_nas.reuse.LookUp` of the store's other studies, those included that run beside this one."""

    def __init__(
        self, store: Store, own: StudyRecord, spec: StudySpec, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is read before it is asked for.

        Args:
            store: where studies are.
            own: the study that asks; its own results are not among those that are found.
            spec: what it is.
            clock: seconds.
        """
        self._store = store
        self._key = key(spec)
        self._clock = clock
        self._read_at: float | None = None
        self._seen = {own.key}
        self._sources: list[_Source] = []
        self._results = Results()

    def __call__(self, identity: str, epoch: int) -> Past | None:
        """What is known of an architecture at an epoch; reads what is new, at most every :data:`SECONDS`.

        Raises:
            StoreUnavailable: the database failed.
        """
        now = self._clock()
        if self._read_at is None or now - self._read_at >= SECONDS:
            self._refresh()
            self._read_at = now
        return self._results(identity, epoch)

    def _refresh(self) -> None:
        for name in self._store.names():
            if name not in self._seen:
                self._seen.add(name)
                self._meet(self._store.study(owners.exactly(name)))
        self._sources = [source for source in self._sources if self._read(source)]

    def _meet(self, record: StudyRecord) -> None:
        try:
            if key(stored_spec(record.exact, record.spec)) == self._key:
                self._sources.append(_Source(record))
        except StudyUnreadable:
            pass  # damaged, or a newer version's: there is nothing to be had

    def _read(self, source: _Source) -> bool:
        """Read what is new; False if the log cannot be read further."""
        try:
            for row in self._store.rows(source.record, source.after):
                self._results.add(source.record.exact, row.event)
                source.after = row.sequence
        except (StudyUnreadable, LookupError):
            return False
        return True
