"""How running trials, wherever they are, learn that the study is about to stop: a file beside their checkpoints."""

from __future__ import annotations

import logging
import os
import signal
import threading

from asha_nas.environment import seconds

ENVIRONMENT = "ASHA_NAS_GRACE"
SECONDS = 20.0
"""How long is waited for running trials to save, by default: less than what containers have before they are killed."""

_log = logging.getLogger("asha_nas.stop")


def grace() -> float:
    """``ASHA_NAS_GRACE`` in seconds, or :data:`SECONDS`; see :func:`asha_nas.environment.seconds`."""
    return seconds(ENVIRONMENT, SECONDS)


class StopSign:
    """The file, and the end of all patience."""

    def __init__(self, folder: str, seconds: float) -> None:
        """Show nothing yet.

        Args:
            folder: path or URL of the study's folder.
            seconds: after which the process is told to stop once more, however far trials are.
        """
        self._folder = folder
        self._seconds = seconds
        self._name = ""
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def path(self, session: int) -> str:
        """Where it is shown in a session: another place in each, so that an old sign stops nobody."""
        self._name = f"stop-{session}"
        return f"{self._folder}/{self._name}"

    def show(self) -> None:
        """Show it, soon; for a signal handler, which must not wait for a file system."""
        _log.warning("told to stop: running trials save at the end of their epoch; at most %.0f s", self._seconds)
        for work in (self._write, self._lose_patience):
            self._threads.append(threading.Thread(target=work, name="stop-sign", daemon=True))
            self._threads[-1].start()

    def take_away(self) -> None:
        """Stop waiting; and take it away, if it was shown."""
        self._over.set()
        for thread in self._threads:
            thread.join(self._seconds)
        if self._threads:
            from trials import storage  # noqa: PLC0415 - imports fsspec

            storage.delete(self._folder, [self._name])

    def _write(self) -> None:
        from trials import storage  # noqa: PLC0415

        try:
            storage.write(self._folder, self._name, b"")
        except Exception as error:  # remote file systems raise what they like
            _log.warning("running trials cannot be told to save: %s", error)

    def _lose_patience(self) -> None:
        if not self._over.wait(self._seconds):
            os.kill(os.getpid(), signal.SIGTERM)
