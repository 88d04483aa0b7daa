"""What studies that run now claim of a cluster: rows that are renewed every few seconds, and lapse soon after.

They decide nothing about a study, only how many of its jobs run at a time; so they are not in its log.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from asha_nas.sharing import Claim, Need
from asha_nas.store.lease import now
from asha_nas.store.schema import claims, studies

LAPSE_SECONDS = 15.0
"""A claim that was not renewed for this long counts no more: its driver is gone, or cannot reach the store."""

_FIELDS = ("cluster", "priority", "cpus", "gpus", "wanted", "most", "workers", "served", "renewed")


def renew(connection: Connection, study: int, cluster: str, claim: Claim) -> None:
    """Write a study's claim in place of its earlier one."""
    need = claim.need
    row = {
        "study": study, "cluster": cluster, "priority": claim.priority, "cpus": need.cpus, "gpus": need.gpus,
        "wanted": need.wanted, "most": need.most, "workers": need.workers, "served": claim.served,
        "renewed": now(connection),
    }  # fmt: skip
    withdraw(connection, study)
    connection.execute(claims.insert().values(**row))


def current(connection: Connection, cluster: str | None) -> list[Claim]:
    """The claims on a cluster, or on all, that have not lapsed; by name of study."""
    wanted = (
        sa.select(studies.c.name, *(claims.c[name] for name in _FIELDS))
        .join(studies, studies.c.id == claims.c.study)
        .where(sa.func.abs(now(connection) - claims.c.renewed) <= LAPSE_SECONDS)
        .order_by(studies.c.name)
    )
    if cluster is not None:
        wanted = wanted.where(claims.c.cluster == cluster)
    return [
        Claim(row.name, row.priority, Need(row.cpus, row.gpus, row.wanted, row.most, row.workers), row.served)
        for row in connection.execute(wanted)
    ]


def withdraw(connection: Connection, study: int) -> None:
    """Take a study's claim away."""
    connection.execute(claims.delete().where(claims.c.study == study))
