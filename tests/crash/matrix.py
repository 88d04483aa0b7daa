"""What happens to a study, when, and what comes of it: the rows of the crash matrix.

A *moment* is a boundary between two events (the number, from 1, of the event that the driver is about to write; it
hangs there while something happens around it, and goes on if it lives), or seconds after the first epoch began. What
happens is one of :data:`VICTIMS`, :data:`TROUBLES` and :data:`ON_A_DISK`.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from asha_nas import api, problems
from asha_nas.driver import Driver, trial_seed
from asha_nas.errors import ReplayMismatch
from asha_nas.schedulers import DONE
from asha_nas.store import Store
from cluster import processes
from tests.crash import stored, wobbly
from tests.crash.home import NAME
from tests.crash.processes import wait_until
from tests.crash.world import LADDER, World

Moment = int | float
PACE = 0.1
"""Seconds of an epoch where the moment is one of time."""


@dataclass(frozen=True)
class Expected:
    """The study when nothing happens to it."""

    decisions: list | None
    """What is asked for and told, in order; None where jobs run side by side, and the order is theirs to give."""
    jobs: int
    events: int
    trained: int
    """Epochs."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    what: str
    moment: Moment
    resumes: int
    """How often the study had to be resumed; 0 if it went on by itself."""
    lost: int
    """Epochs, ends of jobs and whole jobs that are not there."""
    twice: int
    """Jobs that were told twice, and (trial, rung) that were two jobs."""
    changed: int
    """Losses that are not those of an uninterrupted training."""
    same: bool
    """Whether the decisions are those of the undisturbed study, digit for digit and in the same order; or, where jobs
    run side by side, those that a fresh scheduler takes upon results in that order."""
    missing: int
    """Checkpoints that are needed, and not there or damaged."""
    again: int
    """Epochs that were trained more than once."""
    failed: int
    """Attempts that the log has as failed."""

    @property
    def fine(self):
        """Nothing lost, nothing twice, nothing other than it would have been."""
        return self.same and not (self.lost or self.twice or self.changed or self.missing)


def undisturbed(world):
    """Run the study, and see what it is."""
    with world.study():
        world.start()
        world.finish()
        assert not world.resumes, world.home.output
        rows = world.home.rows()
        decided = decisions(rows) if world.workers == 1 else None
        return Expected(decided, len(world.home.of("asked")), len(rows), len(world.trained()))


def play(world: World, what: str, moment: Moment, expected: Expected) -> Outcome | None:
    """Have it happen to a fresh study at that moment; None if there is nothing then that it could happen to."""
    happens = (VICTIMS | TROUBLES | ON_A_DISK)[what]
    with world.study():
        if isinstance(moment, int):
            world.start({"at": "append", "count": moment, "do": "hang"})
        else:
            world.slow_down(PACE)
            world.start()
            time.sleep(moment)
        happened = happens(world, random.Random(f"{what}/{moment}")) is not False
        world.let_go()
        world.finish()
        return outcome(world, what, moment, expected) if happened else None


def outcome(world, what, moment, expected):
    """Compare the study with what it would have been."""
    rows = world.home.rows()
    jobs = {payload["job"]: payload for kind, _, payload in rows if kind == "asked"}
    told = [payload for kind, _, payload in rows if kind == "told"]
    losses = {
        (p["job"], p["epoch"]): p["metrics"]["loss"] for kind, _, p in rows if kind == "reported"
    }  # a key is written once
    due = [(number, epoch) for number, job in jobs.items() for epoch in range(job["start"] + 1, job["stop"] + 1)]
    ended = {payload["job"] for payload in told}
    rungs = {(job["trial"], job["rung"]) for job in jobs.values()}
    return Outcome(
        what, moment, world.resumes,
        lost=sum(each not in losses for each in due) + len(jobs.keys() - ended) + max(0, expected.jobs - len(jobs)),
        twice=len(jobs) - len(rungs) + len(told) - len(ended),
        changed=sum(losses.get(each, losses_of(jobs)(*each)) != losses_of(jobs)(*each) for each in due),
        same=replays(world) if expected.decisions is None else decisions(rows) == expected.decisions,
        missing=missing(world, jobs, told),
        again=len(world.trained()) - expected.trained, failed=len(world.home.of("failed")),
    )  # fmt: skip


def decisions(rows):
    """What was asked for and told, in order."""
    return [row for row in rows if row[0] in ("asked", "told")]


def replays(world):
    """Whether a fresh scheduler decides what the log says, given the results in the log's order; and is done then."""
    store = Store(world.home.store)
    try:
        study = api.load(NAME, store=store)
        problem = problems.build(study.spec, wobbly.train)
        driver = Driver(study.spec, problem, lambda _event: None, study.folder)
        driver.replay(store.rows(store.study(NAME)))
        return driver.ask() is DONE
    except ReplayMismatch:
        return False
    finally:
        store.close()


def losses_of(jobs):
    """The loss that a job has at an epoch, when its trial is trained in one go."""
    x = {job["trial"]: job["config"]["x"] for job in jobs.values() if job["start"] == 0}

    def loss(number, epoch):
        trial = jobs[number]["trial"]
        return wobbly.loss(trial_seed(5, trial), x[trial], epoch)

    return loss


def missing(world, jobs, told):
    """Of the best trial the newest checkpoint that the log knows must be there, as it was written."""
    best = min((payload["loss"], jobs[payload["job"]]["trial"]) for payload in told)[1]
    saved = [
        payload["checkpoint"]
        for kind, _, payload in world.home.rows()
        if kind == "reported" and payload.get("checkpoint") and jobs[payload["job"]]["trial"] == best
    ]
    return int(bool(saved) and max(saved, key=lambda each: each["epoch"])["sha256"] not in world.checkpoints())


