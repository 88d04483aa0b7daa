"""What the nodes of a Ray cluster have, and whether they fit together: the checks behind ``asha-nas doctor --cluster``.

A probe, which is an actor that needs no CPU, is sent to every node and asked the same questions as the others. What
they answer is judged by pure functions.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.doctor import Check

Versions = Callable[[], Mapping[str, str]]
"""Versions by package, as found on the node it is called on."""

PATIENCE = 60.0
"""Seconds that a node has for an answer."""

SKEW = 1.0
"""Seconds that clocks may differ."""

NEIGHBOURS = 8
"""Each node tries to reach the head and so many others; with more nodes, trying all of them would take too long."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as ``nvidia-smi`` sees it."""

    name: str
    total: float
    """Bytes."""
    free: float
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a probe found."""

    address: str
    versions: Mapping[str, str]
    gpus: tuple[Gpu, ...] = ()
    promised_gpus: float = 0.0
    """That Ray offers of it."""
    free: float = 0.0
    """Bytes for temporary files."""
    shared_free: float | None = None
    """Bytes where checkpoints go; None where that is no folder."""
    skew: float = 0.0
    """Seconds its clock is ahead of the driver's."""
    skew_error: float = 0.0
    """Seconds that ``skew`` may be wrong, from how long the answer took."""
    unseen: tuple[str, ...] = ()
    """Nodes whose file in the checkpoints' folder it could not read, itself included if it could not write."""
    unreached: tuple[str, ...] = ()
    """``HOST:PORT`` of other nodes that did not answer."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A node whose probe did not answer."""

    address: str
    reason: str


# --- on the nodes ----------------------------------------------------------------------------------


class _Probe:
    """Runs on a node."""

    def __init__(self, versions: Versions, shared: str) -> None:
        self._versions = versions
        self._shared = shared

    def facts(self) -> dict[str, Any]:
        return {
            "versions": dict(self._versions()), "gpus": _gpus(), "free": shutil.disk_usage(tempfile.gettempdir()).free,
        }  # fmt: skip

    def now(self) -> float:
        return time.time()

    def write(self, folder: str, name: str) -> float | None:
        """Write a file that says its own name; give the bytes that are free there."""
        files, root = fsspec.core.url_to_fs(f"{self._shared}/{folder}")
        files.makedirs(root, exist_ok=True)
        files.pipe_file(f"{root}/{name}", name.encode())
        return None if "://" in self._shared else shutil.disk_usage(self._shared).free

    def unseen(self, folder: str, names: Sequence[str]) -> list[str]:
        files, root = fsspec.core.url_to_fs(f"{self._shared}/{folder}")

        def seen(name: str) -> bool:
            try:
                return bool(files.cat_file(f"{root}/{name}") == name.encode())
            except OSError:
                return False

        return [name for name in names if not seen(name)]

    def unreached(self, addresses: Sequence[tuple[str, int]]) -> list[str]:
        return [f"{host}:{port}" for host, port in addresses if not _answers(host, port)]

    def tidy(self, folder: str) -> None:
        files, root = fsspec.core.url_to_fs(f"{self._shared}/{folder}")
        files.rm(root, recursive=True)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5.0):
            return True
    except OSError:
        return False


def _gpus() -> tuple[Gpu, ...]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - constant
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[cell.strip() for cell in line.rsplit(",", 2)] for line in done.stdout.splitlines() if line.count(",") >= 2]
    return tuple(Gpu(name, float(total) * 2**20, float(free) * 2**20) for name, total, free in rows)


# --- from the driver -------------------------------------------------------------------------------


