"""What a cluster is made of right now: its nodes, and what they offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray

from cluster.connection import connected, resolved


@dataclass(frozen=True, slots=True)
class Member:
    """A node, as the cluster sees it."""

    name: str
    address: str
    host: str
    role: str
    """``head`` or ``worker``."""
    alive: bool
    cpus: float
    gpus: float
    memory: int
    """Bytes for jobs."""
    versions: Mapping[str, str]
    """Of asha-nas, Ray and Python, as far as the node says."""
    reason: str
    """Why it is dead."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with its nodes, living and dead."""

    address: str
    """``HOST:PORT`` of its head."""
    dashboard: str | None
    """``HOST:PORT``."""
    cpus: float
    cpus_used: float
    gpus: float
    gpus_used: float
    nodes: tuple[Member, ...]
    """The head first, then by name."""


def look(address: str | None = None) -> Cluster:
    """Ask a cluster what it is made of.

    Args:
        address: ``auto`` or ``HOST:PORT``; by default ``RAY_ADDRESS``, else the cluster this machine is a node of.

    Raises:
        ClusterUnreachable: there is none.
        TokenMissing, TokenUnsafe, TokenRejected: see :func:`cluster.connection.connected`.
    """
    with connected(resolved(address) or "auto") as dashboard:
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        members = [_member(node) for node in ray.nodes()]  # type: ignore[no-untyped-call]
        where = ray.get_runtime_context().gcs_address
    return Cluster(
        address=where,
        dashboard=dashboard,
        cpus=have.get("CPU", 0.0),
        cpus_used=have.get("CPU", 0.0) - free.get("CPU", 0.0),
        gpus=have.get("GPU", 0.0),
        gpus_used=have.get("GPU", 0.0) - free.get("GPU", 0.0),
        nodes=tuple(sorted(members, key=lambda each: (each.role, each.name))),
    )


def _member(node: Mapping[str, Any]) -> Member:
    has, labels = node["Resources"], node.get("Labels") or {}
    return Member(
        name=node["NodeName"],
        address=node["NodeManagerAddress"],
        host=node["NodeManagerHostname"],
        role="head" if "node:__internal_head__" in has else "worker",
        alive=bool(node["Alive"]),
        cpus=has.get("CPU", 0.0),
        gpus=has.get("GPU", 0.0),
        memory=int(has.get("memory", 0)),
        versions={key: labels[key] for key in ("asha-nas", "ray", "python") if key in labels},
        reason=node.get("DeathReasonMessage") or "",
    )
