"""Killing anything at any moment loses nothing and changes no decision: real processes, real SIGKILLs.

No test depends on its timing. A process is killed by itself at a counted event (`tests.crash.driver`), or from
outside while it stands at a gate (`tests.crash.wobbly`); everything that is waited for is polled, with a bound.
"""

import json
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from asha_nas.driver import trial_seed
from tests.crash import stored, wobbly
from tests.crash.home import (
    ENOUGH,
    NAME,
    TWO_OF_RAY,
    Home,
    check_epochs,
    check_goes_on,
    check_told_once,
    checkpoints,
    go_on,
    lines,
)
from tests.crash.processes import alive, kill_all, name_of, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(900)]

EVERY = int(os.environ.get("ASHA_NAS_CRASH_EVERY", "5"))
"""Of the points at which a driver can die, every how-many-th is tried; 1 for all (a minute more)."""


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
    here = home(engine=TWO_OF_RAY, **LADDER)
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
    here = home(engine=TWO_OF_RAY, **LADDER)
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
