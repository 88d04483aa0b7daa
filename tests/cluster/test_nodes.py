"""What is known of nodes, and what is refused before Ray is started."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from cluster import launch, nodes, processes
from cluster.nodes import Node
from spaces.errors import InvalidValue, UnknownName
from tests.crash.processes import wait_until

GROUP = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GROUP


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    nodes.folder().mkdir(parents=True)


def node(name="n", process=None, since=1.0):
    process = process or processes.process(os.getpid())
    return Node(name, "worker", name, "127.0.0.1", "127.0.0.1:1", None, None, "/log", process.pid, process.born, since)


@pytest.fixture
def family():
    """Starts something like a node: a process with one child in its session, and one in another."""
    started, known = [], set()

    def start(code=GROUP, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True, env=os.environ | environment
        )
        started.append(process)
        assert process.stdout.readline() == b"up\n"
        wait_until(lambda: len(processes.family(process.pid)) == 3, "the family")
        known.update(processes.family(process.pid))
        return processes.process(process.pid)

    yield start
    for each in known:
        processes.send(each, signal.SIGKILL)
    for process in started:
        process.wait()
        process.stdout.close()


def test_nodes_are_remembered():
    assert nodes.known() == []
    alive, ended = node("alive", since=2.0), node("ended", processes.Process(os.getpid(), "boot:1"))
    nodes.remember(alive)
    nodes.remember(ended)
    (nodes.folder() / "torn.json").write_text('{"id": ')
    (nodes.folder() / "later.json").write_text('{"id": "x", "colour": "red"}')
    assert nodes.known() == [ended, alive]
    assert nodes.here() == [alive]
    assert nodes.find("alive") == alive
    with pytest.raises(UnknownName, match="Known: alive, ended"):
        nodes.find(None)
    with pytest.raises(UnknownName, match="Did you mean 'alive'"):
        nodes.find("alife")
    assert nodes.stop(ended) is False
    assert nodes.find(None) == alive


@pytest.mark.kill
@pytest.mark.parametrize("code", [GROUP, DEAF])
def test_all_of_a_node_is_stopped_and_nothing_else(family, code):
    mine, other = family(code), family()
    members, others = processes.family(mine.pid), processes.family(other.pid)
    assert len(members) == len(others) == 3 and not members & others
    nodes.remember(node(process=mine))
    assert nodes.stop(nodes.find(None), grace=0.3) is True
    assert not any(map(processes.is_alive, members))
    assert all(map(processes.is_alive, others))
    assert nodes.known() == []


@pytest.mark.kill
def test_what_a_killed_node_has_left_is_known_by_its_mark(family):
    """Its process is gone, and the session that it led may be someone else's by now."""
    mine, other = family(**{nodes.VARIABLE: "mine"}), family(**{nodes.VARIABLE: "other"})
    left = {each for each in processes.family(mine.pid) if each != mine}
    stayed = {each for each in processes.family(other.pid) if each != other}
    for leader in (mine, other):
        processes.send(leader, signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(mine) and not processes.is_alive(other), "the end of both")
    nodes.end(mine, "mine", grace=0.3)
    nodes.end(other, "not other", grace=0.3)
    in_session = {each for each in left if not processes.is_alive(each)}
    assert len(in_session) == 1, "its child in another session cannot be told from others any more"
    assert all(map(processes.is_alive, stayed))


def test_a_process_by_its_birth():
    me = processes.process(os.getpid())
    assert processes.is_alive(me)
    assert not processes.is_alive(processes.Process(me.pid, f"{me.born}0"))
    assert me in processes.family(me.pid)
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert processes.process(done.pid) is None
    assert processes.variable(me, "PATH") is not None and processes.variable(me, "NO_SUCH") is None


def test_a_port_that_is_taken_is_refused_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InvalidValue, match=rf"--port = {port}: cannot be listened at on 127\.0\.0\.1"):
            launch.start_head(port=port, dashboard_port=0)
        with pytest.raises(InvalidValue, match=f"--dashboard-port = {port}"):
            launch.start_head(port=0, dashboard_port=port)
    with pytest.raises(InvalidValue, match=r"cannot be listened at on 203\.0\.113\.1"):
        launch.start_head("203.0.113.1", dashboard_port=0)
    assert nodes.known() == []


def test_the_agent_has_rays_own_port_where_others_reach_it_and_it_is_free(monkeypatch):
    taken = set()
    monkeypatch.setattr(launch, "_is_free", lambda host, _port: host not in taken)
    monkeypatch.setattr(launch, "_free", lambda _host: 40000)
    assert launch._ports("10.0.0.5") == ["--dashboard-agent-listen-port=52365"]
    taken.add("127.0.0.1")  # by another Ray of this machine
    assert launch._ports("10.0.0.5") == ["--dashboard-agent-listen-port=40000"]
    assert launch._ports("127.0.0.3") == [
        "--dashboard-agent-listen-port=40000", "--min-worker-port=0", "--max-worker-port=0",
    ]  # fmt: skip


def test_a_name_that_is_taken_is_refused():
    nodes.remember(node("mine"))
    with pytest.raises(InvalidValue, match=r"--name = 'mine': is the name of a node that runs here"):
        launch.start_head(port=0, dashboard_port=0, name="mine")


def test_a_folder_that_others_may_enter_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"asha-nas-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(InvalidValue, match="nobody else may enter"):
        launch.start_head(port=0, dashboard_port=0)


def test_only_what_others_can_reach_is_warned_about():
    assert launch.exposure("127.0.0.1", "127.0.0.1") == launch.exposure("127.0.0.1", None) == []
    [words] = launch.exposure("10.0.0.5", "127.0.0.1")
    assert "every interface" in words and "not" not in words.split("Keep it")[1]
    [words] = launch.exposure("127.0.0.1", "0.0.0.0")
    assert "dashboard" in words and "ssh -L" in words
    assert len(launch.exposure("10.0.0.5", "10.0.0.5")) == 2
    assert launch.exposure("127.0.0.3", None), "Ray listens everywhere then, however much it looks like loopback"
