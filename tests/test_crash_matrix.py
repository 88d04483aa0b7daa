"""The crash matrix in small: everything that can be killed, once each, on a real cluster; every other trouble, once.

`benchmarks/crash_matrix.py` is the same in full: at every event boundary, and at random moments between.
"""

import random

import pytest

from tests.crash import matrix
from tests.crash.world import World, database

pytestmark = [pytest.mark.ray, pytest.mark.kill, pytest.mark.timeout(900)]

DRAW = random.Random(16)
BOUNDARY = {what: DRAW.randint(4, 24) for what in [*matrix.VICTIMS, *matrix.TROUBLES, *matrix.ON_A_DISK]}
"""Of the study's events; from its first epoch to its last but one."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A cluster, with its studies in PostgreSQL where a server is installed."""
    with database() as server:
        made = World(tmp_path_factory.mktemp("world") / "home", server=server)
        try:
            made.mend()
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def expected(world):
    return matrix.undisturbed(world)


def test_the_undisturbed_study(expected):
    assert (expected.trained, expected.events) == (16, 26)
    assert [kind for kind, _, _ in expected.decisions].count("told") == 4


@pytest.mark.parametrize("what", BOUNDARY)
def test_between_two_events(world, expected, what):
    if what == "database" and world.server is None:
        pytest.skip("no PostgreSQL server is installed (initdb, postgres)")
    if what in matrix.ON_A_DISK and world.disk is None:
        pytest.skip("this user may mount no small disk")
    found = matrix.play(world, what, BOUNDARY[what], expected)
    assert found is not None, "nothing happened"
    assert found.fine, found


@pytest.mark.parametrize(("what", "seconds"), [("node", 0.7), ("everything", 1.1)])
def test_at_a_moment_between(world, expected, what, seconds):
    found = matrix.play(world, what, seconds, expected)
    assert found is not None and found.fine, found
