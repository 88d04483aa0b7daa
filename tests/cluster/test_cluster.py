"""A head and two workers as real processes: studies run on them, and what is killed loses nothing.

The tests share one cluster, and the last ones take it apart.
"""

import os
import signal
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from asha_nas.driver import trial_seed
from cluster.connection import TokenRejected, check
from cluster.token import Token
from tests.cluster.home import ENOUGH, LOOPBACK, Home, listening
from tests.crash import wobbly
from tests.crash.processes import alive, born, kill_all, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.kill, pytest.mark.timeout(900)]

LADDER = {"r": 4, "R": 8, "eta": 2, "configs": 4}
HEAD = ("cluster", "start", "--head", "--port", "0", "--dashboard-port", "0", "--cpus", "1", "--gpus", "0")
NODE = ("--cpus", "1", "--gpus", "0", "--name")
CONNECT = """
import sys
import ray
from cluster import loopback
loopback.keep()
try:
    ray.init(address=sys.argv[1], log_to_driver=False)
    print("connected")
except Exception as error:
    print("refused:", error)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cluster of three, and a Ray that someone else has started; nothing of either stays behind."""
    made = Home(tmp_path_factory.mktemp("cluster") / "home")
    try:
        other = ("start", "--head", "--block", "--port=0", "--num-cpus=1", "--include-dashboard=false")
        folder = str(made.short / "other")
        made.bystander = made.start(
            *other, f"--temp-dir={folder}", "--min-worker-port=0", "--max-worker-port=0", "--node-ip-address=127.0.0.9",
            program=("-m", "ray.scripts.scripts"), RAY_AUTH_TOKEN=uuid.uuid4().hex, RAY_AUTH_MODE="token",
        )  # fmt: skip
        made.head = made.json(*HEAD, "--name", "first")
        made.run("cluster", "join", made.head["cluster"], *NODE, "second")
        said = made.run("cluster", "join", made.head["cluster"], *NODE, "third", "--address", "127.0.0.3")
        assert "listens on every interface" in said
        yield made
    finally:
        made.clean()


@pytest.fixture(scope="module")
def intruder(home):
    """Someone on this machine who knows the address and has no token, connecting; Ray tries for a while."""
    nobody = home.folder / "nobody"
    nobody.mkdir()
    return home.start(home.head["cluster"], program=("-c", CONNECT), HOME=str(nobody))


def check_complete(home, study):
    """Each job is told once, with the loss that its configuration gives, whatever happened to the node it ran on."""
    asked = {payload["job"]: payload for payload in home.of(study, "asked")}
    assert sorted(job["rung"] for job in asked.values()) == [0] * 4 + [1] * 2
    x = {job["trial"]: job["config"]["x"] for job in asked.values() if job["start"] == 0}
    told = home.of(study, "told")
    assert sorted(payload["job"] for payload in told) == sorted(asked)
    for payload in told:
        job = asked[payload["job"]]
        assert payload["loss"] == wobbly.loss(trial_seed(5, job["trial"]), x[job["trial"]], job["stop"])
    reported = [(payload["job"], payload["epoch"]) for payload in home.of(study, "reported")]
    assert sorted(reported) == [
        (j, e) for j, job in sorted(asked.items()) for e in range(job["start"] + 1, job["stop"] + 1)
    ]
    assert home.of(study, "closed")[-1]["reason"] == "done"


def all_train(home, epoch):
    """The processes that three trials stand at their gates in; None as long as one has not come there."""
    found = [home.who_trains(trial, epoch) for trial in range(3)]
    return found if all(pid is not None and born(pid) is not None for pid in found) else None


def close(home, epoch):
    for trial in range(3):
        home.gate(trial, epoch).touch()


def open_gates(home):
    for gate in (home.folder / "gates").iterdir():
        gate.unlink()


def node_of(home, pid):
    return next(name for name in ("first", "second", "third") if pid in {each.pid for each in home.family(name)})


def test_the_status_tells_the_nodes(home, intruder):
    found = home.json("cluster", "status")
    assert (found["address"], found["dashboard"], found["cpus"]) == (home.head["cluster"], home.head["dashboard"], 3)
    assert [(node["name"], node["role"], node["address"]) for node in found["nodes"]] == [
        ("first", "head", "127.0.0.1"), ("second", "worker", "127.0.0.1"), ("third", "worker", "127.0.0.3"),
    ]  # fmt: skip
    for node in found["nodes"]:
        assert (node["alive"], node["cpus"], node["gpus"]) == (True, 1, 0)
        assert set(node["versions"]) == {"asha-nas", "ray", "python"}
    assert {node["pid"] for node in found["here"]} == {home.pid(name) for name in ("first", "second", "third")}


def test_nothing_listens_elsewhere_than_on_loopback(home):
    for name in ("first", "second"):
        found = listening([each.pid for each in home.family(name)])
        assert len(found) > 3
        assert set(found) <= LOOPBACK, name


