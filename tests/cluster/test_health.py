"""How soon a head misses a node: our values, unless the user has others."""

import subprocess

from cluster import health


def test_what_is_set_already_stays(monkeypatch):
    monkeypatch.setenv("RAY_health_check_period_ms", "7000")
    found = health.environment()
    assert found.keys() == health.CHECKS.keys()
    assert found["RAY_health_check_period_ms"] == "7000"
    assert found["RAY_health_check_timeout_ms"] == health.CHECKS["RAY_health_check_timeout_ms"]


def test_in_a_shell_too(monkeypatch):
    monkeypatch.setenv("RAY_health_check_period_ms", "7000")
    script = f"export {health.for_shells()}; env | grep ^RAY_health"
    said = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert sorted(said.split()) == sorted(f"{name}={value}" for name, value in health.environment().items())
