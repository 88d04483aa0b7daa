"""Handing a study to a cluster: what the cluster is asked for, and what is refused. The cluster is played here."""

import json
from types import SimpleNamespace

import pytest

from asha_nas import owners, submission
from asha_nas.store import Store
from asha_nas.study import make_spec, read_spec
from cluster import jobs

STUDY = """
[problem]
kind = "table"
table = "s1-digits"
[scheduler]
kind = "random"
R = 4
configs = 3
"""
URL = "http://10.0.0.5:8265"


class Played:
    """Ray's own client of the Jobs API, for one job."""

    def __init__(self):
        self.state, self.asked, self.calls = None, None, []

    def get_job_status(self, _job):
        if self.state is None:
            raise RuntimeError("Request failed with status code 404: no such job.")
        return SimpleNamespace(value=self.state)

    def submit_job(self, **asked):
        if self.state is not None:
            raise RuntimeError("Request failed with status code 500: Job already exists. Please use another.")
        self.asked, self.state = asked, "PENDING"
        self.calls.append("submit")

    def delete_job(self, _job):
        self.state = None
        self.calls.append("delete")

    def stop_job(self, _job):
        running, self.state = self.state in ("PENDING", "RUNNING"), "STOPPED"
        return running

    def get_job_logs(self, _job):
        return "epoch 1\n"


