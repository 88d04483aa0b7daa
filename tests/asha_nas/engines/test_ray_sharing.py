"""The Ray Tune engine with a share of a cluster: it keeps to it, gives back at once, and says what it needs."""

import signal
import time
from contextlib import contextmanager

import pytest

from asha_nas.engines.ray_tune import RayTuneEngine
from asha_nas.schedulers import DONE
from asha_nas.sharing import Capacity
from tests.contracts import engine as contract
from tests.contracts.engine import make_trial
from trials.contract import Report

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


class Others:
    """Plays the others of the cluster: says by `answer(need)` how much there is, and keeps what it was asked for."""

    def __init__(self, answer):
        self.answer = answer
        self.clusters, self.needs, self.left = [], [], False

    @contextmanager
    def __call__(self, cluster):
        self.clusters.append(cluster)
        yield self.allot
        self.left = True

    def allot(self, capacity, need):
        assert capacity == Capacity(2.0, 1.0)
        self.needs.append(need)
        return self.answer(need)


class Source(contract.Source):
    def over(self):
        """How many jobs have ended."""
        return sum(method == "ended" for method, *_ in self.calls)


def run(source, others, trial=None, **options):
    RayTuneEngine(sharing=others, **options).run(source, trial or make_trial())
    return others


def given_back():
    """Whether all of Ray's two processors are free."""
    import ray

    return ray.available_resources().get("CPU", 0.0) == 2.0


def test_it_runs_no_more_than_its_share():
    source = Source(["one"] * 6, workers=1)  # which refuses to be asked for a second job
    others = run(source, Others(lambda _need: 1))
    assert len(source.handed_out) == 6
    assert others.left
    assert [others.clusters[0].startswith("session_"), len(others.clusters)] == [True, 1]


def test_a_share_is_not_more_than_it_was_told_to_use():
    source = Source(["one"] * 6, workers=1)
    others = run(source, Others(lambda _need: 50), workers=1)
    assert {need.most for need in others.needs} == {1}


def slow(task):
    time.sleep(1.0)  # the share is looked up once a second
    return make_trial()(task)


def test_without_a_share_it_gives_its_workers_back_and_goes_on_when_it_has_one_again():
    source = Source(["one"] * 8, workers=2)
    phases = ["here"]
    deadline = time.monotonic() + 120

    def answer(need):
        if phases == ["here"] and source.over():
            phases.append("away")
        elif phases[-1] == "away" and given_back():
            assert need.workers == 0
            phases.append("back")
        assert time.monotonic() < deadline, "it kept its workers"
        return 0 if phases[-1] == "away" else 2

    run(source, Others(answer), slow)
    assert phases == ["here", "away", "back"]
    assert source.of("one") == [([Report(3, {"loss": float(n)})], None) for n in range(8)]


def test_a_smaller_share_leaves_it_the_rest():
    """Of two workers one is given up, and the other does all that is left."""
    source = Source(["one"] * 8, workers=2)
    others = run(source, Others(lambda _need: 1 if source.over() else 2), slow)
    workers = [need.workers for need in others.needs]
    assert max(workers) == 2 and workers[-1] == 1
    assert len(source.of("one")) == 8


def test_it_is_over_without_a_share_when_nothing_is_left():
    source = Source(["one"], workers=2)

    def answer(_need):
        return int(not source.handed_out or bool(source.in_flight))

    run(source, Others(answer))
    assert source.calls[-1] == ("ask", DONE, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_it_waits_for_its_turn(number):
    """There is nothing then that would have to be saved first."""
    source = Source(["one"], workers=1)
    source.leave = lambda: pytest.fail("nothing runs")
    asked = []

    def answer(_need):
        asked.append(number)
        if len(asked) == 3:
            signal.raise_signal(number)
        assert len(asked) < 10, "it goes on"
        return 0

    with pytest.raises(KeyboardInterrupt):
        run(source, Others(answer))
    assert source.over() == 0


def test_a_job_that_is_kept_waits_for_a_share():
    """It is decided on, and begun when there is a worker for it."""
    source = Source(["one"], workers=1)
    seen = []

    def answer(_need):
        seen.append(len(source.handed_out))
        return int(len(seen) > 2)

    run(source, Others(answer))
    assert seen[:3] == [1, 1, 1]
    assert len(source.of("one")) == 1


def test_what_it_needs_is_what_it_could_run():
    """While it waits for the end of a job it wants no more, but might; otherwise as much as there is."""
    source = Source(["good", None, "one", "one"], workers=2)

    def patient(task):
        if task.config["kind"] == "good":
            time.sleep(3.0)
        return make_trial()(task)

    others = run(source, Others(lambda need: need.most), patient)
    assert (others.needs[0].wanted, others.needs[0].most, others.needs[0].workers) == (2, 2, 0)
    waiting = [need for need in others.needs if need.wanted == 1]
    assert waiting and all(need.most == 2 for need in waiting)
    assert {(need.cpus, need.gpus) for need in others.needs} == {(1.0, 0.0)}


def test_a_ray_of_its_own_is_not_shared(monkeypatch):
    others = Others(lambda _need: 1)
    engine = RayTuneEngine(sharing=others)
    with engine._allotment(ours=True) as allot:
        assert allot is None
    assert others.clusters == []
