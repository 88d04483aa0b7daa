"""Killing anything at any moment loses nothing and changes no decision: real processes, real SIGKILLs.

No test depends on its timing. A process is killed by itself at a counted event (`tests.crash.driver`), or from
outside while it stands at a gate (`tests.crash.wobbly`); everything that is waited for is polled, with a bound.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from asha_nas.runner import trial_seed
from tests.crash import driver, wobbly
from tests.crash.processes import (
    MARK, alive, born, descendants, kill_all, marked, name_of, wait_until,
)  # fmt: skip

pytestmark = pytest.mark.kill

ROOT = Path(__file__).resolve().parent.parent
NAME = "wobbly"
CLI = "from asha_nas.cli import main; main()"
SESSIONS = ("opened", "closed")
"""Events that say who ran the study; all others say what came out."""

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "alembic.command", "alembic.config", "asha_nas.api", "asha_nas.cli", "asha_nas.plan", "pytest", "sklearn.datasets",
        "sqlalchemy.dialects.sqlite", "trials.data.catalogue", "tests.crash.driver",
    ]
)  # fmt: skip


class Home:
    """One study in a folder of its own, and the processes that run it."""

    def __init__(self, folder, *, engine="inline", trouble=False, **scheduler):
        self.folder = folder
        (folder / "gates").mkdir(parents=True)
        (folder / "modules").mkdir()
        shutil.copy(wobbly.__file__, folder / "modules")
        if trouble:
            (folder / "trouble").touch()
        self.ray = Path(tempfile.mkdtemp(prefix="r-", dir="/tmp"))  # short: Ray's sockets lie below it
        self.mark = uuid.uuid4().hex
        self.started = []
        self.known = {}
        self.environment = {
            "ASHA_NAS_STORE": str(folder / "studies.db"), "CRASH_FOLDER": str(folder), "XDG_DATA_HOME": str(folder / "data"),
            "PYTHONPATH": f"{folder / 'modules'}{os.pathsep}{ROOT}", "RAY_TMPDIR": str(self.ray), "TMPDIR": str(self.ray),
            "COLUMNS": "300", MARK: self.mark,
        }  # fmt: skip
        lines = [f'name = "{NAME}"', "seed = 5", "[problem]", 'kind = "objective"', 'objective = "wobbly:train"']
        lines += ["space = { x = { range = [0.0, 1.0] } }", "[scheduler]", *(f"{k} = {v}" for k, v in scheduler.items())]
        lines += ["[engine]", f'kind = "{engine}"', *(["workers = 2", "dashboard = false"] if engine == "ray" else [])]
        self.file = folder / "study.toml"
        self.file.write_text("\n".join(lines))

    # --- running -----------------------------------------------------------------------------------

    def fork(self, *arguments, moment=None):
        """Run a command to its end in a fork of a process that has imported everything; gives the exit code."""
        process = FORKS.Process(
            target=driver.forked, args=(arguments, self.environment, str(self.folder / "output.txt"), moment)
        )
        process.start()
        process.join(120)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"{arguments} hangs:\n{self.output}")
        code = process.exitcode
        process.close()
        return code

    def start(self, *arguments, moment=None):
        """Start the command line as a user's shell does, in a process group of its own."""
        command = ["-c", CLI] if moment is None else ["-m", "tests.crash.driver", json.dumps(moment)]
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [sys.executable, *command, *arguments], cwd=self.folder, stdout=output, stderr=output,
                env={**os.environ, **self.environment}, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *arguments, moment=None):
        """`start`, and wait for its end; gives the exit code."""
        return self.start(*arguments, moment=moment).wait(120)

    def everyone(self):
        """All processes of this study that live, whoever their parent is now."""
        running = [process.pid for process in self.started if process.poll() is None]
        self.known |= descendants(*running) | marked(self.mark)
        return alive(self.known)

    def clean(self):
        for _ in range(3):  # a process that was being born may have been missed
            kill_all(self.everyone())
        for process in self.started:
            process.wait(10)
        shutil.rmtree(self.ray, ignore_errors=True)

    # --- looking -----------------------------------------------------------------------------------

    @property
    def output(self):
        return (self.folder / "output.txt").read_text()

    def rows(self):
        """The log: (kind, key, payload) in order; with Opened the driver's pid."""
        if not (self.folder / "studies.db").exists():
            return []
        connection = sqlite3.connect(self.folder / "studies.db", timeout=30)
        try:
            found = connection.execute("SELECT kind, key, payload, clock FROM events ORDER BY sequence").fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []
        finally:
            connection.close()
        rows = [(kind, key, json.loads(payload), json.loads(clock)) for kind, key, payload, clock in found]
        return [(kind, key, payload | {k: v for k, v in clock.items() if k == "pid"}) for kind, key, payload, clock in rows]

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


