"""What the store's suite runs in other processes. Imports little, so that a process starts fast."""

import itertools
import os
import signal
from contextlib import contextmanager
from multiprocessing import get_context

from asha_nas.store import Reported, Store

SPAWN = get_context("spawn")  # a fork would share the parent's database connections


@contextmanager
def process(target, *args):
    """Run `target(pipe, *args)` in a process of its own; gives the process and our end of the pipe."""
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=target, args=(theirs, *args), daemon=True)
    child.start()
    theirs.close()
    try:
        yield child, ours
    finally:
        if child.is_alive():
            child.kill()
        child.join()
        ours.close()


def kill(child):
    """As the kernel does it when memory runs out. The process stays a zombie until it is joined."""
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def reported(number, text="x"):
    return Reported(job=number, epoch=1, metrics={"loss": number / 7}, notes={"text": text * 50})


def hold(pipe, url, name):
    """Take the lease, say whether it worked, and hold it until told to let go."""
    store = Store(url)
    try:
        lease = store.lease(store.study(name))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send("held")
    pipe.recv()
    lease.release()


def write(pipe, url, name, count):
    """Wait for a word, then append events, as many as asked for or without end; acknowledge each one."""
    store = Store(url)
    lease = store.lease(store.study(name))
    pipe.send("ready")
    pipe.recv()
    for number in range(count) if count else itertools.count():
        store.append(lease, reported(number, name[-1]))
        pipe.send(number)
    lease.release()
    store.close()


def create(pipe, url, name):
    """Wait for a word, then open the store for the first time and create a study."""
    pipe.send("ready")
    pipe.recv()
    try:
        store = Store(url)
        store.create(name, "{}", "{}")
        pipe.send("created")
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
