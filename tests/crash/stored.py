"""A study's log as the database has it, whichever that is: read without the store's own code."""

import json
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool


def execute(url, statement):
    """Its rows; none where there is no store yet. `url` may be the path of an SQLite file."""
    if "://" not in url:
        if not Path(url).exists():  # nor is it made by looking
            return []
        url = f"sqlite:///{url}"
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1), poolclass=NullPool)
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("events"):
            return []
        result = connection.execute(sa.text(statement))
        return result.all() if result.returns_rows else []


def events(url):
    """(kind, key, payload, clock) of every event of the one study that there is, in order."""
    found = execute(url, "SELECT kind, key, payload, clock FROM events ORDER BY sequence")
    return [(kind, key, json.loads(payload), json.loads(clock)) for kind, key, payload, clock in found]
