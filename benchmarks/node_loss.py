"""What the loss of a node costs: seconds until its job is trained again elsewhere, and epochs that are trained again.

A study of one job at a time, epochs of 0.3 s and a checkpoint every third, on a head and two nodes as real processes of
this machine. In its third or fourth epoch the node that trains is *killed* (SIGKILL to all its processes, as when a
machine is shut down), or falls *silent* (SIGSTOP to all of them: as with a power cut or a pulled cable, nobody closes a
connection). Or only its worker is killed. The time ends with the first epoch on the other node, so the start of a
worker there, which imports PyTorch and Ray, is part of it. Beside it the same with Ray's own health checks.

Goal: at most the epochs since the last checkpoint, and 10 s.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _common import ROOT, Goal, Spread, Table, alternating, parser, progress, publish

sys.path.insert(0, str(ROOT))  # the tests are no package that is installed

from cluster import health
from tests.crash.world import World

EPOCH_SECONDS = 0.3
SAVED_EVERY = 3
HOW = ("node killed", "node silent", "worker killed")
RAYS_OWN = {
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "5",
}
"""As Ray 2.60 has them."""
LONGEST_SECONDS = 180.0
ALLOWED_SECONDS = 10.0


def main() -> None:
    """Lose nodes in turn, and print."""
    options = parser(__doc__ or "", repeats=5)
    options.add_argument("--rays-own", type=int, default=2, help="repeats with Ray's own health checks")
    given = options.parse_args()
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    for checks, variables, repeats in (("ours", health.CHECKS, given.repeats), ("Ray's", RAYS_OWN, given.rays_own)):
        runs[checks] = _lose(checks, variables, repeats) if repeats else {}
    rows = [_row(how, runs) for how in HOW]
    columns = [
        "",
        "seconds until trained again",
        "with Ray's health checks",
        "Ray's / ours",
        "epochs again",
        "saved epochs again",
    ]
    table = Table("A node is lost", columns, rows)
    found = [each for how in HOW for each in runs["ours"].get(how, [])]
    publish(given.json, [table], [_goal(found)], runs, ["asha-nas", "ray", "torch"])


def _lose(checks: str, variables: dict[str, str], repeats: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {how: [] for how in HOW}
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world", silence_minutes=60.0)
        world.home.environment |= variables
        try:
            for repeat, how in alternating(HOW, repeats):
                world.mend()
                found[how].append(_once(world, how))
                progress(f"{checks} health checks, repeat {repeat + 1}, {how}: {found[how][-1]}")
        finally:
            world.close()
    return found


def _once(world: World, how: str) -> dict[str, float]:
    with world.study():
        world.slow_down(EPOCH_SECONDS)
        world.start()
        _wait(lambda: len(world.trained()) >= SAVED_EVERY)
        time.sleep(EPOCH_SECONDS / 2)
        worker, before = world.worker(), world.trained()
        lost = {worker} if how == "worker killed" else set(world.family(world.node()))
        began = time.perf_counter()
        _send(lost, signal.SIGSTOP if how == "node silent" else signal.SIGKILL)
        _wait(lambda: world.worker() not in (None, worker))
        seconds = time.perf_counter() - began
        begun = world.trained()[len(before)]
        _send(lost, signal.SIGKILL)  # what only fell silent goes now
        world.finish()
        saved = [epoch for trial, epoch in before if trial == begun[0] and epoch % SAVED_EVERY == 0]
    return {
        "seconds": seconds, "again": sum(trial == begun[0] and epoch >= begun[1] for trial, epoch in before),
        "saved_again": sum(epoch >= begun[1] for epoch in saved[:-1]),
    }  # fmt: skip


def _send(pids: set[Any], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait(condition: Any) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"nothing for {LONGEST_SECONDS:.0f} s")
        time.sleep(0.01)


def _row(how: str, runs: dict[str, dict[str, list[dict[str, float]]]]) -> list[str]:
    ours, theirs = runs["ours"][how], runs["Ray's"].get(how, [])
    seconds = Spread.of(each["seconds"] for each in ours)
    again = [Spread.of(each[key] for each in ours).text(0) for key in ("again", "saved_again")]
    if not theirs:
        return [how, seconds.text(), "not measured", "·", *again]
    rays = Spread.of(each["seconds"] for each in theirs)
    return [how, seconds.text(), rays.text(), f"{rays.median / seconds.median:.1f}×", *again]


def _goal(found: list[dict[str, float]]) -> Goal:
    longest, saved = max(each["seconds"] for each in found), sum(each["saved_again"] for each in found)
    claim = f"at most the epochs since the last checkpoint, and {ALLOWED_SECONDS:.0f} s"
    measured = f"at most {longest:.1f} s; {saved:.0f} epochs before the last checkpoint trained again"
    return Goal(claim, measured, longest <= ALLOWED_SECONDS and not saved)


if __name__ == "__main__":
    main()
