"""Starting nodes of a Ray cluster on this machine: its head, or one more."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from cluster import health, loopback, nodes, processes, token
from cluster.nodes import Node
from cluster.processes import Process
from cluster.token import Token
from spaces.errors import InvalidValue, UserError

READY: Final = "Ray runtime started"
"""What ``ray start`` says when the node is up."""
START_SECONDS: Final = 120.0
AGENT_PORT: Final = 52365
"""Ray's own choice for the agent of each node, through which the dashboard reads logs and runs jobs."""
OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Memory of a node for objects; nothing of ours keeps any but the trial itself there."""


class NodeNotStarted(UserError):
    """A node did not come up."""


def start_head(
    address: str = loopback.ADDRESS,
    *,
    port: int = 6379,
    cpus: int | None = None,
    gpus: int | None = None,
    dashboard: bool = True,
    dashboard_host: str = loopback.ADDRESS,
    dashboard_port: int = 8265,
    name: str | None = None,
    token_file: Path | None = None,
) -> Node:
    """Start a cluster, of one node for now.

    Args:
        address: of this node, by which others reach it; 127.0.0.1 for a cluster that only this machine reaches.
        port: that others join at; 0 for any that is free.
        cpus: offered to jobs; all by default.
        gpus: offered to jobs; all by default.
        dashboard: whether there is one; without it there are no submitted jobs either.
        dashboard_host: address that the dashboard listens at.
        dashboard_port: 0 for any that is free.
        name: of the node; by default its role and id.
        token_file: the cluster's token, made if it is not there; by default as :func:`cluster.token.find` has it.

    Raises:
        InvalidValue: a port is taken, or the name is.
        TokenUnsafe: others may read the token.
        NodeNotStarted: Ray failed; its last words are told.
    """
    place = (token_file or Path(os.environ.get(token.FILE) or token.default_file())).expanduser().absolute()
    if token_file is not None or not os.environ.get(token.TEXT):
        token.make(place)
    secret = token.find(token_file)
    assert secret is not None
    port, dashboard_port = _port("--port", address, port), _port("--dashboard-port", dashboard_host, dashboard_port)
    arguments = ["--head", f"--port={port}", f"--include-dashboard={str(dashboard).lower()}"]
    if dashboard:
        arguments += [f"--dashboard-host={dashboard_host}", f"--dashboard-port={dashboard_port}"]
    url = f"{_reachable(dashboard_host, address)}:{dashboard_port}" if dashboard else None
    return _start("head", name, address, f"{address}:{port}", url, secret, [*arguments, *_resources(cpus, gpus)])


def join(
    cluster: str,
    *,
    address: str | None = None,
    cpus: int | None = None,
    gpus: int | None = None,
    name: str | None = None,
    token_file: Path | None = None,
) -> Node:
    """Start a node of a cluster that is there.

    Args:
        cluster: ``HOST:PORT`` of its head.
        address: of this node, by which the others reach it; found out by default.
        cpus: offered to jobs; all by default.
        gpus: offered to jobs; all by default.
        name: of the node; by default its role and id.
        token_file: the cluster's token; by default as :func:`cluster.token.find` has it.

    Raises:
        ClusterUnreachable: no Ray answers there.
        TokenMissing, TokenUnsafe, TokenRejected: the token is not there, not safe or not the cluster's.
        NodeNotStarted: Ray failed; its last words are told.
    """
    from cluster.connection import check  # noqa: PLC0415 - it looks here for nodes

    secret = token.find(token_file)
    if secret is None:
        secret = token.read(token.default_file())  # says what is missing
    check(cluster, secret)
    if address is None:
        address = _own_address(cluster)
    return _start("worker", name, address, cluster, None, secret, [f"--address={cluster}", *_resources(cpus, gpus)])


def _start(
    role: str, name: str | None, address: str, cluster: str, dashboard: str | None, secret: Token, arguments: list[str]
) -> Node:
    identity = secrets.token_hex(4)
    name = name or f"{role}-{identity}"
    if name in {node.name for node in nodes.here()}:
        raise InvalidValue("--name", name, "is the name of a node that runs here", "asha-nas cluster stop stops it.")
    place = nodes.folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = place / f"{identity}.log"
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *arguments,
        f"--node-ip-address={address}", f"--node-name={name}", f"--temp-dir={_sessions()}",
        f"--object-store-memory={OBJECT_STORE_BYTES}", f"--labels={_labels()}", *_ports(address),
    ]  # fmt: skip
    environment = {**os.environ, **_environment(identity, address, name, secret)}
    log.touch(0o600)
    with log.open("w") as output:
        started = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=place, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    leader = processes.process(started.pid)
    try:
        processes.wait(lambda: READY in log.read_text() or started.poll() is not None, START_SECONDS)
        if leader is None or started.poll() is not None or READY not in log.read_text():
            raise NodeNotStarted(f"the {role} did not start: {_last_words(log)}\nAll that it said is in {log}.")
        file = None if secret.source == token.TEXT else secret.source
        node = Node(
            identity, role, name, address, cluster, dashboard, file, str(log), leader.pid, leader.born, time.time()
        )
        nodes.remember(node)
    except BaseException:
        nodes.end(leader or Process(started.pid, ""), identity, nodes.GRACE_SECONDS)
        started.wait()
        raise
    return node


def _environment(identity: str, address: str, name: str, secret: Token) -> dict[str, str]:
    """What a node and all its workers and jobs have in their environment beside what is there."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **token.environment(secret),
        nodes.VARIABLE: identity,
        "PATH": programs,  # so that jobs find asha-nas
        "RAY_START_HOOK": "cluster.loopback.hook",
        loopback.ADDRESS_VARIABLE: address,
        loopback.NAME_VARIABLE: name,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
        **health.environment(),
    }


