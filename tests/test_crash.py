"""Killing anything at any moment loses nothing and changes no decision: real processes, real SIGKILLs.

No test depends on its timing. A process is killed by itself at a counted event (`tests.crash.driver`), or from
outside while it stands at a gate (`tests.crash.wobbly`); everything that is waited for is polled, with a bound.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from asha_nas.driver import trial_seed
from tests.crash import driver, stored, wobbly
from tests.crash.processes import MARK, alive, descendants, kill_all, marked, name_of, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(900)]

EVERY = int(os.environ.get("ASHA_NAS_CRASH_EVERY", "5"))
"""Of the points at which a driver can die, every how-many-th is tried; 1 for all (a minute more)."""

ROOT = Path(__file__).resolve().parent.parent
NAME = "wobbly"
CLI = "from asha_nas.cli import main; main()"
ENOUGH = 120.0
"""Seconds that nothing here should ever take, on a busy machine either."""
SESSIONS = ("opened", "closed")
"""Events that say who ran the study; all others say what came out."""

ASKING = threading.Lock()
"""Starting a fork asks how all earlier ones ended, and of two threads that ask at a time one is told 255."""

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "alembic.command", "alembic.config", "asha_nas.api", "asha_nas.cli", "asha_nas.engines.ray_tune",
        "asha_nas.plan", "pytest", "sklearn.datasets", "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite", "tests.crash.driver", "trials.data.catalogue",
    ]
)  # fmt: skip


def exit_code(process):
    """Of a process of `Home.fork`; None while it runs."""
    with ASKING:
        return process.exitcode


class Home:
    """One study in a folder of its own, and the processes that run it."""

    def __init__(self, folder, *, store=None, engine="inline", trouble=False, **scheduler):
        self.folder = folder
        self.store = store or str(folder / "studies.db")
        (folder / "gates").mkdir(parents=True)
        (folder / "modules").mkdir()
        shutil.copy(wobbly.__file__, folder / "modules")
        if trouble:
            (folder / "trouble").touch()
        self.ray = Path(tempfile.mkdtemp(prefix="r-", dir="/tmp"))  # short: Ray's sockets lie below it
        self.mark = uuid.uuid4().hex
        self.started = []
        self.forks = []
        self.known = {}
        self.ignored = {}
        self.environment = {
            "ASHA_NAS_STORE": self.store, "XDG_DATA_HOME": str(folder / "data"),
            "PYTHONPATH": f"{folder / 'modules'}{os.pathsep}{ROOT}", "CRASH_FOLDER": str(folder), MARK: self.mark,
            "RAY_TMPDIR": str(self.ray), "TMPDIR": str(self.ray), "COLUMNS": "300",
        }  # fmt: skip
        lines = [f'name = "{NAME}"', "seed = 5", "[problem]", 'kind = "objective"', 'objective = "wobbly:train"']
        lines += [
            "space = { x = { range = [0.0, 1.0] } }",
            "[scheduler]",
            *(f"{k} = {v}" for k, v in scheduler.items()),
        ]
        lines += ["[engine]", f'kind = "{engine}"', *(["workers = 2", "dashboard = false"] if engine == "ray" else [])]
        self.file = folder / "study.toml"
        self.file.write_text("\n".join(lines))

    # --- running -----------------------------------------------------------------------------------

    def fork(self, *arguments, moment=None):
        """Start a command in a fork of a process that has imported everything: seconds faster than `start`."""
        process = FORKS.Process(
            target=driver.forked, args=(arguments, self.environment, str(self.folder / "output.txt"), moment)
        )
        with ASKING:
            process.start()
        self.forks.append(process)
        return process

    def run(self, *arguments, moment=None):
        """`fork`, and wait for its end; gives the exit code."""
        return self.ended(self.fork(*arguments, moment=moment))

    def start(self, *arguments, moment=None):
        """Start the command line as a user's shell does."""
        command = ["-c", CLI] if moment is None else ["-m", "tests.crash.driver", json.dumps(moment)]
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [sys.executable, *command, *arguments], cwd=self.folder, stdout=output, stderr=output,
                env={**os.environ, **self.environment}, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def ended(self, process):
        """Wait for a process of `fork` or `start`; gives its exit code."""
        if isinstance(process, subprocess.Popen):
            return process.wait(ENOUGH)
        wait([process.sentinel], ENOUGH)
        code = exit_code(process)
        assert code is not None, f"hangs: {self.output}"
        return code

    def everyone(self):
        """All processes of this study that live, whoever their parent is now: {pid: born}."""
        roots = [process.pid for process in self.started if process.poll() is None]
        roots += [process.pid for process in self.forks if exit_code(process) is None]
        self.known |= descendants(*roots) | marked(self.mark)
        return {pid: since for pid, since in alive(self.known).items() if pid not in self.ignored}

    def clean(self):
        for _ in range(3):  # a process that was being born may have been missed
            kill_all(self.everyone())
        for process in [*self.started, *self.forks]:
            self.ended(process)
        shutil.rmtree(self.ray, ignore_errors=True)

    # --- looking -----------------------------------------------------------------------------------

    @property
    def output(self):
        return (self.folder / "output.txt").read_text()

    def rows(self):
        """The log: (kind, key, payload) in order; with Opened the driver's pid."""
        return [
            (kind, key, payload | {k: v for k, v in clock.items() if k == "pid"})
            for kind, key, payload, clock in stored.events(self.store)
        ]

    def payloads(self):
        return [row for row in self.rows() if row[0] not in SESSIONS]

    def of(self, kind):
        return [payload for found, _, payload in self.rows() if found == kind]

    def epochs(self):
        """What was trained: {process: [(trial, epoch), …]}, in order."""
        path, found = self.folder / "epochs.txt", {}
        for line in path.read_text().splitlines() if path.exists() else []:
            pid, trial, epoch = map(int, line.split())
            found.setdefault(pid, []).append((trial, epoch))
        return found

    def gate(self, trial, epoch):
        return self.folder / "gates" / f"{trial}-{epoch}"

    def who_trains(self, trial, epoch):
        """The process that began with that epoch last; None if there is none."""
        return next((pid for pid, done in reversed(self.epochs().items()) if (trial, epoch) in done), None)


