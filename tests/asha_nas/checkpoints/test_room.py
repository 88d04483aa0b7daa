"""Room for checkpoints: told before there is none, in words."""

import pytest

from asha_nas.checkpoints import RESERVE_BYTES, Room
from asha_nas.errors import SpecError
from asha_nas.problems import build
from asha_nas.runner import Driver
from asha_nas.schedulers import DONE, WAIT
from asha_nas.store import Reported, Store
from asha_nas.study import make_spec
from asha_nas.study.size import parse_size
from spaces.errors import InvalidValue
from tests.asha_nas import test_runner as runs
from trials.contract import Checkpoint, Failure, Report


def test_there_is_room_up_to_the_quota_and_not_beyond():
    room = Room(quota=100)
    assert room.shortage(taken=60, largest=10, jobs=2) is None
    found = room.shortage(taken=61, largest=10, jobs=2)
    assert (found.what, found.needed, found.left) == ("quota", 40, 39)
    assert room.shortage(taken=10**9, largest=0, jobs=2) is None, "a study that saves nothing needs none"


def test_some_of_the_disk_is_left_alone():
    assert Room(free=lambda: RESERVE_BYTES + 20).shortage(5, 10, 1) is None
    found = Room(free=lambda: RESERVE_BYTES + 19).shortage(5, 10, 1)
    assert found.what == "disk"
    assert str(found) == "64.0 MB are free on the disk of the checkpoints, and another job needs 64.0 MB"
    assert Room(free=lambda: None).shortage(5, 10**12, 1) is None, "nobody knows"


def test_deletions_under_way_are_waited_for_before_a_disk_is_called_full():
    free = [0]

    def settle():
        free[0] = 10**9

    assert Room(free=lambda: free[0], settle=settle).shortage(5, 10, 1) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GB", 20_000_000_000), ("1.5 tb", 1_500_000_000_000), ("500000", 500_000), ("3 kB", 3000), ("7B", 7)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "20 parsecs", "0", "0.1B", "1e9"])
def test_what_is_no_size(text):
    with pytest.raises(InvalidValue, match="Write 20GB"):
        parse_size(text)


def test_a_spec_takes_text_and_keeps_bytes():
    values = {"name": "a", "scheduler": {"configs": 1}}
    assert make_spec({**values, "quota": "2 MB"}).quota == 2_000_000
    assert (make_spec(values).keep, make_spec(values).quota) == ("needed", None)
    with pytest.raises(SpecError, match=r"keep = 'some'"):
        make_spec({**values, "keep": "some"})
    with pytest.raises(SpecError, match=r"quota = 0"):
        make_spec({**values, "quota": 0})


# --- the driver ----------------------------------------------------------------------------------------


def driver_with(quota, **options):
    spec = runs.spec_of(**options)
    written = []
    return Driver(spec, build(spec, runs.objective), written.append, "/x", room=Room(quota)), written


def finish(driver, assignment, size=10):
    stop = assignment.task.stop
    saved = Checkpoint(f"epoch-{stop:05d}.ckpt", stop, "0" * 64, size)
    driver.report(assignment, Report(stop, {"loss": 1.0 + assignment.task.trial}, checkpoint=saved))
    driver.ended(assignment, None)


def test_jobs_in_flight_are_finished_before_a_study_is_called_full():
    driver, _ = driver_with(quota=45)
    first, second = driver.ask(), driver.ask()
    finish(driver, first)
    assert driver.ask() is WAIT, "10 bytes taken, and two jobs may write 20 each"
    assert driver.shortage is None
    finish(driver, second)
    third = driver.ask()
    assert third.task.trial == 2
    finish(driver, third)
    assert driver.ask() is DONE
    assert str(driver.shortage) == "0.0 MB are left of the quota, and another job needs 0.0 MB"
    assert driver.ask() is DONE


def test_a_job_to_repeat_needs_room_as_well():
    driver, _ = driver_with(quota=15, scheduler={"kind": "random", "R": 1, "configs": 3})
    first, second = driver.ask(), driver.ask()
    finish(driver, first)
    driver.ended(second, Failure("worker_lost", "gone"))
    assert driver.ask() is DONE
    assert driver.shortage is not None


def test_a_full_study_loses_nothing_and_goes_on_when_there_is_room(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    spec = runs.spec_of("small", quota=60)
    record = runs.begin(store, spec)
    assert runs.go_on(store, record, spec, runs.Scripted()) == "full"
    log = runs.events(store, record)
    assert log[-1].reason == "full"
    assert "of the quota" in log[-1].clock["shortage"]
    asked, told = ([event.job for event in log if event.kind == kind] for kind in ("asked", "told"))
    assert asked == told
    assert 0 < len(told) < 13
    assert runs.go_on(store, record, spec, runs.Scripted(), quota=10**6) == "done"
    assert runs.decided(runs.events(store, record)) == runs.decided(runs.whole(store))
    assert any(isinstance(event, Reported) and event.checkpoint for event in log)
    store.close()
