"""What all tests share: the suites in `tests.contracts`, Hypothesis without a stopwatch, and one Ray."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # pytest's importlib mode leaves sys.path alone
    sys.path.insert(0, str(ROOT))
# Ray's workers and other processes of tests import the same packages, from wherever pytest was started.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
pytest.register_assert_rewrite("tests.contracts")

settings.register_profile("asha-nas", deadline=None, print_blob=True)
settings.load_profile("asha-nas")


# Started in the background by a shell, Python ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def ctrl_c_stays_as_it_was():
    """Ray Tune, when a test uses it directly, leaves its own handler behind."""
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def local_ray():
    """A Ray of two CPUs, and of one GPU that is only a number, without a dashboard, for all tests of the session."""
    from cluster.connection import connected

    with connected(cpus=2, gpus=1):
        yield


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for the tests of this process; see `tests.contracts.postgres_server`."""
    from tests.contracts import postgres_server

    if reason := postgres_server.missing():
        pytest.skip(reason)
    # Nobody's data: the machine itself does not crash while it is looked at.
    with postgres_server.server("fsync=off", "full_page_writes=off", "max_connections=60") as server:
        yield server