# --- who is killed -----------------------------------------------------------------------------------------

Happening = Callable[[World, random.Random], bool | None]
"""Does it; False if there is nothing that it could be done to."""

VICTIMS: dict[str, Happening] = {
    "driver": lambda world, _: world.kill_driver(),
    "worker": lambda world, _: world.kill_worker(),
    "node": lambda world, _: world.kill_node(),
    "head": lambda world, _: world.kill_head(),
    "database": lambda world, _: world.kill_database(),
    "everything": lambda world, _: world.kill_everything(),
}
"""SIGKILL, to all its processes at once; the database's server ends as at its own crash."""


# --- what else happens ---------------------------------------------------------------------------------------


def driver_asked_to_end(world, _rng):
    """A preempted machine, the end of a batch job's time: the log is closed in good order."""
    os.kill(world.driver.pid, signal.SIGTERM)
    world.let_go()
    code = world.home.ended(world.driver)
    assert code in (130, 0), world.home.output
    if code == 130 and len(world.home.rows()) > 1:
        assert world.home.of("closed") == [{"session": 0, "reason": "interrupted"}], world.home.output


def node_asked_to_end(world, _rng):
    """The same of the worker's node."""
    world.slow_down(PACE)
    os.kill(world.leader(world.node()), signal.SIGTERM)


def one_after_the_other(world, rng):
    """Three victims at random moments; whatever goes down with them is started again at once."""
    world.slow_down(PACE)
    world.let_go()
    for _ in range(3):
        time.sleep(rng.uniform(0.1, 0.8))
        VICTIMS[rng.choice([*(victim for victim in VICTIMS if victim != "database" or world.server)])](world, rng)
        if not world.driver_lives or "head" not in world.running():
            world.home.ended(world.driver)
            world.mend()
            world.resume()


def resume_killed(world, rng):
    """The driver is killed, and the resume at some event of its own."""
    world.kill_driver()
    world.home.ended(world.driver)
    world.resume({"at": "append", "count": rng.randint(1, 8), "do": "kill"})


def driver_stopped(world, _rng):
    """SIGSTOP to the driver until it is taken for dead and another one has taken over; then it wakes up."""
    if not world.home.of("opened"):
        return False
    first = world.driver
    os.kill(first.pid, signal.SIGSTOP)
    stored.execute(world.home.store, "UPDATE leases SET renewed = renewed - 3600")  # instead of waiting for an hour
    world.resume()
    code = world.home.ended(world.driver)
    after = world.home.rows()
    os.kill(first.pid, signal.SIGCONT)
    world.let_go()
    assert world.home.ended(first) != 0, world.home.output
    assert code == 0 and world.home.rows() == after, world.home.output
    return None


def worker_stopped(world, _rng):
    """SIGSTOP to the worker in the midst of an epoch, for ever; a while later its job is somebody else's."""
    world.slow_down(0.5)
    world.let_go()
    time.sleep(0.2)
    stopped = world.worker()
    if stopped is None or not world.driver_lives:
        return False
    os.kill(stopped, signal.SIGSTOP)
    world.home.ended(world.driver)
    wait_until(lambda: processes.process(stopped) is None, "the end of the stopped process")
    return None


def checkpoint_damaged(world, rng):
    """The driver is killed, and the newest checkpoint that a training can go on from is cut, or a bit of it flipped."""
    world.kill_driver()
    world.home.ended(world.driver)
    there = [path for path in world.checkpoints().values() if path.name != f"epoch-{LADDER['R']:05d}.ckpt"]
    if not there:
        return False
    newest = max(there, key=lambda path: path.stat().st_mtime_ns)
    content = bytearray(newest.read_bytes())
    if rng.random() < 0.5:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    else:
        del content[rng.randrange(len(content)) :]
    newest.write_bytes(content)
    return None


def folder_slow(world, _rng):
    """Writing a checkpoint takes long, and the worker's node dies meanwhile."""
    world.slow_down(0.0, saving=2.0)
    world.let_go()
    time.sleep(1.0)
    world.kill_node()
    world.slow_down(0.0)


def disk_full(world, _rng):
    """No byte is left on the disk of the checkpoints, until the driver has stopped or is done."""
    ballast = world.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass
    world.let_go()
    world.home.ended(world.driver)
    ballast.unlink()


def folder_read_only(world, _rng):
    """The disk of the checkpoints takes nothing more, until the driver has stopped or is done."""
    world.remount("ro")
    world.let_go()
    world.home.ended(world.driver)
    world.remount("rw")


def clock_set(hours):
    """The clock of the driver's machine is set back by hours, or forward where they are negative; then it dies."""

    def happens(world, rng):
        (world.home.folder / "jump").write_text(f"{hours}")
        world.let_go()
        time.sleep(rng.uniform(0, 0.2))
        world.kill_driver()

    return happens


TROUBLES: dict[str, Happening] = {
    "driver, SIGTERM": driver_asked_to_end,
    "node, SIGTERM": node_asked_to_end,
    "driver, then the resume": resume_killed,
    "three, one after the other": one_after_the_other,
    "driver stopped, another takes over": driver_stopped,
    "worker stopped": worker_stopped,
    "driver, newest checkpoint damaged": checkpoint_damaged,
    "node, while a slow folder is written": folder_slow,
    "driver, its clock a day back": clock_set(24.0),
    "driver, its clock a day forward": clock_set(-24.0),
}
ON_A_DISK: dict[str, Happening] = {"disk full": disk_full, "folder read-only": folder_read_only}
"""Troubles that need :attr:`World.disk`."""