TROUBLE = dict(trouble=True, r=2, R=8, eta=2, configs=6)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The inline study with all its troubles, never killed; and the points that its driver passed."""
    home = Home(tmp_path_factory.mktemp("undisturbed") / "home", **TROUBLE)
    assert home.fork("run", str(home.file), moment={"do": "list"}) == 0, home.output
    home.points = json.loads((home.folder / "points.json").read_text())
    return home


def in_two_lanes(work, cases):
    """Do `work` for every case on both cores; tell of all that went wrong."""

    def attempt(case):
        try:
            work(case)
        except AssertionError as error:
            return f"{case}: {error}"
        return None

    with ThreadPoolExecutor(2) as lanes:
        wrong = [found for found in lanes.map(attempt, cases) if found]
    assert not wrong, f"{len(wrong)} of {len(cases)}\n" + "\n\n".join(wrong)


def check_as_undisturbed(home, undisturbed, killed=()):
    rows = home.rows()
    assert [row for row in rows if row[0] not in SESSIONS] == undisturbed.payloads()
    check_told_once(rows)
    assert home.of("closed")[-1]["reason"] == "done"
    (expected,) = undisturbed.epochs().values()
    check_epochs(home.epochs(), rows, expected)


def test_the_undisturbed_study_meets_every_trouble(undisturbed):
    kinds = [payload["failure"]["kind"] for payload in undisturbed.of("failed")]
    assert sorted(kinds) == ["crashed"] * 2 + ["out_of_memory"]
    kinds = [payload["failure"]["kind"] for payload in undisturbed.of("told") if "failure" in payload]
    assert kinds == ["diverged", "crashed"]
    assert max(payload["epoch"] for payload in undisturbed.of("reported")) == 8
    check_told_once(undisturbed.rows())


def test_a_driver_killed_at_any_point(home, undisturbed):
    def crash(number):
        here = home(f"at-{number}", **TROUBLE)
        code = here.fork("run", str(here.file), moment={"count": number, "do": "kill"})
        assert code == -signal.SIGKILL
        code = here.fork("resume", NAME)
        if code == 2 and "unknown study" in here.output:  # killed before it was added
            code = here.fork("run", str(here.file))
        assert code == 0, here.output
        check_as_undisturbed(here, undisturbed)

    in_two_lanes(crash, range(1, len(undisturbed.points) + 1))


def test_count(undisturbed):
    import collections
    print(len(undisturbed.points), collections.Counter(undisturbed.points)); print(undisturbed.points[:40])
    assert 0


def test_an_interrupt_at_any_point(home, undisturbed):
    def interrupt(number):
        here = home(f"at-{number}", **TROUBLE)
        code = here.fork("run", str(here.file), moment={"count": number, "do": "interrupt"})
        assert code in (0, 130), (undisturbed.points[number - 1], here.output)
        kinds = [row[0] for row in here.rows()]
        if "opened" in kinds:
            assert here.rows()[-1][0] == "closed", (undisturbed.points[number - 4 : number], here.rows()[-3:], here.output)
        code = here.fork("resume", NAME)
        if code == 2 and "unknown study" in here.output:
            code = here.fork("run", str(here.file))
        assert code == 0, here.output
        check_as_undisturbed(here, undisturbed)

    in_two_lanes(interrupt, range(1, len(undisturbed.points) + 1))
