"""Connecting to Ray."""

import os
import socket
import threading

import pytest
import ray

from cluster import nodes, processes
from cluster.connection import ClusterUnreachable, connected, resolved
from spaces.errors import InvalidValue, UserError
from tests.cluster.home import Home


@pytest.mark.ray
def test_a_connection_that_was_there_stays(local_ray):
    before = ray.get_runtime_context().get_node_id()
    with connected(cpus=1) as url:
        assert url is None
        assert ray.cluster_resources()["CPU"] == 2
    assert ray.is_initialized()
    assert ray.get_runtime_context().get_node_id() == before


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Not connected, nothing set, and no token or node of this user's."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def free_port():
    """Where nothing answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]  # bound and not listening


def test_no_cluster_at_the_address(elsewhere, free_port, monkeypatch):
    with pytest.raises(ClusterUnreachable) as caught, connected(f"127.0.0.1:{free_port}"):
        pass
    assert str(caught.value).startswith(f"no Ray cluster at '127.0.0.1:{free_port}': nothing answers there\n")
    assert "asha-nas cluster start --head" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
    assert isinstance(caught.value, UserError)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.3:{free_port}")
    with pytest.raises(ClusterUnreachable, match=r"127\.0\.0\.3"), connected():
        pass


def test_what_answers_is_no_ray(elsewhere):
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"127.0.0.1:{server.getsockname()[1]}"
        deaf = threading.Thread(target=lambda: [server.accept()[0].close() for _ in range(2)], daemon=True)
        deaf.start()
        with pytest.raises(ClusterUnreachable, match="what answers is no Ray"), connected(where):
            pass


@pytest.mark.parametrize("where", ["somewhere", "10.0.0.1", "10.0.0.1:", ":6379", "ray://10.0.0.1:x"])
def test_addresses_that_are_none(elsewhere, where):
    with pytest.raises(InvalidValue, match="must be auto or HOST:PORT"), connected(where):
        pass


def test_auto_is_the_cluster_that_this_machine_is_a_node_of(elsewhere, monkeypatch):
    assert (resolved(None), resolved("auto"), resolved("10.0.0.1:7")) == (None, "auto", "10.0.0.1:7")
    me = processes.process(os.getpid())
    for since, cluster in ((1.0, "10.0.0.5:6379"), (2.0, "10.0.0.6:6379"), (3.0, "10.0.0.7:6379")):
        nodes.folder().mkdir(parents=True, exist_ok=True)
        born = me.born if since < 3 else "another boot:1"
        nodes.remember(
            nodes.Node(f"{since}", "worker", "n", "10.0.0.1", cluster, None, "/t", "/l", me.pid, born, since)
        )
    assert (resolved(None), resolved("auto")) == (None, "10.0.0.6:6379")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.9:1")
    assert (resolved(None), resolved("auto"), resolved("10.0.0.1:7")) == ("10.0.0.9:1", "10.0.0.9:1", "10.0.0.1:7")


@pytest.mark.ray
def test_a_ray_of_our_own_has_a_token_and_listens_on_loopback_alone(tmp_path):
    home = Home(tmp_path / "home")
    try:
        said = home.run(program=("-c", OWN))
        assert said.splitlines()[-1] == "alone True"
        assert (home.folder / "user/.ray/auth_token").stat().st_mode & 0o777 == 0o600
    finally:
        home.clean()


OWN = """
import os, signal
from cluster import processes
from cluster.connection import check, connected
from cluster.token import TokenRejected
from tests.cluster.home import LOOPBACK, listening
import ray
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with connected(cpus=1, dashboard=True) as url:
    assert url.startswith("127.0.0.1:")
    address = ray.get_runtime_context().gcs_address
    assert address.startswith("127.0.0.1:")
    try:
        check(address, None)
    except TokenRejected:
        pass
    else:
        raise AssertionError("no token is needed")
    found = listening([each.pid for each in processes.family(os.getpid())])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ
    print("alone", len(found) > 3 and set(found) <= LOOPBACK)
"""
