"""Where a store is: what a URL, a path or the environment means. Passwords are parted from the rest at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from asha_nas.errors import StoreUnavailable

ENVIRONMENT = "ASHA_NAS_STORE"
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""By the database's name in a URL. (libpq knows PostgreSQL by both.)"""
_GIVE = "Give a path, or a URL such as sqlite:////path/studies.db or postgresql://user@host/database."


@dataclass(frozen=True, slots=True)
class Place:
    """A database that may hold a store."""

    url: URL
    """Without any password, so that it may be shown and logged."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Arguments of libpq: ``password``, ``sslpassword``. They go to the driver, and nowhere else."""

    def __str__(self) -> str:
        """The URL, as a person would write it."""
        return self.url.render_as_string().replace("+psycopg:", ":", 1)

    @property
    def absolute(self) -> str:
        """The same with the whole path of a file, so that it does not depend on the working folder."""
        return str(self) if self.file is None else f"sqlite:///{self.file.absolute()}"

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; ``None`` for what is no file of that name."""
        name = self.url.database or ":memory:"
        is_file = self.url.drivername == "sqlite" and not name.startswith((":memory:", "file:"))
        return Path(name) if is_file else None


def default_url() -> str:
    """``ASHA_NAS_STORE``, or an SQLite file in the user's data folder."""
    folder = Path(platformdirs.user_data_dir("asha-nas"))
    return os.environ.get(ENVIRONMENT) or f"sqlite:///{folder / 'studies.db'}"


def locate(text: str | None = None) -> Place:
    """What a URL or a path means.

    Args:
        text: an SQLAlchemy URL, or a path to an SQLite file; by default :func:`default_url`.

    Raises:
        StoreUnavailable: it means no database that a store can be in.
    """
    text = text or default_url()
    if "://" not in text:
        text = f"sqlite:///{text}"
    shown = _shown(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreUnavailable(f"store {shown}: cannot be read as a URL\n{_GIVE}") from None
    known = _DRIVERS.get(url.get_backend_name())
    if known is None or url.drivername not in (url.get_backend_name(), known):
        raise StoreUnavailable(f"store {shown}: is neither SQLite nor PostgreSQL by psycopg\n{_GIVE}")
    if "@" in (url.host or ""):
        raise StoreUnavailable(
            f"store {shown}: has more than one @\nIn a password write %40 for @, %2F for / and %3A for :."
        )
    if known == "sqlite":
        name = url.database or ""
        return Place(url.set(database=str(Path(name).expanduser())) if name.startswith("~") else url)
    passwords = {key: str(value) for key, value in url.query.items() if "password" in key}
    if url.password is not None:
        passwords["password"] = str(url.password)
    plain = URL.create(known, url.username, None, url.host, url.port, url.database, url.query)
    return Place(plain.difference_update_query(passwords), passwords)


def _shown(text: str) -> str:
    """A text that is not understood, or only how it begins where the rest may hold a password."""
    kind, _, rest = text.partition("://")
    return f"{kind}://…" if ":" in rest or "@" in rest or "password" in rest else text
