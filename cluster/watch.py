"""Noticing that a cluster's head is gone: Ray itself says nothing for a minute, and then ends the process."""

from __future__ import annotations

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
    while not over.wait(EVERY_SECONDS):
        missed = 0.0 if loopback.answers(host, int(port), EVERY_SECONDS) else missed + EVERY_SECONDS
        if missed >= PATIENCE_SECONDS:
            lost(
                ClusterLost(
                    f"the head of the Ray cluster at {address} is gone (no answer for {PATIENCE_SECONDS:.0f} s)\n"
                    "Nothing in the store is lost. Start a cluster (asha-nas cluster start --head), and go on."
                )
            )
            return
