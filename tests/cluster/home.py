"""A user's home with a cluster of its own: real nodes, started and stopped by the command line, never left behind."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from cluster import processes
from tests.crash import wobbly
from tests.crash.processes import MARK, alive, descendants, kill_all, marked, wait_until

ROOT = Path(__file__).resolve().parents[2]
CLI = "from asha_nas.cli import main; main()"
ENOUGH = 180.0
"""Seconds that nothing here should ever take, on a busy machine either."""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1 as :func:`listening` gives it, by itself and mapped into IPv6."""


class Home:
    """Folders, an environment in which commands find them, and the processes that were started in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("gates", "modules", "user"):
            (folder / name).mkdir(parents=True)
        shutil.copy(wobbly.__file__, folder / "modules")
        self.short = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))  # Ray's sockets lie below it
        self.mark = uuid.uuid4().hex
        self.known = {}
        self.started = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "ASHA_NAS_", "XDG_"))}
        self.environment = kept | {
            "HOME": str(folder / "user"), "TMPDIR": str(self.short), "ASHA_NAS_STORE": str(folder / "studies.db"),
            "PYTHONPATH": f"{folder / 'modules'}{os.pathsep}{ROOT}", "CRASH_FOLDER": str(folder), MARK: self.mark,
            "COLUMNS": "300",
        }  # fmt: skip

    # --- running -----------------------------------------------------------------------------------

    def start(self, *arguments, program=("-c", CLI), **environment):
        """Start a command; its output is in a file of its own."""
        output = self.folder / f"output-{len(self.started)}.txt"
        with output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, *program, *arguments], cwd=self.folder, env=self.environment | environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        process.output = output
        self.started.append(process)
        return process

    def run(self, *arguments, code=0, **options):
        """Run a command to its end; gives what it said."""
        process = self.start(*arguments, **options)
        found = process.wait(ENOUGH)
        said = process.output.read_text()
        assert found == code, said
        return said

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    def study(self, name, **scheduler):
        """A study of `wobbly.train` for a cluster, as a file."""
        lines = ["seed = 5", "[problem]", 'kind = "objective"', 'objective = "wobbly:train"']
        lines += ["space = { x = { range = [0.0, 1.0] } }", "[scheduler]"]
        lines += [*(f"{key} = {value}" for key, value in scheduler.items()), "[engine]", 'address = "auto"']
        file = self.folder / f"{name}.toml"
        file.write_text("\n".join(lines))
        return str(file)

    def clean(self):
        for _ in range(3):  # a process that was being born may have been missed
            roots = [process.pid for process in self.started if process.poll() is None]
            self.known |= descendants(*roots) | marked(self.mark)
            for node in self.nodes():  # those of Ray overwrite their environment
                self.known |= {each.pid: int(each.born.split(":")[1]) for each in self.family(node["name"])}
            kill_all(self.known)
        wait_until(lambda: not alive(self.known), "the end of all processes")
        for process in self.started:
            process.wait(ENOUGH)
        shutil.rmtree(self.short, ignore_errors=True)

    # --- looking -----------------------------------------------------------------------------------

    def nodes(self):
        """What is remembered of nodes."""
        files = (self.folder / "user/.local/state/asha-nas/cluster").glob("*/*.json")
        return [json.loads(file.read_text()) for file in files]

    def pid(self, name):
        """The first process of a node."""
        return next(node["pid"] for node in self.nodes() if node["name"] == name)

    def family(self, name):
        """Everything that runs of a node."""
        return processes.family(self.pid(name))

    def rows(self, study):
        """The log of a study: (kind, payload) in order."""
        query = """SELECT kind, payload FROM events WHERE study = (SELECT id FROM studies WHERE name LIKE '%/' || ?)
                   ORDER BY sequence"""
        connection = sqlite3.connect(self.folder / "studies.db", timeout=30)
        try:
            return [(kind, json.loads(payload)) for kind, payload in connection.execute(query, (study,))]
        finally:
            connection.close()

    def of(self, study, kind):
        return [payload for found, payload in self.rows(study) if found == kind]

    def gate(self, trial, epoch):
        return self.folder / "gates" / f"{trial}-{epoch}"

    def who_trains(self, trial, epoch):
        """The process that began with that epoch last; None if there is none."""
        path, found = self.folder / "epochs.txt", None
        for line in path.read_text().splitlines() if path.exists() else []:
            pid, *rest = map(int, line.split())
            found = pid if rest == [trial, epoch] else found
        return found


def listening(pids):
    """Where processes listen: the addresses of their TCP sockets, in hexadecimal as the kernel has them."""
    sockets = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.append(fields[1].rpartition(":")[0])
    return found
