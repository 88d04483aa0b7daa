"""The tables. Plain SQL that SQLite and PostgreSQL share; changed only together with a migration."""

from __future__ import annotations

import sqlalchemy as sa

REVISION = "0002"
"""The migration that makes the tables below."""
LONGEST_NAME = 200
"""Characters of a study's name."""

metadata = sa.MetaData()

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(LONGEST_NAME), nullable=False, unique=True),
    sa.Column("spec", sa.Text, nullable=False),  # JSON of the StudySpec
    sa.Column("provenance", sa.Text, nullable=False),  # JSON: package versions, hash of the source
    sa.Column("created", sa.Float, nullable=False),  # seconds since 1970, UTC
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("study", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True),  # 0, 1, 2, … in the order of writing
    sa.Column("key", sa.String(80), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),  # JSON, a function of decisions and results alone
    sa.Column("clock", sa.Text, nullable=False),  # JSON, what depends on time and machine
    sa.Column("time", sa.Float, nullable=False),  # seconds since 1970, UTC
    sa.UniqueConstraint("study", "key", name="events_once"),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("study", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True),
    sa.Column("token", sa.String(40), nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("born", sa.String(40), nullable=False),  # tells a reused pid from the same process
    sa.Column("renewed", sa.Float, nullable=False),  # seconds since 1970, UTC
    sa.Column("stop", sa.Boolean, nullable=False, server_default=sa.false()),  # someone asks its driver to stop
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("study", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True),
    sa.Column("cluster", sa.String(200), nullable=False),  # another one after each start of its head
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("cpus", sa.Float, nullable=False),  # of one job
    sa.Column("gpus", sa.Float, nullable=False),
    sa.Column("wanted", sa.Integer, nullable=False),  # jobs
    sa.Column("most", sa.Integer, nullable=False),
    sa.Column("workers", sa.Integer, nullable=False),
    sa.Column("served", sa.Float, nullable=False),  # share times seconds over priority
    sa.Column("renewed", sa.Float, nullable=False),  # seconds since 1970, by the database's clock
)
