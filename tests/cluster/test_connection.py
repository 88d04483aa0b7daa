"""Connecting to Ray."""

import pytest
import ray

from cluster.connection import ClusterUnreachable, connected
from spaces.errors import UserError


@pytest.mark.ray
def test_a_connection_that_was_there_stays(local_ray):
    before = ray.get_runtime_context().get_node_id()
    with connected(cpus=1) as url:
        assert url is None
        assert ray.cluster_resources()["CPU"] == 2
    assert ray.is_initialized()
    assert ray.get_runtime_context().get_node_id() == before


@pytest.fixture
def refusing(monkeypatch):
    """Ray as it answers when nothing is there, without the wait."""
    asked = []

    def init(**options):
        asked.append(options)
        raise ConnectionError("Could not find any running Ray instance.\nMore lines")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return asked


def test_no_cluster_at_the_address(refusing, monkeypatch):
    with pytest.raises(ClusterUnreachable) as caught, connected("10.0.0.1:6379"):
        pass
    assert str(caught.value).startswith("no Ray cluster at '10.0.0.1:6379': Could not find any running Ray")
    assert "ray start --head" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
    assert isinstance(caught.value, UserError)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.2:6379")
    with pytest.raises(ClusterUnreachable, match=r"10\.0\.0\.2"), connected():
        pass
    assert [options["address"] for options in refusing] == ["10.0.0.1:6379", "10.0.0.2:6379"]
