"""Following a study that runs somewhere else, through the store that it writes to."""

import json
import re
import threading
import time

import pytest

import asha_nas
from asha_nas.store import Store
from asha_nas.store import lease as lease_module
from tests.crash.home import NAME, Home


@pytest.fixture(autouse=True)
def nobody_knows_a_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)


@pytest.fixture
def home(tmp_path):
    """A study that another process runs, held at its first epoch."""
    made = Home(tmp_path / "home", r=4, R=8, eta=2, configs=3)
    made.gate(0, 2).touch()
    yield made
    made.clean()


def within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.kill
def test_a_study_of_another_process_is_followed_and_stopped(home, cli):
    process = home.fork("run", str(home.file))
    within(120, lambda: home.who_trains(0, 2))
    code, out, err = cli("logs", NAME, "--store", home.store)
    assert (code, err) == (0, "")
    first, second, third = out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  session 0 opened", first)
    assert second.endswith("  trial 0, job 0: job for rung 0: epochs 0 to 4")
    assert re.search(r"  trial 0, job 0: epoch 1: loss [\d.]+, x 0.6\d+$", third)

    seen = []
    follower = threading.Thread(target=lambda: seen.append(cli("logs", NAME, "--store", home.store, "--follow")))
    code, out, _ = cli("cancel", NAME, "--store", home.store, "--no-wait")
    assert code == 0 and f"{NAME} is told to stop" in out and f"asha-nas resume {NAME}" in out
    home.gate(0, 2).unlink()
    assert home.ended(process) in (0, 130), home.output  # it may have been done before it saw that
    follower.start()
    follower.join(60)
    assert "session 0 closed" in seen[0][1]
    code, out, _ = cli("cancel", NAME, "--store", home.store)
    assert code == 0 and f"{NAME} was not running" in out


def endless(task):
    for epoch in range(1, task.stop + 1):
        time.sleep(0.01)
        yield asha_nas_report(epoch)


def asha_nas_report(epoch):
    from trials.contract import Report

    return Report(epoch, {"loss": 1.0})


def test_cancel_waits_for_the_end(cli, tmp_path, monkeypatch):
    """The study runs in this thread, as SIGTERM is the main thread's; it is cancelled from another."""
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.05)
    monkeypatch.setenv("ASHA_NAS_GRACE", "0.1")
    url = str(tmp_path / "studies.db")
    store, begun, said = Store(url), threading.Event(), []
    study = asha_nas.objective_study(
        "endless", endless, {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=10**6, configs=1),
        engine=asha_nas.Workers(kind="inline"), store=store,
    )  # fmt: skip

    def cancel():
        begun.wait(60)
        said.append(cli("cancel", "endless", "--store", url, "--json"))

    other = threading.Thread(target=cancel)
    other.start()
    assert study.run([lambda _event: begun.set()]) == "interrupted"
    other.join(60)
    code, out, err = said[0]
    assert code == 0, err
    found = json.loads(out)
    assert (found["was_running"], found["state"], found["job_state"]) == (True, "interrupted", None)
    store.close()
