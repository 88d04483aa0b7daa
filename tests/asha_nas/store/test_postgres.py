"""The store in PostgreSQL: the suite of all stores, and what is PostgreSQL's own."""

import pytest

from tests.contracts.store import StoreContract


class TestPostgreSQL(StoreContract):
    @pytest.fixture
    def url(self, postgres):
        with postgres.database() as url:
            yield url
