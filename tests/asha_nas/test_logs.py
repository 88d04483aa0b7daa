"""Logs: one JSON object a line, that names study, trial and job, from the driver and from workers."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import asha_nas
from asha_nas import logs, owners
from asha_nas.store import Store
from trials.contract import Report, Task


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def written():
    """What is logged, as objects, when called."""
    stream = io.StringIO()
    handler = logs.write_to(stream)
    yield lambda: lines(stream.getvalue())
    logs.stop(handler)


def troubled(task):
    if task.trial == 1:
        raise RuntimeError("on purpose:\nsecond line")
    yield Report(task.stop, {"loss": float(task.trial)})


def study_of(tmp_path, objective, **engine):
    store = Store(str(tmp_path / "studies.db"))
    return asha_nas.objective_study(
        "first", objective, {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=1, configs=2),
        engine=asha_nas.Workers(**engine), retries=asha_nas.Retries(crashed=0), store=store,
    )  # fmt: skip


def test_a_line_has_its_parts(written):
    log = logging.getLogger("trials.somewhere")
    with logs.bound(study="first", trial=3, job=None):
        log.info("%d things", 2)
        with logs.bound(job=7):
            log.warning("näher")
    log.debug("too fine")
    log.error("outside")
    one, two, three = written()
    assert {key: one[key] for key in ("level", "logger", "study", "trial", "message")} == {
        "level": "info", "logger": "trials.somewhere", "study": "first", "trial": 3, "message": "2 things",
    }  # fmt: skip
    assert one["time"].endswith("+00:00") and "job" not in one
    assert (two["job"], two["trial"], two["message"]) == (7, 3, "näher")
    assert not {"study", "trial", "job"} & set(three)


def test_a_study_tells_what_it_decides_and_where_trials_fail(written, tmp_path):
    study = study_of(tmp_path, troubled, kind="inline")
    study.run()
    found = written()
    assert all(line["study"] == "first" for line in found)
    of_one = [line for line in found if line.get("job") == 1]
    assert {line["trial"] for line in of_one} == {1}
    [crash] = [line for line in of_one if "traceback" in line]
    assert crash["level"] == "error" and crash["message"] == "attempt failed"
    assert "in troubled" in crash["traceback"] and "RuntimeError: on purpose" in crash["traceback"]
    assert of_one[-1]["message"].startswith("ended without a result: crashed: RuntimeError: on purpose")
    messages = [line["message"] for line in found if line.get("job") == 0]
    assert messages == [
        "job for rung 0: epochs 0 to 1", "job begins: epochs 0 to 1", "epoch 1: loss 0", "ended with loss 0",
    ]  # fmt: skip
    assert found[-1]["message"] == "session 0 closed: done"


def test_nothing_is_wrapped_where_no_logs_are_wanted(tmp_path):
    assert not logs.is_on()
    study = study_of(tmp_path, troubled, kind="inline")
    assert study.run() == "done"
    assert not logs.is_on()


def test_what_is_bound_does_not_leak_between_steps(written):
    def two_steps(task):
        yield Report(1, {"loss": 0.0})
        yield Report(2, {"loss": 0.0})

    reports = logs.LoggedTrial(two_steps, "first")(Task(0, {}, 0, 2, 0, "/none", job=5))
    next(reports)
    logging.getLogger("asha_nas").info("between")
    assert "job" not in written()[-1]
    assert len(list(reports)) == 1


def test_a_worker_writes_to_its_standard_error():
    code = (
        "import logging\nfrom asha_nas.logs import LoggedTrial\nfrom trials.contract import Report, Task\n"
        "def trial(task):\n    logging.getLogger('trials').warning('here')\n    yield Report(1, {'loss': 0.0})\n"
        "list(LoggedTrial(trial, 'first')(Task(2, {}, 0, 1, 0, '/none', job=5)))\n"
        "import sys; assert 'torch' not in sys.modules and 'ray' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = lines(done.stderr)
    assert [line["message"] for line in found] == ["job begins: epochs 0 to 1", "here"]
    assert {(line["study"], line["trial"], line["job"]) for line in found} == {("first", 2, 5)}


@pytest.mark.ray
def test_ray_keeps_what_workers_write(local_ray, written, tmp_path):
    import ray

    def fails(task):
        raise RuntimeError("on a worker")
        yield

    study_of(tmp_path, fails, kind="ray", workers=1).run()
    told = [line["message"] for line in written() if line.get("job") == 1]
    assert told == ["job for rung 0: epochs 0 to 1", "ended without a result: crashed: RuntimeError: on a worker"]
    folder = Path(ray._private.worker._global_node.get_logs_dir_path())
    kept = [line for file in folder.glob("worker-*.err") for line in file.read_text().splitlines() if "first" in line]
    crashes = [line for line in map(json.loads, kept) if "traceback" in line]
    assert {(line["study"], line["trial"], line["job"]) for line in crashes} == {("first", 0, 0), ("first", 1, 1)}
    assert all("in fails" in line["traceback"] for line in crashes)


@pytest.fixture
def no_log_stays():
    before = [*logging.getLogger("asha_nas").handlers]
    yield
    for handler in [*logging.getLogger("asha_nas").handlers]:
        if handler not in before:
            logs.stop(handler)
            handler.stream.close()


def test_the_command_line_logs_to_a_file(cli, tmp_path, no_log_stays):
    file = tmp_path / "log.jsonl"
    file.write_text('{"message": "before"}\n')
    options = ("asha", "-R", "1", "--configs", "1", "--engine", "inline", "--name", "logged", "--json")
    assert cli("--log-file", str(file), *options)[0] == 0
    found = lines(file.read_text())
    assert found[0] == {"message": "before"}
    assert found[-1]["message"] == "session 0 closed: done" and found[-1]["study"] == "logged"
    assert found[-1]["owner"] == owners.owner()


def test_a_log_that_cannot_be_written(cli):
    code, _, err = cli("--log-file", "/proc/no/log", "ls")
    assert code == 2 and "log /proc/no/log: cannot be written" in err and "--log-file" in err
