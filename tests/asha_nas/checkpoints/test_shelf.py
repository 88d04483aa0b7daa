"""Which checkpoints are needed: never one too few, in the end none too many, and counted to the byte."""

import random

import pytest

from asha_nas.checkpoints import Policy, Removal, Shelf, policy
from asha_nas.driver import Driver
from asha_nas.problems import build
from asha_nas.schedulers import DONE, Job
from asha_nas.study import make_spec
from trials.contract import Checkpoint, Failure, Report


def checkpoint(epoch, size=10):
    return Checkpoint(f"epoch-{epoch:05d}.ckpt", epoch, f"{epoch:064d}", size)


def job(trial, start, stop, number=0):
    return Job(number, trial, {}, 0, start, stop)


def names(*epochs):
    return tuple(checkpoint(epoch).name for epoch in epochs)


def left(shelf, trial):
    return [each.epoch for each in shelf.of(trial)[1]]


def test_of_a_training_that_goes_on_the_newest_two_and_that_at_its_start_stay():
    shelf = Shelf("/x", Policy())
    shelf.begin(job(0, 0, 2))
    assert shelf.add(0, checkpoint(1)) == shelf.add(0, checkpoint(2)) == []
    shelf.end(job(0, 0, 2), 0.5)
    shelf.begin(job(0, 2, 9))
    found = [shelf.add(0, checkpoint(epoch)) for epoch in (4, 6, 8, 9)]
    gone = [[Removal("/x/trial-00000", names(epoch))] for epoch in (1, 4, 6)]
    assert found == [gone[0], [], gone[1], gone[2]]
    assert left(shelf, 0) == [9, 8, 2]
    assert shelf.bytes == 30


def test_a_finished_training_keeps_nothing_unless_it_is_the_best():
    shelf = Shelf("/x", Policy())
    for trial in range(3):
        shelf.begin(job(trial, 0, 1))
        shelf.add(trial, checkpoint(1))
    assert shelf.end(job(0, 0, 1), 0.5) == []
    assert shelf.finish([0]) == [Removal("/x/trial-00000", (), frozenset(names(1)))]
    shelf.end(job(1, 0, 1), 0.7)
    assert shelf.finish([1]) == [Removal("/x/trial-00001", names(1), frozenset())]
    assert shelf.end(job(2, 0, 1), 0.4) == [Removal("/x/trial-00000", names(1), frozenset())]
    assert [left(shelf, trial) for trial in range(3)] == [[], [], [1]]
    assert shelf.bytes == 10
    assert shelf.finish([0, 1]) == [], "each is closed once"


def test_a_better_result_without_any_checkpoint_does_not_cost_the_best_that_has_one():
    shelf = Shelf("/x", Policy())
    shelf.begin(job(0, 0, 1))
    shelf.add(0, checkpoint(1))
    shelf.end(job(0, 0, 1), 0.5)
    shelf.begin(job(1, 0, 1))  # its result is reused
    assert shelf.end(job(1, 0, 1), 0.1) == []
    assert shelf.finish([0, 1])[0] == Removal("/x/trial-00000", (), frozenset(names(1)))
    assert left(shelf, 0) == [1]


def test_ties_go_to_more_epochs_and_then_to_the_lower_trial():
    shelf = Shelf("/x", Policy())
    for trial, stop in ((0, 1), (1, 2), (2, 2)):
        shelf.begin(job(trial, 0, stop))
        shelf.add(trial, checkpoint(stop))
        shelf.end(job(trial, 0, stop), 0.5)
        shelf.finish([trial])
    assert [left(shelf, trial) for trial in range(3)] == [[], [2], []]


def test_lasting_ones_and_every_so_many_epochs_stay():
    shelf = Shelf("/x", Policy(keep_every=3, lasting=True))
    shelf.begin(job(0, 0, 10))
    for epoch in range(1, 11):
        shelf.add(0, checkpoint(epoch))
    shelf.end(job(0, 0, 10), None)
    shelf.finish([0])
    assert shelf.needed() == {"/x/trial-00000": frozenset(names(3, 6, 9, 10))}
    assert shelf.bytes == 40


def test_where_each_budget_is_a_training_of_its_own_it_is_over_with_its_job():
    shelf = Shelf("/x", Policy(from_scratch=True))
    removals = []
    for number, (stop, loss) in enumerate([(2, 0.5), (4, 0.4), (8, 0.6)]):
        shelf.begin(job(0, 0, stop, number))
        assert left(shelf, 0) == [], "it knows no checkpoint of another budget"
        shelf.add(0, checkpoint(stop))
        removals += shelf.end(job(0, 0, stop, number), loss)
    assert removals == [
        Removal("/x/trial-00000", (), frozenset(names(2))),
        Removal("/x/trial-00000", names(2), frozenset()),
        Removal("/x/trial-00000/to-00004", (), frozenset(names(4))),
        Removal("/x/trial-00000/to-00008", names(8), frozenset()),
    ]
    assert shelf.needed()["/x/trial-00000/to-00004"] == frozenset(names(4)), "the best of all budgets"


def test_of_a_user_s_own_function_only_what_it_reported_is_deleted():
    shelf = Shelf("/x", Policy(named_only=True))
    shelf.begin(job(0, 0, 2))
    shelf.add(0, checkpoint(1))
    shelf.add(0, checkpoint(2))
    shelf.end(job(0, 0, 2), None)
    assert shelf.finish([0]) == [Removal("/x/trial-00000", names(2, 1))]


