"""Studies of look-ups on a virtual clock, from the command line."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asha_nas import api
from asha_nas.store import Closed, Opened, Repeated, Store
from asha_nas.study import make_spec

FILE = """
seed = 5
[problem]
kind = "table"
table = "s1-digits"
[scheduler]
kind = "hyperband"
r = 1
R = 4
eta = 2
iterations = 6
"""


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For the store and drawings."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FILE)
    return str(path)


def events(name):
    store = Store()
    return [row.event for row in store.rows(store.study(name))]


def times(name):
    store = Store()
    return [row.time for row in store.rows(store.study(name))]


def test_a_study_is_played_and_every_report_works_on_it(cli, file, tmp_path):
    code, out, err = cli("simulate", file, "--workers", "8")
    assert code == 0, err
    assert "study-simulated: hyperband over cells of s1, looked up in s1-digits, rungs at 1, 2, 4 epochs" in out
    assert "of 8 virtual workers" in out
    assert "regret of the best" in out
    for command in (
        ("show", "study-simulated"), ("best", "study-simulated"), ("explain", "study-simulated", "0"),
        ("compare", "study-simulated", "--axis", "clock"), ("ls",),
    ):  # fmt: skip
        code, out, err = cli(*command)
        assert code == 0, (command, err)
    assert (tmp_path / "data/asha-nas/drawings/study-simulated.png").exists()


def test_the_clock_is_that_of_so_many_workers(cli, file):
    for workers in (1, 4):
        assert cli("simulate", file, "--workers", str(workers), "--name", f"w{workers}")[0] == 0
    took = {}
    for workers in (1, 4):
        history = api.load(f"w{workers}", store=Store()).history()
        spent = history.trajectory.end
        took[workers] = spent.clock_seconds
        assert times(f"w{workers}") == sorted(times(f"w{workers}"))
        assert spent.spent_seconds / workers <= spent.clock_seconds + 1e-3
    one = api.load("w1", store=Store()).history().trajectory.end
    assert one.clock_seconds == pytest.approx(one.spent_seconds, rel=1e-3)
    assert took[4] < took[1] / 2


def test_repeats_are_kept_and_told(cli, file):
    code, out, err = cli("simulate", file, "--workers", "3", "--repeats", "7", "--processes", "2", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["repeats"] == 7
    assert found["best"]["regret"]["repeats"] == 7
    assert found["best"]["regret"]["standard_error"] > 0
    log = events("study-simulated")
    repeated = [event for event in log if isinstance(event, Repeated)]
    assert sorted(event.repeat for event in repeated) == list(range(7))
    assert {event.seed for event in repeated} == set(range(5, 12))
    assert isinstance(log[-1], Closed)


def test_a_simulated_study_is_resumed_with_the_repeats_that_are_missing(cli, file):
    assert cli("simulate", file, "--repeats", "6", "--name", "whole")[0] == 0
    whole = events("whole")
    store = Store()
    spec = store.study("whole").spec.replace('"name":"whole"', '"name":"cut"')
    record = store.create("cut", spec, store.study("whole").provenance)
    lease = store.lease(record)
    kept = [i for i, event in enumerate(whole) if isinstance(event, Repeated)][2]
    store.append_all(lease, [(event, 1e9 + i) for i, event in enumerate(whole[: kept + 1])])
    lease.release()
    code, _, err = cli("resume", "cut")
    assert code == 0, err

    def repeats(name):
        return {event.repeat: event.trajectory for event in events(name) if isinstance(event, Repeated)}

    assert repeats("cut") == repeats("whole")
    assert sum(isinstance(event, Opened) for event in events("cut")) == 2


def test_stragglers_and_failures_are_played(cli, file):
    assert cli("simulate", file, "--workers", "4", "--name", "smooth")[0] == 0
    assert cli("simulate", file, "--workers", "4", "--stragglers", "2", "--failures", "500", "--name", "rough")[0] == 0
    ends = [api.load(name, store=Store()).history().trajectory.end.clock_seconds for name in ("smooth", "rough")]
    assert ends[1] > 1.5 * ends[0]
    jobs = api.load("rough", store=Store()).history().jobs.values()
    assert any(failure.kind == "worker_lost" for job in jobs for failure in job.retries)


def test_a_rehearsal_leaves_the_name_to_the_study_itself(cli, file):
    assert cli("simulate", file)[0] == 0
    assert cli("simulate", file)[0] == 0
    assert {study.name for study in Store().studies()} == {"study-simulated", "study-simulated-2"}


@pytest.mark.parametrize(
    ("text", "options", "parts"),
    [
        (FILE, ("--workers", "0"), ["engine.workers = 0", "greater than or equal to 1"]),
        (FILE, ("--repeats", "0"), ["engine.repeats = 0"]),
        (FILE, ("--stragglers", "-1"), ["engine.stragglers = -1.0"]),
        (FILE.replace("R = 4", "R = 5"), (), ["epochs of a rung = 5", "1, 2, 4 epochs", "r = 1, R = 4, eta = 2"]),
        (FILE.replace('"s1-digits"', '"s9"'), (), ["unknown table 's9'"]),
        ('[problem]\nkind = "tune"\n[scheduler]\nkind = "bohb"\nR = 4\n', (),
         ["engine.kind = 'simulator'", "problem.kind = 'tune'", "table, curves"]),
        (FILE + "[engine]\nkind = 'simulatr'\n", (), ["engine.kind = 'simulatr'", "did you mean 'simulator'"]),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_told(cli, tmp_path, text, options, parts):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    code, out, err = cli("simulate", str(path), *options)
    assert code == 2, out
    assert all(part in err for part in parts), err
    assert Store().studies() == []


def test_functions_that_report_seconds_can_be_played(tmp_path):
    from asha_nas import Asha, Simulation, objective_study
    from trials.contract import Report

    def objective(task):
        for epoch in range(task.start + 1, task.stop + 1):
            yield Report(epoch, {"loss": task.config["x"] / epoch}, seconds=3600.0)

    study = objective_study(
        "played", objective, {"x": {"range": [0.0, 1.0]}}, Asha(R=9, eta=3, configs=27),
        engine=Simulation(workers=9, repeats=3), store=Store(str(tmp_path / "s.db")),
    )  # fmt: skip
    began = time.monotonic()
    assert study.run() == "done"
    assert time.monotonic() - began < 60
    history = study.history()
    assert history.trajectory.end.epochs == 27 + 9 * 2 + 3 * 6
    assert history.trajectory.end.spent_seconds == 3600.0 * history.trajectory.end.epochs
    assert len(history.repeats) == 3


@pytest.mark.kill
def test_killed_while_repeats_are_played_nothing_is_lost(cli, file, tmp_path):
    code = "from asha_nas.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "simulate",
        file,
        "--repeats",
        "4000",
        "--processes",
        "1",
        "--name",
        "killed",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            time.sleep(0.2)
            names = [study.name for study in Store().studies()] if (tmp_path / "data/asha-nas").exists() else []
            if "killed" in names and sum(isinstance(event, Repeated) for event in events("killed")) > 5:
                break
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = {event.repeat: event.trajectory for event in events("killed") if isinstance(event, Repeated)}
    assert 5 < len(before) < 4000
    # The rest of them would take a while; fewer are wanted now.
    store = Store()
    few = min(set(range(4000)) - set(before)) + 3
    with store._database.engine.begin() as connection:
        from asha_nas.store.schema import studies

        spec = store.study("killed").spec.replace('"repeats":4000', f'"repeats":{few}')
        connection.execute(studies.update().values(spec=spec))
    assert cli("resume", "killed")[0] == 0
    after = {event.repeat: event.trajectory for event in events("killed") if isinstance(event, Repeated)}
    assert set(after) == set(before) | set(range(few))
    assert all(after[number] == before[number] for number in before)


CURVES = {"kind": "objective", "objective": "tests:unused", "space": {"x": {"range": [0.0, 1.0]}}}


def half_of_them_diverge(task):
    """Whether it does follows from the trial's seed alone."""
    return math.nan if task.seed % 2 else task.config["x"]


