"""Noticing that a cluster's head is gone.

Ray's calls then wait for a minute where nothing interrupts them; after that Ray ends the process, with words of its
own. The driver is told earlier, and if it hangs in such a call it is ended with plain words: what it has decided and
learned is in the store.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import ray

from cluster import loopback
from spaces.errors import UserError

EVERY_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 12.0
"""How long the head may be out of reach before it is taken for gone; well below Ray's minute."""
LEAVE_SECONDS: Final = 5.0
"""How long the block has to end after that, before the process is ended."""


class ClusterLost(UserError):
    """The head of the cluster is gone."""


@contextmanager
def watched(lost: Callable[[ClusterLost], None]) -> Iterator[None]:
    """Watch the head of the cluster that this process is connected to, while the block runs.

    Args:
        lost: called once, from another thread, when the head has been out of reach for :data:`PATIENCE_SECONDS`.
    """
    address: str = ray.get_runtime_context().gcs_address
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(address, over, lost), name="head-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(address: str, over: threading.Event, lost: Callable[[ClusterLost], None]) -> None:
    host, _, port = address.rpartition(":")
    missed = 0.0
    while missed < PATIENCE_SECONDS:
        if over.wait(EVERY_SECONDS):
            return
        missed = 0.0 if loopback.answers(host, int(port), EVERY_SECONDS) else missed + EVERY_SECONDS
    error = ClusterLost(
        f"the head of the Ray cluster at {address} is gone (no answer for {PATIENCE_SECONDS:.0f} s)\n"
        "Nothing in the store is lost. Start a cluster (asha-nas cluster start --head), and go on (asha-nas resume)."
    )
    lost(error)
    if not over.wait(LEAVE_SECONDS):
        sys.stderr.write(f"asha-nas: {error}\n")
        sys.stderr.flush()
        os._exit(2)
