"""A sweep hands out everything, and what was lost once more."""

import pytest

from asha_nas.schedulers import DONE, WAIT, Outcome, Piece, Sweep

PIECES = [Piece({"n": 0}, 1, 9), Piece({"n": 1}, 0, 3), Piece({"n": 2}, 1, 9)]
LOST, DIVERGED, GOOD = Outcome(None), Outcome(None, diverged=True), Outcome(0.5)


def play(outcomes):
    """Run one job after the other; gives (configuration, rung, stop) of each."""
    core, seen = Sweep(PIECES), []
    for outcome in outcomes:
        job = core.ask()
        if job is DONE:
            break
        assert (job.number, job.trial, job.start) == (len(seen), len(seen), 0)
        seen.append((job.config["n"], job.rung, job.stop))
        core.tell(job, outcome)
    return seen, core.ask()


def test_every_piece_in_its_order():
    assert play([GOOD] * 9) == ([(0, 1, 9), (1, 0, 3), (2, 1, 9)], DONE)


def test_a_lost_piece_comes_again_at_the_end():
    assert play([LOST, GOOD, GOOD, GOOD]) == ([(0, 1, 9), (1, 0, 3), (2, 1, 9), (0, 1, 9)], DONE)


def test_what_is_lost_comes_again_until_it_is_done():
    everything = [(0, 1, 9), (1, 0, 3), (2, 1, 9)]
    assert play([LOST] * 6 + [GOOD] * 3) == (everything * 3, DONE)


def test_what_diverged_is_not_tried_again():
    assert play([DIVERGED] * 9) == ([(0, 1, 9), (1, 0, 3), (2, 1, 9)], DONE)


def test_it_waits_for_jobs_that_may_have_to_come_again():
    core = Sweep(PIECES[:1])
    job = core.ask()
    assert core.ask() is WAIT
    core.tell(job, LOST)
    again = core.ask()
    assert (again.trial, dict(again.config)) == (1, {"n": 0})


@pytest.mark.parametrize("pieces", [[], PIECES])
def test_the_end(pieces):
    core = Sweep(pieces)
    for _ in pieces:
        core.tell(core.ask(), GOOD)
    assert core.ask() is DONE