def study_of(store, repeats, **scheduler):
    spec = make_spec({
        "name": "played", "problem": CURVES, "scheduler": {"kind": "random", "R": 2, "configs": 1, **scheduler},
        "engine": {"kind": "simulator", "repeats": repeats},
    })  # fmt: skip
    return api.create(spec, store=store, objective=half_of_them_diverge)


def test_repeats_that_found_nothing_are_left_out_and_counted(cli):
    from asha_nas.analysis.lines import Entry

    study = study_of(Store(), repeats=12)
    assert study.run() == "done"
    history = study.history()
    empty = [number for number, one in history.repeats.items() if not len(one)]
    assert 0 < len(empty) < 12
    entry = Entry.of(history)
    assert (len(entry.trajectories), entry.empty) == (12 - len(empty), len(empty))
    code, out, _ = cli("compare", "played", "--axis", "evaluations")
    assert code == 0
    assert f"{len(empty)} of 12 repeats of played found nothing and are left out" in " ".join(out.split())


def test_a_function_without_seconds_counts_one_an_epoch(tmp_path):
    logs = []
    for name in ("a", "b"):
        study = study_of(Store(str(tmp_path / f"{name}.db")), repeats=1, configs=30)
        assert study.run() == "done"
        logs.append([(row.event, row.time) for row in study.store.rows(study.store.study("played"))])
        assert study.history().trajectory.end.spent_seconds == 2.0 * sum(
            job.failure is None for job in study.history().jobs.values()
        )
    began = [log[0][1] for log in logs]
    assert [t - began[0] for _, t in logs[0]] == pytest.approx([t - began[1] for _, t in logs[1]])


def test_an_interrupted_first_run_is_played_again_from_its_beginning(tmp_path):
    whole = study_of(Store(str(tmp_path / "whole.db")), repeats=1, configs=40)
    assert whole.run() == "done"
    cut, heard = study_of(Store(str(tmp_path / "cut.db")), repeats=1, configs=40), []

    def interrupt(event):
        heard.append(event)
        if len(heard) == 50:
            raise KeyboardInterrupt

    assert cut.run([interrupt]) == "interrupted"
    assert cut.history().state == "new"  # what goes on from jobs in flight would have other times
    assert cut.run() == "done"
    ends = [study.history().trajectory for study in (whole, cut)]
    assert ends[0].loss == ends[1].loss
    assert ends[0].clock_seconds == pytest.approx(ends[1].clock_seconds)


def test_the_time_limit_of_repeats_cannot_be_changed_afterwards(tmp_path):
    from asha_nas.errors import InvalidValue

    study = study_of(Store(str(tmp_path / "s.db")), repeats=3, configs=5, max_hours=1.0)
    with pytest.raises(InvalidValue, match="max_hours"):
        study.run(max_hours=2.0)


@pytest.mark.kill
def test_processes_that_play_repeats_go_when_their_parent_is_killed(file):
    code = "from asha_nas.cli import main; main()"
    options = ["--repeats", "100000", "--processes", "2", "--name", "killed"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, "simulate", file, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip

    def players():
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    deadline = time.monotonic() + 120
    while len(pids := players()) < 3 and time.monotonic() < deadline:  # two of them, and the tracker of resources
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(pids) >= 3
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
