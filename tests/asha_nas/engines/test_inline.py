"""The engine in this process keeps the guarantees of engines."""

import pytest

from asha_nas.engines import InlineEngine
from tests.contracts.engine import EngineContract


class TestInline(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return InlineEngine()
