"""A study in a folder of its own, the processes that run it, and what must hold of it in the end."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

from tests.crash import driver, stored, wobbly
from tests.crash.processes import MARK, alive, descendants, kill_all, marked

ROOT = Path(__file__).resolve().parents[2]
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


INLINE = {"kind": "inline"}
TWO_OF_RAY = {"kind": "ray", "workers": 2, "dashboard": False}


class Home:
    """One study in a folder of its own, and the processes that run it."""

    def __init__(self, folder, *, store=None, engine=INLINE, trouble=False, checkpoints=None, **scheduler):
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
        lines = [f'name = "{NAME}"', "seed = 5", *([f'checkpoints = "{checkpoints}"'] if checkpoints else [])]
        lines += ["[problem]", 'kind = "objective"', 'objective = "wobbly:train"']
        lines += ["space = { x = { range = [0.0, 1.0] } }"]
        lines += ["[scheduler]", *(f"{key} = {value}" for key, value in scheduler.items())]
        lines += ["[engine]", *(f"{key} = {json.dumps(value)}" for key, value in engine.items())]
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


def go_on(home):
    """Resume; a study that was killed before it was added is begun."""
    code = home.run("resume", NAME)
    if code == 2 and "unknown study" in home.output and not home.rows():
        code = home.run("run", str(home.file))
    assert code == 0, home.output


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
