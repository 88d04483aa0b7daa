"""Connecting to Ray: an existing cluster, or a Ray of our own on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from spaces.errors import UserError


class ClusterUnreachable(UserError):
    """There is no Ray cluster at the address."""


@contextmanager
def connected(
    address: str | None = None, *, cpus: int | None = None, gpus: int | None = None, dashboard: bool = False
) -> Iterator[str | None]:
    """Be connected to Ray inside the block; leave a connection that was there before as it is.

    Args:
        address: ``auto`` or ``HOST:PORT`` of a cluster; ``None`` for ``RAY_ADDRESS``, else a Ray of our own,
            which ends with the block.
        cpus: CPUs of a Ray of our own; all by default.
        gpus: GPUs of a Ray of our own; all by default.
        dashboard: whether a Ray of our own has a dashboard (on loopback).

    Yields:
        The dashboard's URL, or ``None``.

    Raises:
        ClusterUnreachable: nothing answers at ``address``.
    """
    if ray.is_initialized():
        yield None
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A trial sees the GPUs it asked for and no others; without this, Ray says, it will soon see them all.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    where = address or os.environ.get("RAY_ADDRESS")
    try:
        if where:
            context = ray.init(address=where, logging_level=logging.ERROR, log_to_driver=False)
        else:
            # "local", not None: None would join whatever cluster `ray start` last left its address of on this machine.
            context = ray.init(
                address="local", num_cpus=cpus, num_gpus=gpus, include_dashboard=dashboard,
                logging_level=logging.ERROR, log_to_driver=False,
            )  # fmt: skip
    except (ConnectionError, ValueError) as error:
        raise ClusterUnreachable(
            f"no Ray cluster at {where!r}: {str(error).splitlines()[0]}\n"
            "Start one there (ray start --head), or leave --address out for a Ray of its own on this machine."
        ) from None
    try:
        yield context.dashboard_url or None
    finally:
        ray.shutdown()
