"""Nodes of a Ray cluster on this machine: remembered, found and stopped, each by its process and no other.

A node is one ``ray start --block`` in a session of its own. What is known of it is a file in :func:`folder`, written
whole when it runs. A file whose process is gone is a node that has ended by itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cluster import loopback, processes, token
from cluster.processes import Process
from cluster.token import Token
from spaces.errors import UnknownName

GRACE_SECONDS: Final = 15.0
"""How long a node has to end by itself, before its processes are killed."""
VARIABLE: Final = "ASHA_NAS_NODE"
"""The id of the node that a process belongs to, in its environment."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was started on this machine."""

    id: str
    role: str
    """``head`` or ``worker``."""
    name: str
    address: str
    """Of this node."""
    cluster: str
    """``HOST:PORT`` of the cluster's head, which others join."""
    dashboard: str | None
    """``HOST:PORT`` of the dashboard; only of a head that has one."""
    token_file: str | None
    log: str
    pid: int
    born: str
    """See :class:`cluster.processes.Process`."""
    since: float
    """Seconds since 1970."""

    @property
    def process(self) -> Process:
        """Its ``ray start``."""
        return Process(self.pid, self.born)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return processes.is_alive(self.process)


# --- what is known -------------------------------------------------------------------------------------


def folder() -> Path:
    """Where nodes of this machine are remembered; home folders may be shared between machines."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "asha-nas" / "cluster" / socket.gethostname()


def known() -> list[Node]:
    """Nodes that were started here and not stopped, oldest first; some may have ended by themselves."""
    found = []
    for file in folder().glob("*.json"):
        try:
            found.append(Node(**json.loads(file.read_text())))
        except (OSError, ValueError, TypeError):
            continue  # it is being removed, or another version's
    return sorted(found, key=lambda node: node.since)


def here() -> list[Node]:
    """Nodes that run on this machine, oldest first."""
    return [node for node in known() if node.is_alive]


def find(name: str | None) -> Node:
    """The node of that name or id; the only one without a name.

    Raises:
        UnknownName: there is none, or there are several and no name was given.
    """
    there = known()
    if name is None and len(there) == 1:
        return there[0]
    for node in there:
        if name in (node.name, node.id):
            return node
    raise UnknownName("node of this machine", name or "", (node.name for node in there))


def token_for(wanted: Callable[[Node], bool]) -> Token | None:
    """The token for a cluster that this machine has such a node of; else, and by Ray's variables, as ``token.find``.

    Raises:
        TokenMissing, TokenUnsafe: see :func:`cluster.token.find`.
    """
    if os.environ.get(token.TEXT) or os.environ.get(token.FILE):
        return token.find()
    files = [node.token_file for node in here() if node.token_file and wanted(node)]
    return token.find(Path(files[0]) if files else None)


def remember(node: Node) -> None:
    """Write down a node that runs. Atomic."""
    file = folder() / f"{node.id}.json"
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(asdict(node)))
    draft.replace(file)


def shown_environment(node: Node) -> Mapping[str, str]:
    """Variables by which Ray's own commands on this machine find the node's cluster."""
    return {
        "RAY_ADDRESS": node.cluster,
        **(loopback.switch() if loopback.is_loopback(node.address) else {}),
        **({} if node.dashboard is None else {"RAY_API_SERVER_ADDRESS": f"http://{node.dashboard}"}),
        token.MODE: "token",
        **({} if node.token_file is None else {token.FILE: node.token_file}),
    }


def stop(node: Node, grace: float = GRACE_SECONDS) -> bool:
    """Stop a node: ask it, then kill what is left of it after a while. Nothing else is touched.

    Returns:
        Whether it was still running.
    """
    was_alive = node.is_alive
    end(node.process, node.id, grace)
    (folder() / f"{node.id}.json").unlink(missing_ok=True)
    return was_alive


def end(leader: Process, identity: str, grace: float) -> None:
    """End the processes of a node, of which the first may be gone already."""
    members = processes.family(leader.pid)
    if leader not in members:  # its number may have been given out again, to the head of another family
        members = {each for each in members if processes.variable(each, VARIABLE) == identity}
    processes.send(leader, signal.SIGTERM)
    processes.wait(lambda: not any(map(processes.is_alive, members)), grace)
    for each in members:
        processes.send(each, signal.SIGKILL)
    processes.wait(lambda: not any(map(processes.is_alive, members)), grace)