@pytest.fixture
def played(monkeypatch, tmp_path):
    """A cluster at `URL` that takes jobs; and a study for it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", URL)
    client = Played()
    monkeypatch.setattr(jobs, "connect", lambda address: jobs.Jobs(address or URL, None, client))
    client.file = tmp_path / "mine.toml"
    client.file.write_text(STUDY)
    return client


def test_a_study_is_in_the_store_before_it_is_handed_over(cli, played, tmp_path):
    store = tmp_path / "place" / "s.db"
    code, out, err = cli("submit", str(played.file), "--store", str(store), "--json")
    assert code == 0, err
    said = json.loads(out)
    record = Store(str(store)).study("mine")
    assert said == {
        "owner": record.owner, "study": "mine", "job": submission.job_name(record), "dashboard": URL,
    }  # fmt: skip
    assert played.asked["submission_id"] == said["job"]
    assert played.asked["entrypoint"] == f"exec asha-nas resume {record.owner}/mine"
    assert played.asked["runtime_env"] == {
        "env_vars": {"ASHA_NAS_STORE": f"sqlite:///{store}", "RAY_JOB_STOP_WAIT_TIME_S": "60"}
    }
    assert "working_dir" not in str(played.asked), "no code is shipped"
    assert "must find it at the same path" in " ".join(err.split())
    [listed] = json.loads(cli("ls", "--store", str(store), "--json")[1])
    assert (listed["name"], listed["state"]) == ("mine", "new")


def test_a_study_that_runs_is_refused_and_one_that_has_stopped_goes_on(cli, played):
    assert cli("submit", str(played.file))[0] == 0
    for state in ("PENDING", "RUNNING"):
        played.state = state
        code, _, err = cli("submit", str(played.file))
        assert code == 2 and "study 'mine' is submitted already" in err and "asha-nas logs mine" in err
    code, out, _ = cli("cancel", "mine", "--json")
    assert code == 0
    assert json.loads(out)["was_running"] is True
    assert json.loads(out)["job_state"] == "STOPPED"
    assert "was not running" in cli("cancel", "mine")[1]
    played.calls.clear()
    assert cli("submit", str(played.file))[0] == 0
    assert played.calls == ["delete", "submit"]
    assert cli("logs", "mine")[1] == "epoch 1\n"


def test_two_that_submit_at_a_time(cli, played, monkeypatch):
    assert cli("submit", str(played.file))[0] == 0
    monkeypatch.setattr(jobs.Jobs, "state", lambda _self, _job: None)  # looked at before the other one submitted
    code, _, err = cli("submit", str(played.file))
    assert code == 2 and "is submitted already" in err


def test_another_study_of_the_same_name_is_refused(cli, played):
    assert cli("submit", str(played.file))[0] == 0
    played.file.write_text(STUDY.replace("configs = 3", "configs = 4"))
    code, _, err = cli("submit", str(played.file))
    assert code == 2 and "exists already, and is another one" in err and "--name" in err
    assert cli("submit", str(played.file), "--name", "other")[0] == 2, "the played cluster takes one job"


def test_its_priority_is_what_was_said_last(cli, played):
    """It is no part of what the study is."""
    for options, stored in (("--priority", "3"), 3), ((), 3), (("--priority", "3"), 3), (("--priority", "7"), 3):
        assert cli("submit", str(played.file), *options)[0] == 0
        [listed] = json.loads(cli("ls", "--json")[1])
        assert listed["priority"] == stored
        asked = int(options[1]) if options else 1
        command = f"exec asha-nas resume {owners.owner()}/mine"
        assert played.asked["entrypoint"] == command + f" --priority {asked}" * (asked != stored)
        cli("cancel", "mine")
    code, _, err = cli("submit", str(played.file), "--priority", "101")
    assert code == 2 and "--priority" in err


def test_a_study_of_an_earlier_version_says_the_same(cli, played):
    """Its spec lacks what this version has added, which has its default then."""
    spec = json.loads(submission.on_cluster(read_spec(played.file)).model_dump_json())
    del spec["engine"]["priority"]
    record = Store().create("mine", json.dumps(spec), "{}")
    assert submission.existing(submission.on_cluster(read_spec(played.file)), Store()) == record


def test_a_study_that_is_done_is_not_handed_over(cli, played):
    played.file.write_text(STUDY + '[engine]\nkind = "ray"\naddress = "10.0.0.7:6379"\n')
    assert cli("submit", str(played.file))[0] == 0
    store = Store()
    lease = store.lease(store.study("mine"))
    from asha_nas.store import Closed, Opened

    store.append(lease, Opened(session=0))
    code, _, err = cli("submit", str(played.file))
    assert code == 2 and "study 'mine' is running already" in err
    store.append(lease, Closed(session=0, reason="done"))
    lease.release()
    played.calls.clear()
    code, out, _ = cli("submit", str(played.file))
    assert code == 0 and "is done; nothing is left to do" in out and played.calls == []


def test_the_plan_makes_nothing(cli, played):
    code, out, _ = cli("submit", str(played.file), "--plan", "--json")
    assert code == 0 and json.loads(out)["plan"]["jobs"] == 3
    assert played.calls == [] and json.loads(cli("ls", "--json")[1]) == []


@pytest.mark.parametrize("kind", ["inline", "simulator"])
def test_studies_that_need_no_cluster_are_refused(cli, played, kind):
    more = "workers = 2\n" if kind == "simulator" else ""
    played.file.write_text(STUDY + f'[engine]\nkind = "{kind}"\n{more}')
    code, _, err = cli("submit", str(played.file))
    assert code == 2 and f"engine.kind = '{kind}': only studies of Ray can be submitted" in err


def test_jobs_that_are_not_there(cli, played):
    assert "unknown study 'mine'" in cli("logs", "mine")[2]
    assert cli("submit", str(played.file))[0] == 0
    played.state = None
    for command in ("logs", "cancel"):
        code, _, err = cli(command, "mine", "--address", URL)
        assert code == 2 and "has no job asha-nas-" in err and "-mine-" in err
        assert cli(command, "mine")[0] == 0, "where it is not given, the store is asked"


def test_nobody_says_where_the_cluster_is(cli, played, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(played.file.parent / "none"))
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    with pytest.raises(jobs.ClusterUnreachable, match=r"no head .*\n.*asha-nas cluster start --head"):
        jobs.dashboard_url(None)
    assert jobs.dashboard_url("10.0.0.5:8265/") == URL
    assert jobs.dashboard_url("https://there") == "https://there"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", URL)
    assert jobs.dashboard_url(None) == URL


def test_a_study_runs_where_it_is_submitted_whatever_its_file_says():
    values = {"name": "a", "problem": {"kind": "table", "table": "s1-digits"}, "scheduler": {"R": 4, "configs": 1}}
    spec = make_spec({**values, "engine": {"address": "10.0.0.7:6379"}})
    assert submission.on_cluster(spec).engine.address is None


@pytest.mark.parametrize("arguments", [("start",), ("start", "--head", "--port", "70000"), ("join",)])
def test_mistakes_with_cluster_commands(cli, arguments):
    code, _, err = cli("cluster", *arguments)
    assert code == 2 and "Traceback" not in err