def test_the_token_is_its_owners_alone(home):
    token = home.folder / "user/.ray/auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    secret = token.read_text().encode()
    for name in ("first", "second", "third"):
        for each in home.family(name):
            assert secret not in Path(f"/proc/{each.pid}/cmdline").read_bytes()


def test_a_study_is_submitted_cancelled_goes_on_and_outlives_a_node(home):
    study = home.study("long", **LADDER)
    close(home, 2)
    made = home.json("submit", study)
    assert made["study"] == "long" and made["job"].startswith(f"asha-nas-{made['owner']}-long-")
    refused = home.run("submit", study, code=2)
    assert "'long' is" in refused and "asha-nas logs long" in refused
    pids = wait_until(lambda: all_train(home, 2), "three trials", ENOUGH)
    assert {node_of(home, pid) for pid in pids} == {"first", "second", "third"}

    cancelled = home.json("cancel", "long")
    assert (cancelled["was_running"], cancelled["job_state"], cancelled["state"]) == (True, "STOPPED", "interrupted")
    assert home.of("long", "closed") == [{"session": 0, "reason": "interrupted"}]
    assert "interrupted; nothing is lost" in home.run("logs", "long")

    open_gates(home)
    close(home, 4)
    home.run("submit", study)
    pids = wait_until(lambda: all_train(home, 4), "three trials", ENOUGH)
    lost = next(pid for pid in pids if node_of(home, pid) == "third")
    trial = pids.index(lost)
    os.kill(home.pid("third"), signal.SIGKILL)
    wait_until(lambda: home.of("long", "failed"), "the loss of a job", ENOUGH)
    open_gates(home)
    assert "going on after" in home.run("logs", "long", "--follow")
    check_complete(home, "long")
    asked = {payload["job"]: payload["trial"] for payload in home.of("long", "asked")}
    failed = home.of("long", "failed")
    assert {asked[payload["job"]] for payload in failed} == {trial}
    assert {payload["failure"]["kind"] for payload in failed} == {"worker_lost"}
    assert "is done; nothing is left to do" in home.run("submit", study)


def test_without_the_token_nobody_connects_submits_or_reads(home, intruder):
    with pytest.raises(TokenRejected, match="wants a token"):
        check(home.head["cluster"], None)
    with pytest.raises(TokenRejected, match="does not accept"):
        check(home.head["cluster"], Token("0" * 64, "somewhere"))
    for path in ("/api/version", "/api/jobs/", "/nodes?view=summary", "/api/v0/actors", "/metrics", "/logs"):
        for token, code in ((None, 401), ("0" * 64, 403)):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            request = urllib.request.Request(f"http://{home.head['dashboard']}{path}", headers=headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            assert refused.value.code == code, path
            refused.value.close()
    nobody, study = str(home.folder / "nobody"), home.study("mine", **LADDER)
    where = ("--address", f"http://{home.head['dashboard']}")
    for command in (("submit", study), ("logs", "long"), ("cancel", "long")):
        assert "wants a token" in home.run(*command, *where, code=2, HOME=nobody)
    assert "does not accept" in home.run("logs", "long", *where, code=2, RAY_AUTH_TOKEN="0" * 64, HOME=nobody)
    words = home.run("cluster", "status", "--address", home.head["cluster"], code=2, HOME=nobody)
    assert "wants a token" in words and "Traceback" not in words
    assert "mine" not in home.run("ls")
    intruder.wait(ENOUGH)
    assert "refused: Failed to connect" in intruder.output.read_text()
    assert "connected" not in intruder.output.read_text()


def test_a_driver_whose_head_dies_says_so_and_the_study_goes_on_with_another(home):
    study = home.study("orphan", **LADDER)
    (home.folder / "epochs.txt").unlink()
    home.gate(0, 3).touch()
    driver = home.start("run", study)
    wait_until(lambda: home.who_trains(0, 3), "the gate", ENOUGH)
    os.kill(home.pid("first"), signal.SIGKILL)
    assert driver.wait(ENOUGH) == 2, driver.output.read_text()
    said = driver.output.read_text()
    assert f"the head of the Ray cluster at {home.head['cluster']} is gone" in said and "asha-nas resume" in said
    assert "has ended by itself" in home.run("cluster", "status", code=2)

    home.run(*HEAD, "--name", "fourth", "--no-dashboard")
    open_gates(home)
    home.run("resume", "orphan")
    check_complete(home, "orphan")


def test_what_is_stopped_is_ours_and_all_of_it(home):
    family = home.family("fourth")
    assert len(family) > 4
    bystanders = {pid: since for pid in [home.bystander.pid] if (since := born(pid)) is not None}
    assert bystanders, home.bystander.output.read_text()
    said = home.run("cluster", "stop", "--all")
    assert "fourth" in said and "is stopped" in said
    assert "first" in said and "had ended by itself" in said
    assert home.nodes() == []
    assert not alive({each.pid: int(each.born.split(":")[1]) for each in family})
    assert alive(bystanders) == bystanders
    assert "no node runs here" in home.run("cluster", "stop", "--all")
    kill_all(bystanders)
