"""What trials that train share: going on from a checkpoint, saving, seeds, schedules, and named failures."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from trials import checkpoint as checkpoints
from trials import storage
from trials.contract import Checkpoint, OutOfMemory, Task


class Learner(Protocol):
    """Something in training that can be saved and restored."""

    epoch: int
    """Epochs trained so far."""

    def state(self) -> checkpoints.State:
        """All that later epochs depend on."""
        ...

    def restore(self, state: checkpoints.State) -> None:
        """Go on from a :meth:`state`."""
        ...


def prepare_process(threads: int) -> torch.device:
    """Choose the device and settle what PyTorch keeps for the whole process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    _keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _keep_freed_memory() -> None:
    """Make glibc hold on to freed memory rather than give it back.

    A step frees what the next one allocates again, and getting a map of some megabytes from the system costs more, in
    page faults, than computing it. Other C libraries are left as they are.
    """
    trim_threshold, mmap_max, disabled = -1, -4, -1
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, disabled)
        mallopt(mmap_max, 0)


@contextmanager
def named_failures() -> Iterator[None]:
    """Turn running out of memory, on a GPU or not, into the failure that retry policies know."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(str(error).partition("\n")[0]) from error
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise OutOfMemory(str(error).partition("\n")[0]) from error


def derive(seed: int, *streams: int) -> int:
    """An independent seed for each purpose, so that drawing more for one does not change another."""
    return int(np.random.SeedSequence([seed, *streams]).generate_state(1, np.uint64)[0])


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network computes with activations of ``float32`` or ``bfloat16``."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def state_of(
    epoch: int, network: nn.Module, optimizer: torch.optim.Optimizer, generators: Mapping[str, torch.Generator]
) -> checkpoints.State:
    """What a training depends on from here, where its schedules are functions of the epoch alone."""
    return {
        "epoch": epoch,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generators": {name: generator.get_state() for name, generator in generators.items()},
    }


def restore(
    state: checkpoints.State,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
) -> int:
    """Bring back a :func:`state_of`; returns its epoch."""
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    for name, generator in generators.items():
        generator.set_state(state["generators"][name])
    epoch: int = state["epoch"]
    return epoch


def cosine(epoch: int, horizon: int, highest: float, lowest: float) -> float:
    """Learning rate after ``epoch`` epochs (Loshchilov and Hutter, 2017, arXiv:1608.03983, equation 5)."""
    return lowest + (highest - lowest) * (1.0 + math.cos(math.pi * epoch / horizon)) / 2.0


def resume(learner: Learner, task: Task) -> tuple[Checkpoint | None, dict[str, Any]]:
    """Go on from the newest usable checkpoint; returns it and what the first report should mention.

    With none at all the trial starts again from epoch 0: it takes longer, and the results are the same.
    """
    notes: dict[str, Any] = {}
    state, start, damaged = checkpoints.load_newest(task.folder, task.checkpoints)
    if state is not None:
        learner.restore(state)
    if damaged:
        notes["damaged_checkpoint"] = ", ".join(damaged)
    if learner.epoch < task.start:
        notes["retrained_from_epoch"] = learner.epoch
    return start, notes


class Saver:
    """Saves checkpoints and deletes those no longer needed.

    Kept are the newest two of this job (the log may not know the newest yet when the process dies), the one
    it started from, the one at ``task.start``, and every one at a multiple of ``keep_every`` epochs.
    """

    def __init__(self, task: Task, start: Checkpoint | None, keep_every: int | None = None) -> None:
        self._task = task
        self._keep_every = keep_every
        self._base = {each.name for each in task.checkpoints if each is start or each.epoch == task.start}
        self._own: list[str] = []
        self._last = time.monotonic()

    def keeps(self, epoch: int) -> bool:
        """Whether a checkpoint at ``epoch`` is kept to the end."""
        return self._keep_every is not None and epoch % self._keep_every == 0

    def due(self, minutes: float) -> bool:
        """Whether the last one, or the start, is ``minutes`` ago, or the study is about to stop."""
        return time.monotonic() - self._last >= 60.0 * minutes or storage.exists(self._task.stop_sign)

    def save(self, learner: Learner) -> tuple[Checkpoint | None, dict[str, Any]]:
        """Save its state as of now; returns the checkpoint, and what the report should mention.

        A folder that takes no file costs the trial its checkpoint, not its result: a later job trains again from an
        older one.
        """
        name = _name(learner.epoch)
        self._last = time.monotonic()
        try:
            saved = checkpoints.save(self._task.folder, name, learner.epoch, learner.state())
        except checkpoints.CheckpointNotWritten as error:
            return None, {"checkpoint_not_written": str(error).partition("\n")[0]}
        self._own = [*self._own[-1:], name]
        every = self._keep_every or learner.epoch + 1
        # By their names, as a task knows only the newest checkpoints of earlier sessions.
        kept = {_name(epoch) for epoch in range(every, learner.epoch + 1, every)}
        checkpoints.prune(self._task.folder, {*self._base, *self._own, *kept})
        return saved, {}


def _name(epoch: int) -> str:
    return f"epoch-{epoch:05d}{checkpoints.SUFFIX}"
