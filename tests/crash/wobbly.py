"""The objective of the crash tests. Copied into a folder of its own, and imported from there by name.

Its state is a chain of digests, so that an epoch left out, doubled or begun from the wrong checkpoint
changes every later loss. It writes down each epoch that it trains (`epochs.txt`: process, trial, epoch),
and stops at a gate, a file `gates/TRIAL-EPOCH`, until someone takes the gate away. Files `pace` and `slow` say how many
seconds an epoch and the saving of a checkpoint take.
"""

import hashlib
import math
import os
import time
from pathlib import Path

from tests.crash.stored import events
from trials import checkpoint
from trials.contract import Report

BEHAVIOUR = {1: "diverges", 2: "crashes", 4: "hiccups", 5: "runs out"}
"""What goes wrong, by trial, in a study whose folder has a file `trouble`; at its epoch 2 and, for a hiccup, once."""


def begin(seed):
    return hashlib.sha256(f"{seed}".encode()).hexdigest()


def advance(state, x, epoch):
    return hashlib.sha256(f"{state}/{x!r}/{epoch}".encode()).hexdigest()


def loss_of(state, epoch):
    return int(state[:12], 16) / 16**12 + 1 / epoch


def loss(seed, x, epoch):
    """What an uninterrupted training of that many epochs gives."""
    state = begin(seed)
    for each in range(1, epoch + 1):
        state = advance(state, x, each)
    return loss_of(state, epoch)


def train(task):
    """Save every third epoch and the last one."""
    home, x = Path(os.environ["CRASH_FOLDER"]), task.config["x"]
    saved, found, _ = checkpoint.load_newest(task.folder, task.checkpoints)
    state, begun = (saved["state"], found.epoch) if saved else (begin(task.seed), 0)
    for epoch in range(begun + 1, task.stop + 1):
        write_down(home / "epochs.txt", f"{os.getpid()} {task.trial} {epoch}")
        wait_at(home / "gates" / f"{task.trial}-{epoch}")
        take_time(home / "pace")
        state = advance(state, x, epoch)
        value = loss_of(state, epoch)
        if epoch == 2 and (home / "trouble").exists():
            value = go_wrong(task.trial, value)
        due = epoch % 3 == 0 or epoch == task.stop
        kept = save(home, task.folder, epoch, state) if due else None
        yield Report(epoch, {"loss": value, "x": x}, 0.25, kept, {"state": state[:8]} if epoch % 2 else {})


def save(home, folder, epoch, state):
    """The checkpoint; None where it cannot be written."""
    take_time(home / "slow")
    try:
        return checkpoint.save(folder, f"epoch-{epoch:05d}.ckpt", epoch, {"state": state})
    except checkpoint.CheckpointNotWritten:
        return None


def write_down(path, line):
    """In one call, so that it is there whole, or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def take_time(file):
    """As many seconds as the file says, if there is one."""
    if file.exists():
        time.sleep(float(file.read_text() or 0))


def wait_at(gate):
    for _ in range(12000):
        if not gate.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(f"nobody opened {gate}")


def go_wrong(trial, value):
    match BEHAVIOUR.get(trial):
        case "diverges":
            return math.nan
        case "crashes":
            raise RuntimeError("on purpose, every time")
        case "hiccups" if failures(trial) == 0:
            raise RuntimeError("on purpose, the first time")
        case "runs out" if failures(trial) == 0:
            raise MemoryError("on purpose, the first time")
    return value


def failures(trial):
    """Attempts at the trial that the log knows to have failed: so a repeat after a crash is the same attempt."""
    found = events(os.environ["ASHA_NAS_STORE"])
    jobs = {payload["job"] for kind, _, payload, _ in found if kind == "asked" and payload["trial"] == trial}
    return sum(kind == "failed" and payload["job"] in jobs for kind, _, payload, _ in found)