def _resources(cpus: int | None, gpus: int | None) -> list[str]:
    given = {"--num-cpus": cpus, "--num-gpus": gpus}
    return [f"{option}={count}" for option, count in given.items() if count is not None]


def _ports(address: str) -> list[str]:
    """Ports of a node beside the cluster's: Ray's usual ones, for firewalls; on loopback, or where taken, any free."""
    alone = loopback.is_loopback(address)
    agent = AGENT_PORT
    if alone or not all(_is_free(host, AGENT_PORT) for host in (address, loopback.ADDRESS)):
        agent = _free(address)  # without a port of its own, the head's agent would take no jobs, and not say so
    workers = ["--min-worker-port=0", "--max-worker-port=0"] if alone else []
    return [f"--dashboard-agent-listen-port={agent}", *workers]


def _labels() -> str:
    """What a node says of itself to all others."""
    versions = {package: metadata.version(package) for package in ("asha-nas", "ray")}
    versions["python"] = ".".join(map(str, sys.version_info[:3]))
    return ",".join(f"{key}={re.sub('[^A-Za-z0-9._-]', '-', value)}" for key, value in versions.items())


def _sessions() -> Path:
    """Ray's own folder: a short path, as sockets have, below one that is nobody else's."""
    private = Path(tempfile.gettempdir()) / f"asha-nas-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        rule = "must be a folder of yours that nobody else may enter"
        raise InvalidValue("folder for Ray's sessions", str(private), rule, f"chmod 700 {private}, or set TMPDIR.")
    return private / "ray"


def _own_address(cluster: str) -> str:
    """The address that this machine reaches the head from."""
    host, _, port = cluster.rpartition(":")
    if loopback.is_loopback(host):
        return loopback.ADDRESS
    with socket.create_connection((host, int(port)), 10.0) as connection:
        return str(connection.getsockname()[0])


def _reachable(host: str, address: str) -> str:
    return address if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not listened at


def _port(option: str, host: str, port: int) -> int:
    if port == 0:
        return _free(host)
    if not _is_free(host, port):
        remedy = f"Give another {option}, or 0 for any that is free; an address must be one of this machine."
        raise InvalidValue(option, port, f"cannot be listened at on {host}", remedy)
    return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _last_words(log: Path) -> str:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in log.read_text().splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")


def exposure(address: str, dashboard_host: str | None) -> Sequence[str]:
    """What it means that a node listens elsewhere than on loopback, in plain words; nothing if it does not."""
    warnings = []
    if address != loopback.ADDRESS:
        warnings.append(
            f"at {address} Ray listens on every interface of this machine. Who reaches it and has the token runs any"
            " code as you; nothing is encrypted, so who can listen to the network can read the token; and metrics"
            " are readable without it. Keep it to a private network, behind a firewall."
        )
    if dashboard_host is not None and not loopback.is_loopback(dashboard_host):
        warnings.append(
            f"the dashboard listens at {dashboard_host}: jobs can be submitted and logs be read from other machines,"
            " with the token, which crosses the network in the clear. A tunnel does without:"
            " ssh -L 8265:127.0.0.1:8265 HEAD"
        )
    return warnings
