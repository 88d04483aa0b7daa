"""Nodes that join a running study get jobs of it; nodes that are lost cost it no more than the jobs they ran."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from asha_nas.store import Failed, Reported, Store, Told
from tests.crash.processes import wait_until
from tests.elastic import TOGETHER
from tests.ray_nodes import Nodes

STUDY = """
[problem]
kind = "objective"
objective = "tests.elastic:train"
space = { x = { range = [0.0, 1.0] } }
metric = "loss"
[scheduler]
kind = "random"
R = 1
configs = 8
[engine]
gpus_per_trial = 0.5
[retries]
worker_lost = 1
"""


@pytest.fixture
def nodes():
    nodes = Nodes()
    yield nodes
    nodes.close()


@pytest.mark.ray
@pytest.mark.kill
def test_a_node_joins_and_another_time_is_lost(nodes, tmp_path):
    nodes.environment["ELASTIC_FOLDER"] = str(tmp_path)
    nodes.start("127.0.0.1", "--num-cpus=4", "--num-gpus=1")  # room for two jobs, by its one GPU
    (tmp_path / "study.toml").write_text(STUDY)
    store = Store(str(tmp_path / "studies.db"))
    driver = subprocess.Popen(
        [sys.executable, "-c", "from asha_nas.cli import main; main()", "run", str(tmp_path / "study.toml"), "--json"],
        env={**nodes.environment, "RAY_ADDRESS": nodes.address, "ASHA_NAS_STORE": str(tmp_path / "studies.db")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    nodes.started.append(driver)  # ended with them

    def begun():
        assert driver.poll() is None, driver.stdout.read()
        found = {int(each.name[6:]): json.loads(each.read_text()) for each in tmp_path.glob("begun-*")}
        return dict(sorted(found.items()))

    wait_until(lambda: len(begun()) == 2, "two jobs on the first node")
    second = nodes.start("127.0.0.2", "--num-cpus=4", "--num-gpus=1")
    # The first four trials end only once all of them have begun: two of them on the node that joined.
    first = wait_until(lambda: len(found := begun()) == 2 * TOGETHER and found, "four jobs more")
    places = Counter(attempts[0]["node"] for trial, attempts in first.items() if trial < TOGETHER)
    assert sorted(places.values()) == [2, 2]
    for attempts in first.values():
        assert attempts[0]["has"]["GPU"] == 0.5 and len(attempts[0]["gpus"]) == 1
    assert len({attempts[0]["gpus"][0] for attempts in first.values()}) == 1  # two jobs share GPU 0 of their node

    head = first[0][0]["node"]
    away = {trial for trial in first if trial >= TOGETHER and first[trial][0]["node"] != head}
    assert len(away) == 2
    nodes.kill(second)
    (tmp_path / "gone").touch()
    output, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, output

    events = [row.event for row in store.rows(store.study("study"))]
    store.close()
    failed = [event for event in events if isinstance(event, Failed)]
    assert {event.job for event in failed} == away and len(failed) == 2
    assert {event.failure.kind for event in failed} == {"worker_lost"}
    told = {event.job: event.loss for event in events if isinstance(event, Told)}
    assert told == {trial: float(trial) for trial in range(8)}
    assert Counter(event.job for event in events if isinstance(event, Reported)) == Counter(range(8))
    again = {trial: json.loads((tmp_path / f"begun-{trial}").read_text()) for trial in range(8)}
    assert {trial for trial, attempts in again.items() if len(attempts) == 2} == away
    assert all(again[trial][1]["node"] == head for trial in away)