def survey(versions: Versions, shared: str) -> list[Node | Silent]:
    """Ask every node that is alive; connected to the cluster already.

    Args:
        versions: importable on the nodes.
        shared: path or fsspec URL of the folder for checkpoints, which all nodes should reach. Files that are written
            there are removed.
    """
    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [each for each in listed if each["Alive"]]
    names = {each["NodeID"]: _name(each, alive) for each in alive}
    probe: Any = ray.remote(num_cpus=0)(_Probe)
    probes = {
        each["NodeID"]: probe.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(each["NodeID"], soft=False)
        ).remote(versions, shared)
        for each in alive
    }
    facts = _ask({name: each.facts.remote() for name, each in probes.items()})
    there = {node: probes[node] for node, found in facts.items() if not isinstance(found, Silent)}
    folder = f".asha-nas-doctor-{uuid.uuid4().hex}"
    written = _ask({node: each.write.remote(folder, names[node]) for node, each in there.items()})
    files = [names[node] for node in there]
    unseen = _ask({node: each.unseen.remote(folder, files) for node, each in there.items()})
    reached = _ask({node: each.unreached.remote(_others(node, alive)) for node, each in there.items()})
    clocks = {node: _skew(each) for node, each in there.items()}
    for each in list(there.values())[:1]:
        _ask({"": each.tidy.remote(folder)})
    nodes: list[Node | Silent] = []
    for each in alive:
        node, found = each["NodeID"], facts[each["NodeID"]]
        answers = (found, *(table[node] for table in (unseen, reached) if node in table))
        silent = next((answer for answer in answers if isinstance(answer, Silent)), None)
        if silent is not None:
            nodes.append(Silent(names[node], silent.reason))
            continue
        space = written[node]
        nodes.append(
            Node(
                address=names[node], **found, promised_gpus=each["Resources"].get("GPU", 0.0),
                shared_free=None if isinstance(space, Silent) else space,
                skew=clocks[node][0], skew_error=clocks[node][1],
                unseen=tuple(unseen[node]), unreached=tuple(reached[node]),
            )
        )  # fmt: skip
    for each in probes.values():
        ray.kill(each)
    return nodes


def _name(node: Mapping[str, Any], alive: Sequence[Mapping[str, Any]]) -> str:
    """A node's address, with the beginning of its id where several have the same."""
    address = str(node["NodeManagerAddress"])
    alone = sum(each["NodeManagerAddress"] == address for each in alive) == 1
    return address if alone else f"{address}-{node['NodeID'][:8]}"


