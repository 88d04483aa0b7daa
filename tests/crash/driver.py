"""The real command line, in a process that something happens to at a chosen point of its run.

Points are counted as they are passed, from 1: ``append`` (the store is about to write an event; also as
``append/KIND``) and ``appended``; ``commit`` (all statements of any transaction have run, it is not committed
yet) and ``checkin`` (a database connection is given back, so a transaction is over, but its caller has not
noted it yet); ``save`` and ``saved`` (a checkpoint), and ``rename`` in between (it is written, under its
temporary name).

A *moment* is ``{"at": POINT, "count": n, "do": …}``; without ``at`` all points count. What happens there is
``kill`` (SIGKILL, to the process itself), ``interrupt`` (Ctrl-C), ``terminate`` (SIGTERM), or ``hang``: it writes the
file ``hanging`` in ``CRASH_FOLDER`` and goes on when someone has taken it away, with the machine's clock set back by so
many hours as a file ``jump`` says. The moment ``{"do": "list"}`` only writes all points to ``points.json``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def main(arguments, moment=None):
    """Run `asha-nas ARGUMENTS…`, with the moment armed."""
    if moment is not None:
        arm(moment)
    sys.argv = ["asha-nas", *arguments]
    from asha_nas.cli import main as command

    command()


def forked(arguments, environment, output, moment):
    """`main` in a fresh fork: a process group of its own, its output in a file, Ctrl-C as in a shell."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    main(arguments, moment)


def arm(moment):
    """Have it happen."""
    import sqlalchemy as sa

    from asha_nas.store import Store
    from trials import checkpoint

    passed = []

    def point(*names):
        passed.append(names[-1])
        if moment["do"] == "list":
            Path(os.environ["CRASH_FOLDER"], "points.json").write_text(json.dumps(passed))
        elif moment.get("at") is None or moment["at"] in names:
            moment["count"] -= 1
            if moment["count"] == 0:
                happen(moment["do"])

    append, save, replace = Store.append, checkpoint.save, Path.replace

    def appending(store, lease, event):
        point("append", f"append/{event.kind}")
        append(store, lease, event)
        point("appended", f"appended/{event.kind}")

    def saving(*arguments, **named):
        point("save")
        saved = save(*arguments, **named)
        point("saved")
        return saved

    def renaming(path, target):
        point("rename")
        return replace(path, target)

    Store.append, checkpoint.save, Path.replace = appending, saving, renaming
    sa.event.listen(sa.engine.Engine, "commit", lambda _connection: point("commit"))
    sa.event.listen(sa.pool.Pool, "checkin", lambda _connection, _record: point("checkin"))


def happen(what):
    """Do it, to this process."""
    match what:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "interrupt":
            signal.raise_signal(signal.SIGINT)
        case "terminate":
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a script
            signal.raise_signal(signal.SIGTERM)
        case "hang":
            hang(Path(os.environ["CRASH_FOLDER"]))


def hang(folder):
    """Wait for someone to take away a file, and set the clock."""
    (folder / "hanging").touch()
    end = time.monotonic() + 600
    while (folder / "hanging").exists() and time.monotonic() < end:
        time.sleep(0.01)
    jump = folder / "jump"
    if jump.exists():
        clock, seconds = time.time, 3600 * float(jump.read_text())
        time.time = lambda: clock() - seconds


if __name__ == "__main__":
    main(sys.argv[2:], json.loads(sys.argv[1]))
