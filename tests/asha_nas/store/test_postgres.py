"""The store in PostgreSQL: the suite of all stores, and what is PostgreSQL's own."""

import pytest

from tests.contracts.store import StoreContract


class TestPostgreSQL(StoreContract):
    @pytest.fixture
    def url(self, postgres):
        with postgres.database() as url:
            yield url

    @pytest.fixture
    def broken(self):
        """The connection is closed in earnest, as far as this side of it goes."""
        import psycopg

        def broken(found):
            (getattr(found, "driver_connection", None) or found.connection).close()
            return psycopg.OperationalError("server closed the connection unexpectedly")

        return broken