def _others(node: str, alive: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Where a node is to try: Ray's ports of those that follow it in a ring, and the head's."""
    at = next(k for k, each in enumerate(alive) if each["NodeID"] == node)
    ring = [*alive[at + 1 :], *alive[:at]][:NEIGHBOURS]
    ports = [(str(each["NodeManagerAddress"]), int(each[port])) for each in ring for port in _PORTS]
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return [*ports, (host, int(port))]


_PORTS = ("NodeManagerPort", "ObjectManagerPort")


def _skew(probe: Any) -> tuple[float, float]:
    """How far a probe's clock is ahead, and by how much that may be wrong: the best of five answers."""
    tries = []
    for _ in range(5):
        sent = time.time()
        [answer] = _ask({"": probe.now.remote()}).values()
        received = time.time()
        if not isinstance(answer, Silent):
            half = (received - sent) / 2
            tries.append((half, answer - sent - half))
    return min(tries, default=(0.0, 0.0))[::-1]


def _ask(questions: Mapping[str, Any]) -> dict[str, Any]:
    """The answers, and :class:`Silent` for what failed or took too long."""
    ready = ray.wait([*questions.values()], num_returns=len(questions), timeout=PATIENCE)[0] if questions else []
    answers: dict[str, Any] = {}
    for node, question in questions.items():
        if question not in ready:
            answers[node] = Silent(node, f"gave no answer within {PATIENCE:.0f} s")
            continue
        try:
            answers[node] = ray.get(question)
        except Exception as error:  # whatever is wrong with one node is a finding, not the end
            cause = getattr(error, "cause", None) or error
            last = (str(cause).strip().splitlines() or [""])[-1]
            answers[node] = Silent(node, f"{type(cause).__name__}: {last}")
    return answers


# --- judged ----------------------------------------------------------------------------------------


def checks(nodes: Iterable[Node | Silent], here: Mapping[str, str], shared: str) -> list[Check]:
    """What the answers say.

    Args:
        nodes: as surveyed.
        here: versions of the driver, which all nodes should have.
        shared: the folder that was looked at.
    """
    listed = list(nodes)
    silent = [each for each in listed if isinstance(each, Silent)]
    found = [each for each in listed if isinstance(each, Node)]
    return [
        _nodes(found, silent), _versions(found, here), _shared(found, shared), _clocks(found), _gpu_memory(found),
        _space(found), _ports(found),
    ]  # fmt: skip


def _nodes(found: Sequence[Node], silent: Sequence[Silent]) -> Check:
    if not silent:
        return Check("nodes", "ok", f"{len(found)} answer: {_some([each.address for each in found])}")
    told = "; ".join(f"{each.address}: {each.reason}" for each in silent[:3])
    remedy = "Install asha-nas there as it is here, or take the node out of the cluster."
    return Check("nodes", "bad", f"{len(silent)} of {len(found) + len(silent)} did not answer: {told}", remedy)


def _versions(found: Sequence[Node], here: Mapping[str, str]) -> Check:
    other = [
        f"{node.address} has {name} {node.versions.get(name, 'not installed')} instead of {wanted}"
        for node in found
        for name, wanted in here.items()
        if node.versions.get(name, "not installed") != wanted
    ]
    if other:
        return Check("versions", "bad", _some(other, "; "), "Install the same on all nodes, in the same way.")
    shown = ", ".join(f"{name} {version}" for name, version in here.items())
    return Check("versions", "ok", f"the same everywhere: {shown}")


def _shared(found: Sequence[Node], shared: str) -> Check:
    blind = [f"{node.address} does not see what {_some(node.unseen)} wrote" for node in found if node.unseen]
    if blind:
        remedy = "Choose a folder on a disk that all nodes see, or a bucket: --checkpoints."
        return Check("checkpoints", "bad", f"{shared}: {_some(blind, '; ')}", remedy)
    return Check("checkpoints", "ok", f"{shared}: written and read by every node")


def _clocks(found: Sequence[Node]) -> Check:
    def certain(node: Node) -> float:
        return max(0.0, abs(node.skew) - node.skew_error)

    off = [f"{node.address} is {node.skew:+.1f} s off" for node in found if certain(node) > SKEW]
    if off:
        return Check("clocks", "note", _some(off, "; "), "Times in reports and logs will not agree; run NTP there.")
    most = max((abs(node.skew) for node in found), default=0.0)
    return Check("clocks", "ok", f"within {most * 1000:.0f} ms of this machine's")


def _gpu_memory(found: Sequence[Node]) -> Check:
    lacking = [
        f"{node.address} promises {node.promised_gpus:g} and has {len(node.gpus)}"
        for node in found
        if node.promised_gpus > len(node.gpus)
    ]
    if lacking:
        return Check("gpus", "bad", _some(lacking, "; "), "Start those nodes with as many --gpus as nvidia-smi lists.")
    gpus = [gpu for node in found for gpu in node.gpus]
    if not gpus:
        return Check("gpus", "ok", "none")
    kinds = sorted({gpu.name for gpu in gpus})
    least = min(gpu.free for gpu in gpus)
    shown = f"{len(gpus)}: {', '.join(kinds)}; at least {least / 1e9:.1f} GB free on each"
    busy = [f"{node.address} ({g.name})" for node in found for g in node.gpus if g.free < g.total / 2]
    if busy:
        return Check("gpus", "note", f"{shown}; more than half taken: {_some(busy)}", "Something else runs there.")
    return Check("gpus", "ok", shown)


def _space(found: Sequence[Node]) -> Check:
    tight = [f"{node.address} has {node.free / 1e9:.1f} GB" for node in found if node.free < 2e9]
    shared = [node.shared_free for node in found if node.shared_free is not None]
    if shared and min(shared) < 2e9:
        tight.append(f"checkpoints have {min(shared) / 1e9:.1f} GB")
    if tight:
        return Check("space", "note", _some(tight, "; "), "Ray stops working on a full disk; make room.")
    least = min((node.free for node in found), default=0.0)
    kept = f", {min(shared) / 1e9:.0f} GB for checkpoints" if shared else ""
    return Check("space", "ok", f"at least {least / 1e9:.0f} GB for temporary files on each node{kept}")


def _ports(found: Sequence[Node]) -> Check:
    closed = [f"{node.address} cannot reach {_some(node.unreached)}" for node in found if node.unreached]
    if closed:
        remedy = "Open Ray's ports between the nodes; ray start --help lists those that can be fixed."
        return Check("ports", "bad", _some(closed, "; "), remedy)
    return Check("ports", "ok", "nodes reach the head and each other")


def _some(items: Sequence[str], between: str = ", ") -> str:
    """The first few, and how many more."""
    more = f"{between}and {len(items) - 3} more" if len(items) > 3 else ""
    return between.join(items[:3]) + more