def test_keep_all_deletes_nothing_and_still_counts():
    for named_only, taken in ((True, 50), (False, 20)):  # our own trials delete what they supersede by themselves
        shelf = Shelf("/x", Policy(deletes=False, named_only=named_only))
        shelf.begin(job(0, 0, 5))
        assert [shelf.add(0, checkpoint(epoch)) for epoch in range(1, 6)] == [[]] * 5
        assert shelf.end(job(0, 0, 5), 1.0) == shelf.finish([0]) == []
        assert shelf.bytes == taken


def test_going_back_forgets_what_is_written_again():
    shelf = Shelf("/x", Policy())
    shelf.begin(job(0, 0, 9))
    for epoch in (3, 6, 4):
        shelf.add(0, checkpoint(epoch))
    assert left(shelf, 0) == [4, 3]
    shelf.add(0, checkpoint(4, size=25))
    assert shelf.bytes == 35
    assert shelf.largest == 25


def test_a_study_without_checkpoints_has_nothing_to_delete():
    shelf = Shelf("/x", Policy())
    shelf.begin(job(0, 0, 1))
    assert shelf.end(job(0, 0, 1), 1.0) == shelf.finish([0]) == []


def test_what_is_needed_now_is_spared():
    removal = Removal("/x", ("a", "b"), frozenset("c"))
    assert removal.sparing(frozenset("bd")) == Removal("/x", ("a",), frozenset("bcd"))


def test_policies():
    scheduler = {"kind": "asha", "configs": 1}
    assert policy(make_spec({"name": "a", "scheduler": scheduler})) == Policy()
    assert not policy(make_spec({"name": "a", "scheduler": scheduler, "keep": "all"})).deletes
    search = policy(make_spec({"name": "a", "problem": {"kind": "search", "recipe": {"keep_every": 7}}}))
    assert search == Policy(keep_every=7, lasting=True, from_scratch=True)
    objective = {"kind": "objective", "objective": "a:b", "space": {"x": {"range": [0.0, 1.0]}}}
    assert policy(make_spec({"name": "a", "scheduler": scheduler, "problem": objective})).named_only


# --- with a driver -------------------------------------------------------------------------------------

SCHEDULERS = {
    "asha": {"kind": "asha", "r": 1, "R": 27, "eta": 3, "configs": 30},
    "eager": {"kind": "asha", "r": 1, "R": 16, "eta": 2, "configs": 20, "promotion": "eager"},
    "epochs": {"kind": "asha", "r": 1, "R": 27, "eta": 3, "max_epochs": 90},
    "async-hyperband": {"kind": "async-hyperband", "r": 1, "R": 9, "eta": 3, "configs": 20},
    "hyperband": {"kind": "hyperband", "r": 1, "R": 9, "eta": 3},
    "random": {"kind": "random", "R": 4, "configs": 9},
}


class Disk:
    """The files that trials write and the driver has deleted: {folder: {name: checkpoint}}."""

    def __init__(self):
        self.files = {}
        self.most = 0

    def remove(self, removal):
        here = self.files.get(removal.folder, {})
        assert removal.keep is None, "the trials are a function of the user's"
        for name in removal.names:
            here.pop(name, None)

    def save(self, folder, saved):
        self.files.setdefault(folder, {})[saved.name] = saved
        self.most = max(self.most, len(self.all()))

    def all(self):
        return [(folder, name) for folder, here in self.files.items() for name in here]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_a_job_finds_the_checkpoint_it_begins_with(scheduler, seed):
    """Several workers, failures and retries; in the end the best trial's newest checkpoint is all that is left."""
    space = {"x": {"range": [0.0, 1.0]}}
    spec = make_spec(
        {
            "name": "s", "seed": seed, "scheduler": SCHEDULERS[scheduler],
            "problem": {"kind": "objective", "objective": "a:b", "space": space},
        }
    )  # fmt: skip
    disk, rng, written = Disk(), random.Random(seed), []
    driver = Driver(spec, build(spec, lambda task: 0.0), written.append, "/x", remove=disk.remove)
    busy, answer, saved = [], None, 0
    while answer is not DONE or busy:
        while len(busy) < 4 and hasattr(answer := driver.ask(), "task"):
            there = disk.files.get(answer.task.folder, {})
            if answer.task.start:
                assert {answer.task.checkpoints[0].name} <= set(there)
                assert answer.task.checkpoints[0].epoch >= answer.task.start
            busy.append(answer)
        if busy:
            assignment = busy.pop(rng.randrange(len(busy)))
            if rng.random() < 0.2:
                driver.ended(assignment, Failure("worker_lost", "gone"))
                continue
            new = checkpoint(assignment.task.stop)
            disk.save(assignment.task.folder, new)
            saved += 1
            loss = rng.random() if rng.random() < 0.9 else float("nan")
            driver.report(assignment, Report(new.epoch, {"loss": loss}, checkpoint=new))
            driver.ended(assignment, None)
    assert len(disk.all()) == 1
    assert disk.most < saved
    told = [(event.loss, event.job) for event in written if event.kind == "told" and event.loss is not None]
    asked = {event.job: event for event in written if event.kind == "asked"}
    best = asked[min(told, key=lambda one: (one[0], -asked[one[1]].stop))[1]]
    assert disk.all()[0][0] == f"/x/trial-{best.trial:05d}"