@pytest.fixture
def home(tmp_path):
    """Makes homes, and leaves no process of theirs behind."""
    homes = []

    def make(name="home", **options):
        homes.append(Home(tmp_path / name, **options))
        return homes[-1]

    yield make
    for each in homes:
        each.clean()


# --- what must hold in the end, whatever happened --------------------------------------------------------


def check_told_once(rows):
    asked = {p["job"]: (p["trial"], p["rung"]) for kind, _, p in rows if kind == "asked"}
    told = [p["job"] for kind, _, p in rows if kind == "told"]
    assert len(set(asked.values())) == len(asked), "a (trial, rung) was handed out as two jobs"
    assert sorted(told) == sorted(asked), "each job is told exactly once"


def checkpoints(rows):
    """Newest checkpointed epoch by trial, as the log knows it."""
    trials, newest = {}, {}
    for kind, _, payload in rows:
        if kind == "asked":
            trials[payload["job"]] = payload["trial"]
        elif kind == "reported" and payload.get("checkpoint"):
            newest[trials[payload["job"]]] = payload["epoch"]
    return newest


def check_epochs(epochs, rows, expected):
    """Each session trained a run of what the undisturbed one did, begun right behind the last checkpoint."""
    for index, (kind, key, payload) in enumerate(rows):
        done = epochs.pop(payload["pid"], None) if kind == "opened" else None
        if done:
            (trial, epoch), known = done[0], checkpoints(rows[:index])
            assert epoch - 1 == known.get(trial, 0), f"{key} began trial {trial} at epoch {epoch}, {known} being saved"
            assert any(done == expected[i : i + len(done)] for i in range(len(expected))), f"{key} trained {done}"
            last = done
    assert not epochs, "someone trained without opening the study"
    assert last == expected[-len(last) :]


