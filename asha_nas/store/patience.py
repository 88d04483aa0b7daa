"""How long a database that does not answer is waited for, and which failures pass by themselves."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from asha_nas.environment import seconds

T = TypeVar("T")

ENVIRONMENT = "ASHA_NAS_STORE_PATIENCE"
SECONDS = 60.0
"""How long an outage is waited for by default."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds between attempts: each pause is twice the one before."""
QUIET = 2.0
"""Seconds of an outage after which something is said about it."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PASSING = ("08", "25006", "25P03", "40", "53", "55P03", "57")
"""SQLSTATEs, or how they begin: connection lost, a standby that is not promoted yet, idle for too long, serialization
and deadlocks, out of something (disk, memory, connections), a lock waited for too long, shutting down or starting."""
_NOT_YET = ("starting up", "shutting down", "in recovery", "too many", "remaining connection slots")
"""What a server says that is there and takes no connection now. (For that libpq gives no SQLSTATE.)"""

_log = logging.getLogger("asha_nas.store")


def patience() -> float:
    """``ASHA_NAS_STORE_PATIENCE`` in seconds, or :data:`SECONDS`; see :func:`asha_nas.environment.seconds`."""
    return seconds(ENVIRONMENT, SECONDS)


def passes(error: DBAPIError) -> bool:
    """True for a failure after which the same may well succeed a little later."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _BUSY
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # libpq's own: there is no connection, or not any more
        return isinstance(error, OperationalError)
    return str(state).startswith(_PASSING)


def passes_at_opening(error: DBAPIError) -> bool:
    """The same for a store that was never reached: where nothing answers, the address may well be wrong."""
    unreached = isinstance(error, OperationalError) and not error.connection_invalidated
    if unreached and getattr(error.orig, "sqlstate", None) is None and not isinstance(error.orig, sqlite3.Error):
        return any(words in str(error.orig) for words in _NOT_YET)
    return passes(error)


class Patience:
    """Repeats what fails, as long as that may pass and the outage is not too long.

    The outage counts, not the attempt: who has waited in vain once asks only once more, until it is over.
    """

    def __init__(self, seconds: float, name: str) -> None:
        """Be ready to wait.

        Args:
            seconds: the longest outage to wait for.
            name: of the store, in what is logged.
        """
        self.seconds = seconds
        self._name = name
        self._since: float | None = None  # when the outage began
        self._told = False

    def run(self, work: Callable[[], T], passing: Callable[[DBAPIError], bool] = passes) -> T:
        """Do ``work``, again and again if need be; it must bear being done twice.

        Raises:
            DBAPIError: its last failure.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                result = work()
            except DBAPIError as error:
                left = self._left() if passing(error) else 0.0
                if left <= 0:
                    raise
                self._tell(error)
            else:
                self._over()
                return result
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    @property
    def waited(self) -> bool:
        """True after it has waited in vain."""
        return self._since is not None and self._left() <= 0 < self.seconds

    def _left(self) -> float:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return self._since + self.seconds - now

    def _tell(self, error: DBAPIError) -> None:
        if self._since is None or self._told or time.monotonic() - self._since < QUIET:
            return
        self._told = True
        cause = str(error.orig).strip().partition("\n")[0]
        _log.warning("store %s: %s; waiting for it, up to %.0f s", self._name, cause, self.seconds)

    def _over(self) -> None:
        if self._told and self._since is not None:
            _log.warning("store %s answers again, after %.0f s", self._name, time.monotonic() - self._since)
        self._since, self._told = None, False
