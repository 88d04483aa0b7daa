"""Connecting to Ray: an existing cluster, or a Ray of our own on this machine."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import ray

from cluster import loopback, nodes, token
from cluster.token import Token, TokenRejected
from spaces.errors import InvalidValue, UserError

_START_ONE = (
    "Start one there (asha-nas cluster start --head), or leave --address out for a Ray of its own on this machine."
)


class ClusterUnreachable(UserError):
    """There is no Ray cluster at the address."""


@contextmanager
def connected(
    address: str | None = None, *, cpus: int | None = None, gpus: int | None = None, dashboard: bool = False
) -> Iterator[str | None]:
    """Be connected to Ray inside the block; leave a connection that was there before as it is.

    Whatever the cluster, it is met with its token: see :func:`cluster.token.find`, and for clusters of
    ``asha-nas cluster`` what is remembered of them on this machine.

    Args:
        address: ``auto`` or ``HOST:PORT`` of a cluster; ``None`` for ``RAY_ADDRESS``, else a Ray of our own on
            loopback, which ends with the block.
        cpus: CPUs of a Ray of our own; all by default.
        gpus: GPUs of a Ray of our own; all by default.
        dashboard: whether a Ray of our own has a dashboard (on loopback).

    Yields:
        The dashboard's URL, or ``None``.

    Raises:
        ClusterUnreachable: nothing answers at ``address``.
        TokenMissing, TokenUnsafe, TokenRejected: the token is not there, not safe, or not the cluster's.
    """
    if ray.is_initialized():
        yield None
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A trial sees the GPUs it asked for and no others; without this, Ray says, it will soon see them all.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    where = resolved(address)
    _authenticate(where)
    try:
        with _sigterm_kept(), loopback.kept(where is None or _is_only_here(where)):
            if where:
                context = ray.init(address=where, logging_level=logging.ERROR, log_to_driver=False)
            else:
                # "local", not None: None would join whatever cluster `ray start` last left its address of on this
                # machine.
                context = ray.init(
                    address="local", num_cpus=cpus, num_gpus=gpus, include_dashboard=dashboard,
                    logging_level=logging.ERROR, log_to_driver=False, _node_ip_address=loopback.ADDRESS,
                )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterUnreachable(f"no Ray cluster at {where!r}: {str(error).splitlines()[0]}\n{_START_ONE}") from None
    try:
        yield context.dashboard_url or None
    finally:
        ray.shutdown()


def resolved(address: str | None) -> str | None:
    """The cluster that an address means: of ``auto``, the one that this machine is a node of, if we started it."""
    where = address or os.environ.get("RAY_ADDRESS") or None
    if where == "auto":
        where = os.environ.get("RAY_ADDRESS") or next((node.cluster for node in reversed(nodes.here())), "auto")
    return None if where == "local" else where


def check(where: str, secret: Token | None) -> None:
    """See whether a Ray answers at ``HOST:PORT`` and accepts the token: Ray itself tries for a long while, in vain.

    Raises:
        ClusterUnreachable: there is no Ray.
        TokenRejected: there is one, of another token.
    """
    host, _, port = where.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidValue("--address", where, "must be auto or HOST:PORT", "A head's port is 6379 by default.")
    if not loopback.answers(host, int(port), 10.0):
        raise ClusterUnreachable(f"no Ray cluster at {where!r}: nothing answers there\n{_START_ONE}")
    metadata = [] if secret is None else [("authorization", secret.header)]
    with grpc.insecure_channel(where) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetClusterId")(b"", metadata=metadata, timeout=10.0)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise TokenRejected(where, None if secret is None else secret.source) from None
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise ClusterUnreachable(f"no Ray cluster at {where!r}: what answers is no Ray\n{_START_ONE}") from None


def _authenticate(where: str | None) -> None:
    if os.environ.get(token.MODE, "token") != "token":
        return  # switched off on purpose
    if where is None and not (os.environ.get(token.TEXT) or os.environ.get(token.FILE)):
        token.narrow_default()
        token.make(token.default_file())
    secret = nodes.token_for(lambda node: node.cluster == where)
    if where not in (None, "auto"):
        check(where, secret)
    if secret is not None:
        token.use(secret)


def _is_only_here(where: str) -> bool:
    host, _, port = where.rpartition(":")
    return port.isdecimal() and loopback.is_only_here(host, int(port))


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray would have SIGTERM end the process wherever it stands; who had a use for it, keeps it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