TROUBLE = {"trouble": True, "r": 2, "R": 8, "eta": 2, "configs": 6}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The inline study with all its troubles, never killed; and the points that its driver passed."""
    home = Home(tmp_path_factory.mktemp("undisturbed") / "home", **TROUBLE)
    assert home.run("run", str(home.file), moment={"do": "list"}) == 0, home.output
    home.points = json.loads((home.folder / "points.json").read_text())
    yield home
    home.clean()


def check_as_undisturbed(home, undisturbed):
    assert home.payloads() == undisturbed.payloads()
    check_told_once(home.rows())
    assert home.of("closed")[-1]["reason"] == "done"
    (expected,) = undisturbed.epochs().values()
    check_epochs(home.epochs(), home.rows(), expected)


def in_two_lanes(work, cases):
    """Do `work` for every case, two at a time; tell of all that went wrong."""

    def attempt(case):
        try:
            work(case)
        except AssertionError as error:
            return f"{case}: {error}"
        return None

    with ThreadPoolExecutor(2) as lanes:
        wrong = [found for found in lanes.map(attempt, cases) if found]
    assert not wrong, f"{len(wrong)} of {len(cases)}\n" + "\n\n".join(wrong)


def go_on(home):
    """Resume; a study that was killed before it was added is begun."""
    code = home.run("resume", NAME)
    if code == 2 and "unknown study" in home.output and not home.rows():
        code = home.run("run", str(home.file))
    assert code == 0, home.output


# --- Ray -------------------------------------------------------------------------------------------------

LADDER = {"r": 4, "R": 8, "eta": 2, "configs": 4}


def check_complete(home):
    """Each job told once, with the loss that its configuration gives, at whatever moment it was trained."""
    rows = home.rows()
    check_told_once(rows)
    jobs = {payload["job"]: payload for payload in home.of("asked")}
    assert sorted(job["rung"] for job in jobs.values()) == [0] * 4 + [1] * 2
    x = {job["trial"]: job["config"]["x"] for job in jobs.values() if job["start"] == 0}
    for payload in home.of("reported"):
        trial = jobs[payload["job"]]["trial"]
        assert payload["metrics"]["loss"] == wobbly.loss(trial_seed(5, trial), x[trial], payload["epoch"])
    reported = {(payload["job"], payload["epoch"]) for payload in home.of("reported")}
    assert reported == {(j, epoch) for j, job in jobs.items() for epoch in range(job["start"] + 1, job["stop"] + 1)}
    for payload in home.of("told"):
        job = jobs[payload["job"]]
        assert payload["loss"] == wobbly.loss(trial_seed(5, job["trial"]), x[job["trial"]], job["stop"])
    assert home.of("closed")[-1]["reason"] == "done"


def lines(home):
    """What was trained, in order: [(trial, epoch), …]."""
    path = home.folder / "epochs.txt"
    return [tuple(map(int, line.split()[1:])) for line in path.read_text().splitlines()] if path.exists() else []


def check_goes_on(home, known, done):
    """After a crash at which the log knew these checkpoints, each trial goes on right behind its own, once."""
    for trial in {trial for trial, _ in done}:
        epochs = [epoch for each, epoch in done if each == trial]
        begun = known.get(trial, 0)
        assert epochs == list(range(begun + 1, begun + 1 + len(epochs))), f"trial {trial}, saved at {begun}: {epochs}"


def crash_of_all(home):
    """SIGKILL to the driver and everything below it at once; gives (checkpoints in the log, epochs trained)."""
    for _ in range(3):
        kill_all(home.everyone())
    wait_until(lambda: not home.everyone(), "the end of all processes")
    return checkpoints(home.rows()), len(lines(home))


@pytest.fixture(scope="module")
def lingering():
    """Ray's own agents, whose raylet was killed with the driver: they look for their GCS for a minute more.

    They train nothing and write nothing of ours. That they do end is seen at the end of this module.
    """
    known = {}
    yield known
    try:
        wait_until(lambda: not alive(known), "the end of Ray's agents", seconds=ENOUGH, every=0.1)
    finally:
        kill_all(known)


@pytest.mark.ray
def test_a_driver_interrupted_then_killed(home, lingering):
    here = home(engine="ray", **LADDER)
    for trial in (0, 1):
        here.gate(trial, 2).touch()
        here.gate(trial, 4).touch()
    process = here.start("run", str(here.file))
    wait_until(lambda: here.who_trains(0, 2) and here.who_trains(1, 2), "both gates")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert here.ended(process) == 130, here.output
    assert here.of("closed") == [{"session": 0, "reason": "interrupted"}]
    assert "interrupted; nothing is lost" in here.output
    assert "Traceback" not in here.output
    wait_until(lambda: not here.everyone(), "the end of all processes")

    here.gate(0, 2).unlink()
    here.gate(1, 2).unlink()
    known, before = checkpoints(here.rows()), len(lines(here))
    process = here.fork("resume", NAME)
    running = wait_until(lambda: here.who_trains(0, 4) and here.who_trains(1, 4) and here.everyone(), "both gates")
    check_goes_on(here, known, lines(here)[before:])
    assert {here.who_trains(0, 4), here.who_trains(1, 4)} < set(running)
    os.kill(process.pid, signal.SIGKILL)
    lingering |= {pid: since for pid, since in running.items() if "Agent" in name_of(pid)}
    here.ignored = lingering
    # The workers stand at their gates and would not end by themselves.
    wait_until(lambda: not here.everyone(), "the end of all that a killed driver's workers do")

    here.gate(0, 4).unlink()
    here.gate(1, 4).unlink()
    known, before = checkpoints(here.rows()), len(lines(here))
    assert known == {0: 3, 1: 3}
    assert here.run("resume", NAME) == 0, here.output
    check_goes_on(here, known, lines(here)[before:])
    check_complete(here)


@pytest.mark.ray
def test_a_worker_killed_then_everything_twice(home):
    here = home(engine="ray", **LADDER)
    here.gate(0, 4).touch()
    process = here.start("run", str(here.file))
    worker = wait_until(lambda: here.who_trains(0, 4), "the gate")
    assert worker in here.everyone()
    assert worker != process.pid
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: lines(here).count((0, 4)) == 2, "the repeat")
    (failed,) = here.of("failed")
    job = next(payload["job"] for payload in here.of("asked") if (payload["trial"], payload["rung"]) == (0, 0))
    assert (failed["job"], failed["attempt"], failed["failure"]["kind"]) == (job, 0, "worker_lost")

    parts = [crash_of_all(here)]
    first = lines(here)
    assert {each for each in first if first.count(each) > 1} == {(0, 4)}, (
        "epoch 3 was saved, so it is not trained again"
    )
    here.gate(0, 4).unlink()
    draw = random.Random(11)  # seven events at least are missing: two reports and ends, a job of four epochs
    moment = {"at": draw.choice(["append", "commit", "appended"]), "count": draw.randint(3, 6), "do": "hang"}
    here.fork("resume", NAME, moment=moment)
    wait_until((here.folder / "hanging").exists, f"{moment}")
    parts.append(crash_of_all(here))
    assert here.run("resume", NAME) == 0, here.output

    done = lines(here)
    for (known, begun), end in zip(parts, [parts[1][1], len(done)], strict=True):
        check_goes_on(here, known, done[begun:end])
    check_complete(here)
    assert here.of("failed") == [failed], "what the crashes cut short is no failed attempt"
    wait_until(lambda: not here.everyone(), "the end of all processes")


# --- inline ----------------------------------------------------------------------------------------------


def test_the_undisturbed_study_meets_every_trouble(undisturbed):
    kinds = [payload["failure"]["kind"] for payload in undisturbed.of("failed")]
    assert sorted(kinds) == ["crashed"] * 2 + ["out_of_memory"]
    kinds = [payload["failure"]["kind"] for payload in undisturbed.of("told") if "failure" in payload]
    assert kinds == ["diverged", "crashed"]
    assert max(payload["epoch"] for payload in undisturbed.of("reported")) == 8
    check_told_once(undisturbed.rows())


def test_killed_at_any_point(home, undisturbed):
    def crash(number):
        here = home(f"{number}", **TROUBLE)
        assert here.run("run", str(here.file), moment={"count": number, "do": "kill"}) == -signal.SIGKILL
        go_on(here)
        check_as_undisturbed(here, undisturbed)

    in_two_lanes(crash, range(1, len(undisturbed.points) + 1, EVERY))


def test_killed_at_any_point_with_the_store_in_postgresql(home, undisturbed, postgres):
    def crash(number):
        with postgres.database() as url:
            here = home(f"{number}", store=url, **TROUBLE)
            assert here.run("run", str(here.file), moment={"count": number, "do": "kill"}) == -signal.SIGKILL
            go_on(here)
            check_as_undisturbed(here, undisturbed)

    in_two_lanes(crash, range(1, len(undisturbed.points) + 1, 5 * EVERY))


def test_the_driver_and_its_server_killed_at_once(home, undisturbed, postgres):
    for number in random.Random(3).sample(range(20, len(undisturbed.points)), 3):
        with postgres.database() as url:
            here = home(f"{number}", store=url, **TROUBLE)
            process = here.fork("run", str(here.file), moment={"count": number, "do": "hang"})
            wait_until((here.folder / "hanging").exists, f"point {number}")
            postgres.stop()
            os.kill(process.pid, signal.SIGKILL)
            here.ended(process)
            assert here.run("ls") == 2
            assert "Is it running, and reachable from here?" in here.output
            postgres.start()
            go_on(here)
            check_as_undisturbed(here, undisturbed)


def test_killed_at_any_point_and_so_is_the_resume(home, undisturbed):
    def crash(case):
        first, second = case
        here = home(f"{first}-{second}", **TROUBLE)
        assert here.run("run", str(here.file), moment={"count": first, "do": "kill"}) == -signal.SIGKILL
        assert here.run("resume", NAME, moment={"count": second, "do": "kill"}) in (-signal.SIGKILL, 0)
        go_on(here)
        check_as_undisturbed(here, undisturbed)

    draw, points = random.Random(7), len(undisturbed.points)
    begun = undisturbed.points.index("append/opened")  # before that there may be nothing to resume
    firsts = draw.sample(range(begun, points - 20), 60 // EVERY)
    in_two_lanes(crash, [(first, draw.randint(1, min(60, points - first))) for first in firsts])


def test_killed_after_every_second_event(home, undisturbed):
    here = home(**TROUBLE)
    assert here.run("run", str(here.file), moment={"at": "appended", "count": 3, "do": "kill"}) == -signal.SIGKILL
    for _ in range(60):
        if (code := here.run("resume", NAME, moment={"at": "appended", "count": 3, "do": "kill"})) == 0:
            break
        assert code == -signal.SIGKILL, here.output
    assert code == 0
    assert len(here.of("opened")) > 15
    check_as_undisturbed(here, undisturbed)


@pytest.mark.parametrize(("how", "every"), [("interrupt", 2 * EVERY), ("terminate", 6 * EVERY)])
def test_interrupted_at_any_point(home, undisturbed, how, every):
    """Ctrl-C, and SIGTERM too: exit code 130, and a closed log while jobs are run."""
    first, last = undisturbed.points.index("append/asked") + 1, undisturbed.points.index("append/closed")

    def interrupt(number):
        here = home(f"{number}", **TROUBLE)
        code = here.run("run", str(here.file), moment={"count": number, "do": how})
        if first <= number <= last:
            assert (code, here.of("closed")) == (130, [{"session": 0, "reason": "interrupted"}]), here.output
            assert f"interrupted; nothing is lost. Go on with: asha-nas resume {NAME}" in here.output
        else:
            assert (code, "Traceback" in here.output) == (130, False), here.output
        go_on(here)
        check_as_undisturbed(here, undisturbed)

    in_two_lanes(interrupt, range(1, len(undisturbed.points) + 1, every))


def test_resuming_a_study_that_is_done_changes_nothing(undisturbed):
    before = undisturbed.rows()
    assert undisturbed.run("resume", NAME) == 0
    assert f"{NAME} is done; nothing is left to do" in undisturbed.output
    assert undisturbed.rows() == before


def test_a_study_that_is_run_is_not_resumed_and_a_driver_taken_for_dead_writes_nothing(home, undisturbed):
    here = home(**TROUBLE)
    here.gate(3, 2).touch()
    first = here.start("run", str(here.file))
    wait_until(lambda: here.who_trains(3, 2), "the gate")
    before = here.rows()

    assert here.run("resume", NAME) == 2
    assert f"study '{NAME}' is being run by another driver (pid {first.pid} on " in here.output
    assert "Stop that driver first, or wait" in here.output
    assert "Traceback" not in here.output
    assert here.rows() == before

    os.kill(first.pid, signal.SIGSTOP)
    stored.execute(here.store, "UPDATE leases SET renewed = renewed - 3600")  # instead of waiting for an hour
    here.gate(3, 2).unlink()
    assert here.run("resume", NAME) == 0, here.output
    check_as_undisturbed(here, undisturbed)

    os.kill(first.pid, signal.SIGCONT)
    after = here.rows()
    assert here.ended(first) == 2
    assert "this driver lost its study to another one" in here.output
    assert here.rows() == after


# --- networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "moment", "again"),
    [
        (5.0, {"at": "append/reported", "count": 8}, Home.start),  # epochs are lost; another interpreter, no fork
        (0.0, {"at": "rename", "count": 8}, Home.fork),  # the newest checkpoint is half written
    ],
)
def test_networks_trained_after_a_crash_are_the_same_to_the_last_bit(home, minutes, moment, again):
    options = [
        "asha",
        "--data",
        "digits",
        "-R",
        "4",
        "--eta",
        "2",
        "--configs",
        "4",
        "--engine",
        "inline",
        "--seed",
        "3",
    ]
    options += ["--name", NAME, "--recipe", "train_limit=160", "--recipe", f"checkpoint_minutes={minutes}", "--json"]
    whole, cut = home("whole"), home("cut")
    assert whole.run(*options) == 0, whole.output
    assert cut.run(*options, moment=moment | {"do": "kill"}) == -signal.SIGKILL
    job = cut.of("asked")[-1]
    assert job["stop"] - job["start"] == 2, "the crash is to come in a job of two epochs"
    assert cut.of("reported")[-1]["job"] == job["job"], "and after its first"
    assert cut.ended(again(cut, "resume", NAME)) == 0, cut.output
    assert cut.payloads() == whole.payloads()
    check_told_once(cut.rows())
