"""A study on a real cluster, all of which can be killed: its head, two nodes, their workers, its database, its driver.

With one worker, one job runs at a time, on one of the nodes, so that what an undisturbed run decides is known to the
digit; when its node is lost, the other one is there. Head and nodes are started by our own commands and killed by the
ids of their processes; what is missing is started again by :meth:`World.mend`.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager

from cluster import processes
from tests.contracts import postgres_server
from tests.crash.home import NAME, Home, exit_code, lines
from tests.crash.processes import kill_all, wait_until

LADDER = {"r": 4, "R": 8, "eta": 2, "configs": 3}
HEAD = ("cluster", "start", "--head", "--name", "head", "--port", "0", "--no-dashboard", "--cpus", "0", "--gpus", "0")
NODES = {"one": "127.0.0.2", "two": "127.0.0.3"}
MOST_RESUMES = 3
DISK_BYTES = 80_000_000
"""Of the disk for checkpoints: a little more than what a driver leaves alone."""


class World:
    """A cluster, a database server where one is installed, and one study after the other on them."""

    def __init__(self, folder, *, server=None, workers=1, **engine):
        """Nothing runs yet.

        Args:
            folder: for everything of it; made.
            server: a `postgres_server.Server`; None to keep studies in SQLite files.
            workers: jobs at a time, 1 or 2.
            engine: more settings of the studies' engine.
        """
        self.workers = workers
        settings = {"kind": "ray", "address": "auto", "workers": workers, "silence_minutes": 0.4} | engine
        self.home = Home(folder, engine=settings, checkpoints=str(folder / "checkpoints"), **LADDER)
        self.home.environment |= {"HOME": str(folder / "user"), "XDG_STATE_HOME": str(folder / "state")}
        self._checkpoints = folder / "checkpoints"
        self._checkpoints.mkdir()
        self.server = server
        self.disk = self._checkpoints if self._mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs") else None
        """The checkpoints' folder, where it is a small disk of its own; None where nothing can be mounted."""
        self.driver = None
        self.resumes = 0
        """How often the present study was resumed."""
        self._studies = 0

    # --- the cluster -------------------------------------------------------------------------------

    def mend(self):
        """Start what is not running: database, head, nodes."""
        if self.server is not None:
            self.server.start()
        if "head" not in self.running():
            self._kill_nodes(*NODES)  # they would look for their head for a minute
            self._command("cluster", "stop", "--all")
            self._command(*HEAD)
        for name, address in NODES.items():
            if name not in self.running():
                command = ("cluster", "join", self._nodes()["head"]["cluster"], "--name", name, "--address", address)
                if name in self._nodes():
                    self._command("cluster", "stop", name)
                self._command(*command, "--cpus", "1", "--gpus", "0")

    def running(self):
        """Names of the nodes that run."""
        return {name for name in self._nodes() if self.family(name)}

    def _nodes(self):
        found = {}
        for file in (self.home.folder / "state").glob("asha-nas/cluster/*/*.json"):
            node = json.loads(file.read_text())
            found[node["name"]] = node
        return found

    def family(self, name):
        """Everything that runs of a node: {pid: born}; nothing if its first process is gone."""
        node = self._nodes()[name]
        if not processes.is_alive(processes.Process(node["pid"], node["born"])):
            return {}
        return {each.pid: int(each.born.rpartition(":")[2]) for each in processes.family(node["pid"])}

    def _kill_nodes(self, *names):
        there = {pid: born for name in names if name in self._nodes() for pid, born in self.family(name).items()}
        kill_all(there)

    def _command(self, *arguments):
        assert self.home.run(*arguments) == 0, self.home.output

    def leader(self, name):
        """The process that a node was started as."""
        return self._nodes()[name]["pid"]

    def close(self):
        """Kill all that is left."""
        self._kill_nodes("head", *NODES)
        self.home.clean()
        if self.disk is not None:
            subprocess.run(["umount", "--lazy", self.disk], check=True)

    def remount(self, how):
        """Have the disk take no more writes (`ro`), or take them again (`rw`)."""
        wait_until(lambda: self._mount("-o", f"remount,{how}"), "no file to be open for writing", every=0.05)

    def _mount(self, *arguments):
        try:
            command = ["mount", *arguments, self._checkpoints]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    # --- a study -----------------------------------------------------------------------------------

    @contextmanager
    def study(self):
        """A fresh store for a study, and nothing left of the one before."""
        with ExitStack() as stack:
            self._studies += 1
            self.resumes = 0
            store = str(self.home.folder / f"studies-{self._studies}.db")
            if self.server is not None:
                store = stack.enter_context(self.server.database())
            self.home.store = self.home.environment["ASHA_NAS_STORE"] = store
            for name in ("epochs.txt", "hanging", "jump", "output.txt", "pace", "slow"):
                (self.home.folder / name).unlink(missing_ok=True)
            for each in self._checkpoints.iterdir():
                shutil.rmtree(each)
            yield

    def slow_down(self, epoch, saving=0.0):
        """Have an epoch, and saving a checkpoint, take so many seconds from now on."""
        for name, seconds in (("pace", epoch), ("slow", saving)):
            (self.home.folder / name).write_text(f"{seconds}")

    def start(self, moment=None):
        """Start the study, and wait until its driver hangs at a moment of `tests.crash.driver`, or its first epoch."""
        self.driver = self.home.fork("run", str(self.home.file), moment=moment)
        if moment is not None:
            wait_until(lambda: self._hanging.exists() or not self.driver_lives, "the moment")
        else:
            wait_until(lambda: self.trained() or not self.driver_lives, "the first epoch")

    def resume(self, moment=None):
        """Have another driver go on with it, and do not wait."""
        self.resumes += 1
        known = bool(self.home.rows())
        command = ("resume", NAME) if known else ("run", str(self.home.file), "--resume")
        self.driver = self.home.fork(*command, moment=moment)

    def let_go(self):
        """Let the driver go on, if it hangs and lives."""
        self._hanging.unlink(missing_ok=True)

    def finish(self):
        """See the study to its end, resumed as often as need be."""
        for _ in range(MOST_RESUMES + 1):
            code = self.home.ended(self.driver)
            self.mend()
            if code == 0:
                return
            self.resume()
        raise AssertionError(f"resumed {MOST_RESUMES} times in vain: {self.home.output}")

    def abandon(self):
        """Kill all there is of a study that went wrong, and its cluster."""
        if self.driver_lives:
            os.kill(self.driver.pid, signal.SIGKILL)
            self.home.ended(self.driver)
        self._kill_nodes("head", *NODES)
        self.mend()

    @property
    def driver_lives(self):
        """Whether the driver that was started last runs."""
        return exit_code(self.driver) is None

    @property
    def _hanging(self):
        return self.home.folder / "hanging"

    # --- who is killed -----------------------------------------------------------------------------

    def worker(self):
        """The process that trained last, if it lives."""
        path = self.home.folder / "epochs.txt"
        last = path.read_text().splitlines()[-1:] if path.exists() else []
        pid = int(last[0].split()[0]) if last else None
        return pid if pid is not None and processes.process(pid) is not None else None

    def node(self):
        """The name of the node that trained last, or else of one that could."""
        pid, there = self.worker(), self.running() & set(NODES)
        return next((name for name in sorted(there) if pid in self.family(name)), min(there))

    def kill_driver(self):
        """SIGKILL to the driver."""
        if self.driver_lives:
            os.kill(self.driver.pid, signal.SIGKILL)

    def kill_worker(self):
        """SIGKILL to the worker; False if there is none."""
        pid = self.worker()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def kill_node(self):
        """The machine of the worker dies: all processes of its node at once."""
        self._kill_nodes(self.node())

    def kill_head(self):
        """The machine of the head dies, and Ray's global control store (GCS) with it."""
        self._kill_nodes("head")

    def kill_database(self):
        """The database server crashes, and comes back a little later."""
        self.server.stop(signal.SIGQUIT)
        self.let_go()
        time.sleep(0.3)
        self.server.start()

    def kill_everything(self):
        """A power cut."""
        there = {self.driver.pid: 0} if self.driver_lives else {}
        for name in ("head", *NODES):
            there |= self.family(name) if name in self._nodes() else {}
        for pid in there:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.server is not None:
            self.server.stop(signal.SIGQUIT)

    # --- what came of it ---------------------------------------------------------------------------

    def trained(self):
        """Epochs that were trained, again ones included: [(trial, epoch), …]."""
        return lines(self.home)

    def checkpoints(self):
        """Files of them that there are, by the SHA-256 of their bytes."""
        return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in self._checkpoints.rglob("*.ckpt")}


def database():
    """A server for a world, or nothing where none is installed: a context manager."""
    if postgres_server.missing():
        return ExitStack()
    return postgres_server.server("fsync=off", "full_page_writes=off", "max_connections=60")
