"""Nodes of a real Ray cluster on this machine; ended by the ids of their processes, and nothing else."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.processes import MARK, alive, descendants, kill_all, marked

READY = "Ray runtime started"


class Nodes:
    """A cluster that is reached at ``address`` by processes with ``environment``."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="an-"))  # short: sockets lie below
        self.mark = secrets.token_hex(8)
        token = self.home / "token"
        token.touch(0o600)
        token.write_text(secrets.token_hex(32))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0",
            "XDG_DATA_HOME": str(self.home / "data"), MARK: self.mark,
        }  # fmt: skip
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.started = []
        self._head = (
            "--head",
            f"--port={port}",
            "--include-dashboard=false",
            f"--ray-client-server-port={free_port()}",
        )

    def start(self, ip, *arguments):
        """Start one more node; the first is the head. Waits until Ray says that it is up."""
        place = [f"--address={self.address}"] if self.started else [*self._head, f"--temp-dir={self.home / 'ray'}"]
        agent = [f"--dashboard-agent-listen-port={free_port()}", f"--node-ip-address={ip}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        log = self.home / f"node-{len(self.started)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, *place, *agent, "--object-store-memory=100000000", *arguments], env=self.environment,
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        deadline = time.monotonic() + 120
        while READY not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return process

    def kill(self, node):
        """The node's machine dies: all its processes at once."""
        kill_all(descendants(node.pid))
        node.wait()

    def close(self):
        """End all of it, workers too."""
        for _ in range(3):
            kill_all(marked(self.mark))
        for process in self.started:
            process.wait()
        deadline = time.monotonic() + 20
        while alive(marked(self.mark)) and time.monotonic() < deadline:
            kill_all(marked(self.mark))
            time.sleep(0.1)
        shutil.rmtree(self.home, ignore_errors=True)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
