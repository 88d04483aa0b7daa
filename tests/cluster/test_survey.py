"""The checks of all nodes: what answers mean, and a real cluster of two."""

import dataclasses
import json
import subprocess
import sys

import pytest

from cluster.survey import Gpu, Node, Silent, checks
from tests.ray_nodes import Nodes

HERE = {"python": "3.12.1", "source": "abc"}
GPU = Gpu("H100", 80e9, 79e9)
GOOD = Node(
    address="10.0.0.1", versions=HERE, gpus=(GPU,), promised_gpus=1, free=50e9, shared_free=500e9, skew=0.01,
    skew_error=0.001,
)  # fmt: skip


def judged(*nodes):
    return {check.name: check for check in checks(nodes, HERE, "/shared")}


def test_nothing_to_complain_of():
    found = judged(GOOD, dataclasses.replace(GOOD, address="10.0.0.2", gpus=(), promised_gpus=0))
    assert {check.state for check in found.values()} == {"ok"}
    assert list(found) == ["nodes", "versions", "checkpoints", "clocks", "gpus", "space", "ports"]
    assert "10.0.0.1, 10.0.0.2" in found["nodes"].found
    assert found["gpus"].found == "1: H100; at least 79.0 GB free on each"
    assert not any(check.remedy for check in found.values())


@pytest.mark.parametrize(
    ("change", "name", "state", "told"),
    [
        ({"versions": {**HERE, "source": "abd"}}, "versions", "bad", "10.0.0.9 has source abd instead of abc"),
        ({"versions": {"python": "3.12.1"}}, "versions", "bad", "has source not installed instead of abc"),
        ({"unseen": ("10.0.0.1",)}, "checkpoints", "bad", "10.0.0.9 does not see what 10.0.0.1 wrote"),
        ({"skew": -3.0, "skew_error": 0.5}, "clocks", "note", "10.0.0.9 is -3.0 s off"),
        ({"promised_gpus": 2}, "gpus", "bad", "10.0.0.9 promises 2 and has 1"),
        ({"gpus": (Gpu("H100", 80e9, 20e9),)}, "gpus", "note", "more than half taken: 10.0.0.9 (H100)"),
        ({"free": 1e9}, "space", "note", "10.0.0.9 has 1.0 GB"),
        ({"shared_free": 1e9}, "space", "note", "checkpoints have 1.0 GB"),
        ({"unreached": ("10.0.0.1:6379",)}, "ports", "bad", "10.0.0.9 cannot reach 10.0.0.1:6379"),
    ],
)
def test_one_node_that_differs(change, name, state, told):
    found = judged(GOOD, dataclasses.replace(GOOD, address="10.0.0.9", **change))
    assert found[name].state == state and told in found[name].found and found[name].remedy
    assert all(check.state == "ok" for other, check in found.items() if other != name)


def test_a_clock_that_may_be_right_is_not_accused():
    assert judged(dataclasses.replace(GOOD, skew=3.0, skew_error=2.5))["clocks"].state == "ok"


def test_a_node_that_does_not_answer_does_not_hide_the_others():
    found = judged(GOOD, Silent("10.0.0.9", "ModuleNotFoundError: No module named 'cluster'"))
    assert found["nodes"].state == "bad"
    assert "1 of 2 did not answer: 10.0.0.9: ModuleNotFoundError" in found["nodes"].found
    assert found["versions"].state == "ok"


def test_of_many_complaints_a_few_are_told():
    bad = [dataclasses.replace(GOOD, address=f"10.0.0.{k}", free=0.0) for k in range(9)]
    assert judged(*bad)["space"].found.endswith("; and 6 more")


@pytest.fixture(scope="module")
def two_nodes():
    nodes = Nodes()
    try:
        nodes.start("127.0.0.1", "--num-cpus=1")
        nodes.start("127.0.0.2", "--num-cpus=1", "--num-gpus=1")
        yield nodes
    finally:
        nodes.close()


def doctor(nodes, *arguments):
    main = "from asha_nas.cli import main; main()"
    command = [sys.executable, "-c", main, "doctor", "--cluster", "--json", *arguments]
    done = subprocess.run(command, env=nodes.environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout, done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


@pytest.mark.ray
def test_a_real_cluster_of_two(two_nodes, tmp_path):
    code, found = doctor(two_nodes, "--address", two_nodes.address, "--checkpoints", str(tmp_path))
    assert found["nodes"]["found"].startswith("2 answer: ")
    for name in ("nodes", "versions", "checkpoints", "clocks", "ports"):
        assert found[name]["state"] == "ok", found[name]
    assert found["gpus"]["state"] == "bad"  # one is promised that is not there
    assert "127.0.0.2 promises 1 and has 0" in found["gpus"]["found"]
    assert code == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.ray
def test_a_folder_that_nobody_can_write(two_nodes):
    code, found = doctor(two_nodes, "--address", two_nodes.address, "--checkpoints", "/proc/nowhere")
    assert code == 1 and found["checkpoints"]["state"] == "bad" and found["checkpoints"]["remedy"]


def test_gpus_are_those_that_nvidia_smi_lists(tmp_path, monkeypatch):
    from cluster.survey import _gpus

    command = tmp_path / "nvidia-smi"
    command.write_text('#!/bin/sh\necho "NVIDIA H100 80GB HBM3, 81559, 81000"\necho "Odd, with comma, 1024, 512"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    first, second = _gpus()
    assert first == Gpu("NVIDIA H100 80GB HBM3", 81559 * 2.0**20, 81000 * 2.0**20)
    assert (second.name, second.free) == ("Odd, with comma", 2.0**29)
    command.write_text("#!/bin/sh\nexit 9\n")
    assert _gpus() == ()
