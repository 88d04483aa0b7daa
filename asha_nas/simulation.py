"""Playing a study of look-ups on a virtual clock, once or hundreds of times, on all processors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache

from asha_nas import problems
from asha_nas.analysis.trajectory import TrajectoryFold
from asha_nas.engines import SimulatorEngine
from asha_nas.errors import UserError
from asha_nas.problems import Problem
from asha_nas.runner import Driver
from asha_nas.store import Repeated
from asha_nas.study import Simulation, StudySpec

FEW = 4
"""Repeats up to which starting processes takes longer than it saves; and that a process plays before it reports."""


def engine(spec: StudySpec, repeat: int = 0, began: float | None = None) -> SimulatorEngine:
    """The virtual cluster of a spec; see :class:`SimulatorEngine` for ``began``."""
    options = spec.engine
    assert isinstance(options, Simulation)
    return SimulatorEngine(
        options.workers, stragglers=options.stragglers, failures=options.failures, seed=spec.seed + repeat, began=began
    )


def play(spec: StudySpec, problem: Problem, repeat: int) -> Repeated:
    """Play one repeat, from the study's seed + ``repeat``. Nothing is written."""
    seeded = spec.model_copy(update={"seed": spec.seed + repeat})
    cluster, fold = engine(spec, repeat, began=0.0), TrajectoryFold()
    driver = Driver(seeded, problem, lambda event: fold.add(event, cluster.now()), folder="", clock=cluster.now)
    cluster.run(driver, problem.trial)
    return Repeated(repeat=repeat, seed=seeded.seed, trajectory=fold.trajectory().to_plain())


def play_all(spec: StudySpec, problem: Problem, repeats: Sequence[int], processes: int) -> Iterator[Repeated]:
    """Play many repeats, each yielded as it is done. What they give does not depend on ``processes``."""
    processes = min(processes, -(-len(repeats) // FEW))
    if processes < 2:
        yield from (play(spec, problem, repeat) for repeat in repeats)
        return
    text = spec.model_dump_json()
    # A fresh interpreter: forking one in which libraries run threads of their own is not safe.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_in_the_pool) as pool:
        pieces = [tuple(repeats[k : k + FEW]) for k in range(0, len(repeats), FEW)]
        futures = [pool.submit(_play_some, text, piece) for piece in pieces]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "the processes that play repeats could not start or were ended\n"
                "A script that plays them needs `if __name__ == '__main__':` around what it does; or let it play in"
                " one process: processes=1."
            ) from error
        finally:
            for future in futures:
                future.cancel()


def missing(spec: StudySpec, done: Iterable[int]) -> list[int]:
    """Numbers of the repeats that are still to be played; none for a study that is not repeated."""
    assert isinstance(spec.engine, Simulation)
    return [] if spec.engine.repeats == 1 else sorted(set(range(spec.engine.repeats)) - set(done))


def repeater(
    spec: StudySpec, problem: Problem, done: Iterable[int], processes: int | None
) -> Callable[[Callable[[Repeated], None]], None]:
    """What plays the missing repeats and hands each one on."""

    def play_missing(write: Callable[[Repeated], None]) -> None:
        for repeated in play_all(spec, problem, missing(spec, done), processes or len(os.sched_getaffinity(0))):
            write(repeated)

    return play_missing


def _in_the_pool() -> None:
    """Leave Ctrl-C to the parent, and go when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_go_with_the_parent, daemon=True).start()


def _go_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _play_some(text: str, repeats: tuple[int, ...]) -> list[Repeated]:
    """In a process of the pool."""
    spec, problem = _built(text)
    return [play(spec, problem, repeat) for repeat in repeats]


@cache
def _built(text: str) -> tuple[StudySpec, Problem]:
    spec = StudySpec.model_validate_json(text)
    return spec, problems.build(spec)
