"""How the best result came about: a fold of events, and what is kept of it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.analysis import History
from asha_nas.analysis.trajectory import Spent, Trajectory, TrajectoryFold
from asha_nas.store import Asked, Closed, Opened, Repeated, Reported, Row, Told
from asha_nas.store.events import parse, payload, to_json
from asha_nas.study import make_spec
from trials.contract import Failure

SPEC = make_spec({"name": "x", "problem": {"kind": "darts-cnn"}, "scheduler": {"R": 9, "eta": 3, "configs": 3}})
CRASHED = Failure("crashed", "no luck")


def asked(job, trial, start, stop):
    return Asked(job=job, trial=trial, rung=0, start=start, stop=stop, config={})


def reported(job, epoch, seconds=1.0, clock=None, **metrics):
    return Reported(job=job, epoch=epoch, metrics=metrics, clock={"seconds": seconds, **(clock or {})})


def told(job, loss):
    return Told(job=job, loss=loss, failure=CRASHED if loss is None else None)


def folded(*timed):
    fold = TrajectoryFold()
    for event, time in timed:
        fold.add(event, time)
    return fold.trajectory()


def history(*timed):
    return History.of(SPEC, (Row(n, event, time) for n, (event, time) in enumerate(timed)))


# Two jobs side by side; the second ends first. Trial 0 then goes on, and trial 2 is lost.
COURSE = (
    (Opened(session=0), 100.0),
    (asked(0, 0, 0, 1), 100.0),
    (asked(1, 1, 0, 1), 100.0),
    (reported(1, 1, 2.0, error=0.5), 102.0),
    (told(1, 0.5), 102.5),
    (reported(0, 1, 4.0, error=0.25, regret=0.125), 104.0),
    (told(0, 0.25), 104.5),
    (asked(2, 2, 0, 1), 105.0),
    (told(2, None), 106.0),
    (asked(3, 0, 1, 3), 106.0),
    (reported(3, 2, 8.0, error=9.0), 107.0),
    (reported(3, 3, 16.0, error=0.0625), 108.0),
    (told(3, 0.0625), 109.0),
    (asked(4, 3, 0, 1), 109.0),
    (reported(4, 1, 32.0, error=0.75), 110.0),
    (told(4, 0.75), 111.0),
    (Closed(session=0, reason="done"), 112.0),
)


def test_each_change_and_what_was_spent_by_then():
    found = folded(*COURSE)
    assert found.loss == (0.5, 0.25, 0.0625)
    assert found.evaluations == (1, 2, 4)  # the one that failed counts
    assert found.epochs == (1, 2, 4)
    assert found.spent_seconds == (2.0, 6.0, 30.0)
    assert found.clock_seconds == (2.5, 4.5, 9.0)
    assert found.metrics["error"] == (0.5, 0.25, 0.0625)
    assert str(found.metrics["regret"]) == "(nan, 0.125, nan)"
    assert found.end == Spent(evaluations=5, epochs=5, spent_seconds=62.0, clock_seconds=12.0)
    assert len(found) == 3


def test_the_history_has_it_too():
    assert str(history(*COURSE).trajectory) == str(folded(*COURSE))


def test_a_study_without_a_result():
    assert folded() == Trajectory((), (), (), (), (), {}, Spent())
    found = folded((Opened(session=0), 5.0), (asked(0, 0, 0, 1), 5.0), (told(0, None), 7.0))
    assert (len(found), found.end) == (0, Spent(evaluations=1, clock_seconds=2.0))


def test_simulated_seconds_of_the_last_report_are_a_jobs_cost():
    found = folded(
        (asked(0, 0, 0, 2), 0.0),
        (reported(0, 1, 1.0, {"simulated_seconds": 1001.0}, error=0.5), 1.0),
        (reported(0, 2, 1.0, {"simulated_seconds": 1002.0}, error=0.5), 2.0),
        (told(0, 0.5), 2.0),
    )
    assert found.spent_seconds == (1002.0,)


def test_time_between_sessions_is_not_counted():
    found = folded(
        (Opened(session=0), 10.0),
        (asked(0, 0, 0, 1), 11.0),
        (Opened(session=1), 500.0),
        (reported(0, 1, error=0.5), 501.0),
        (told(0, 0.5), 502.0),
    )
    assert found.clock_seconds == (3.0,)


def test_an_epoch_that_was_trained_again_counts_once():
    found = folded(
        (asked(0, 0, 0, 2), 0.0),
        (reported(0, 1, 1.0), 1.0),
        (reported(0, 2, 1.0), 2.0),
        (reported(0, 1, 4.0), 3.0),
        (reported(0, 2, 4.0), 4.0),
        (told(0, 0.5), 4.0),
    )
    assert (found.end.epochs, found.end.spent_seconds) == (2, 8.0)


def test_ties_go_to_more_epochs_then_to_the_lower_trial():
    def job(number, trial, stop, loss):
        return (
            (asked(number, trial, 0, stop), 0.0),
            (reported(number, stop, trial=trial), 0.0),
            (told(number, loss), 0.0),
        )

    found = folded(*job(0, 5, 1, 0.5), *job(1, 6, 1, 0.5), *job(2, 3, 1, 0.5), *job(3, 8, 2, 0.5))
    assert found.metrics["trial"] == (5, 3, 8)


def test_plain_and_back():
    found = folded(*COURSE)
    plain = json.loads(json.dumps(found.to_plain(), allow_nan=False))
    assert plain["metrics"]["regret"] == [None, 0.125, None]
    assert str(Trajectory.from_plain(plain)) == str(found)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plain: plain.pop("loss"),
        lambda plain: plain.update(loss=3),
        lambda plain: plain.update(metrics=None),
        lambda plain: plain["epochs"].pop(),
        lambda plain: plain["metrics"]["error"].append(0.5),
        lambda plain: plain["end"].update(moves=3),
    ],
)
def test_what_is_no_trajectory_is_told(spoil):
    plain = folded(*COURSE).to_plain()
    spoil(plain)
    with pytest.raises(ValueError, match="no trajectory"):
        Trajectory.from_plain(plain)


def test_repeats_are_kept_and_change_nothing_else():
    found = folded(*COURSE)
    event = Repeated(repeat=7, seed=8, trajectory=found.to_plain())
    logged = parse(event.kind, payload(event), to_json(event.clock))
    with_repeat = history(*COURSE, (logged, 112.0))
    assert str(with_repeat.repeats) == str({7: found})
    assert str(with_repeat.trajectory) == str(found)
    assert with_repeat.jobs == history(*COURSE).jobs


# --- beside the history ------------------------------------------------------------------------------------


@st.composite
def courses(draw):
    """Jobs of a few trials, from scratch or going on, that end in any order."""
    events, open_jobs, now, reached = [(Opened(session=0), 0.0)], [], 0.0, {}
    for number in range(draw(st.integers(0, 12))):
        trial = draw(st.integers(0, 3))
        if any(job.trial == trial for job in open_jobs):
            continue
        start = draw(st.sampled_from([0, reached.get(trial, 0)]))
        job = asked(number, trial, start, start + draw(st.integers(1, 3)))
        events.append((job, now))
        open_jobs.append(job)
        while open_jobs and draw(st.booleans()):
            job = open_jobs.pop(draw(st.integers(0, len(open_jobs) - 1)))
            loss = draw(st.none() | st.sampled_from([0.1, 0.2, 0.3]))
            for epoch in range(job.start + 1, job.stop + (loss is not None)):
                now += 1.0
                events.append((reported(job.job, epoch, 1.0, error=loss or 0.0), now))
            events.append((told(job.job, loss), now))
            if loss is not None:
                reached[job.trial] = job.stop
    return events


@given(courses())
def test_the_incumbents_and_costs_are_the_historys(course):
    found, of_history = folded(*course), history(*course)
    assert found.loss == tuple(job.loss for job in of_history.incumbents)
    assert found.clock_seconds == tuple(job.told_at for job in of_history.incumbents)
    ended = [job for job in of_history.jobs.values() if job.told is not None]
    assert found.end.evaluations == len(ended)
    assert found.end.epochs == sum(job.epochs for job in ended) <= of_history.cost().epochs
    assert found.end.spent_seconds == sum(sum(job.seconds.values()) for job in ended)


def test_each_training_from_scratch_counts():
    """One trial at 3 epochs, then from scratch at 9, and another one that goes on from 3 to 9."""
    course = [(Opened(session=0), 0.0)]
    for job, (trial, start, stop) in enumerate([(0, 0, 3), (0, 0, 9), (1, 0, 3), (1, 3, 9)]):
        course += [(asked(job, trial, start, stop), 0.0)]
        course += [(reported(job, epoch, error=0.5), 0.0) for epoch in range(start + 1, stop + 1)]
        course += [(told(job, 0.5), 0.0)]
    cost = history(*course).cost()
    assert (cost.epochs, cost.full_epochs, cost.retrained_epochs) == (3 + 9 + 3 + 6, 2 * 9, 0)
    assert [trial.epochs for trial in history(*course).trials.values()] == [9, 9]


def test_numbers_that_are_none_are_nan():
    plain = folded(*COURSE).to_plain()
    assert math.isnan(Trajectory.from_plain(plain).metrics["regret"][0])
