"""Ray on 127.0.0.1, and there alone.

Ray 2.60 takes 127.0.0.1 for the outer address of the machine. Its servers then listen on every interface; they listen
on loopback alone where they are told 127.0.0.1 itself, and no other address of 127.0.0.0/8 will do.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ADDRESS = "127.0.0.1"
ADDRESS_VARIABLE = "ASHA_NAS_NODE_ADDRESS"
NAME_VARIABLE = "ASHA_NAS_NODE_NAME"
"""Tell :func:`hook` the address and the name that its node was asked to have."""
_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Where this is 0, Ray takes 127.0.0.1 for the address of the machine."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other can reach it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep() -> None:
    """Have Ray, in this process and all that it starts from now on, take 127.0.0.1 for what it is."""
    from ray._private import services  # noqa: PLC0415 - importing Ray takes a second

    services.resolve_ip_for_localhost = lambda host: ADDRESS if host == "localhost" else host
    os.environ.update(switch())  # read when Ray is imported, so it means something to other processes only


def switch() -> dict[str, str]:
    """The variable by which programs that import Ray later take 127.0.0.1 for what it is."""
    return {_SWITCH: "0"}


@contextmanager
def kept(wanted: bool) -> Iterator[None]:
    """:func:`keep`, if that is wanted, and inside the block only."""
    from ray._private import services  # noqa: PLC0415

    before = services.resolve_ip_for_localhost, os.environ.get(_SWITCH)
    if wanted:
        keep()
    try:
        yield
    finally:
        services.resolve_ip_for_localhost = before[0]
        if before[1] is not None:
            os.environ[_SWITCH] = before[1]
        elif wanted:
            del os.environ[_SWITCH]


def is_only_here(host: str, port: int) -> bool:
    """Whether something listens at a loopback address, and not at the outer address of the machine as well."""
    from ray.util import get_node_ip_address  # noqa: PLC0415 - importing Ray takes a second

    return is_loopback(host) and answers(host, port) and not answers(str(get_node_ip_address()), port)  # type: ignore[no-untyped-call]


def answers(host: str, port: int, seconds: float = 2.0) -> bool:
    """Whether something accepts a connection at the address within so many seconds."""
    try:
        with socket.create_connection((host, port), seconds):
            return True
    except OSError:
        return False


def hook(parameters: Any, _head: bool) -> None:
    """What ``ray start`` calls, by ``RAY_START_HOOK``, before it starts anything; its process is one node's alone."""
    if is_loopback(os.environ[ADDRESS_VARIABLE]):
        keep()
    parameters.node_ip_address, parameters.node_name = os.environ[ADDRESS_VARIABLE], os.environ[NAME_VARIABLE]
    parameters.ray_client_server_port = None  # one more open port, which nothing of ours uses
