"""Priorities on the command line and in study files, and who is said to have how many workers."""

import json

import pytest

from asha_nas import api, claimant
from asha_nas.sharing import Capacity, Claim, Need
from asha_nas.store import Store

STUDY = """
[problem]
kind = "table"
table = "s1-digits"
[scheduler]
kind = "random"
R = 4
configs = 2
[engine]
kind = "inline"
"""
MAKERS = {"run": "asha", "bohb": "bohb", "search": "search", "build": "table build"}
"""Commands that make studies, by their modules."""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(STUDY)
    return str(file)


def listed(cli):
    return {row["name"]: (row["priority"], row["workers"]) for row in json.loads(cli("ls", "--json")[1])}


def test_a_priority_is_part_of_the_study_and_shown_if_it_is_not_the_usual_one(cli, file, tmp_path):
    assert cli("run", file)[0] == 0
    assert listed(cli) == {"mine": (1, None)}
    assert "priority" not in cli("ls")[1] and "priority" not in cli("show", "mine")[1]
    assert cli("run", file, "--name", "urgent", "--priority", "3")[0] == 0
    (tmp_path / "mine.toml").write_text(STUDY + "priority = 5\n")
    assert cli("run", file, "--name", "filed")[0] == 0
    assert cli("run", file, "--name", "both", "--priority", "2")[0] == 0
    assert listed(cli) == {"mine": (1, None), "urgent": (3, None), "filed": (5, None), "both": (2, None)}
    assert "priority" in cli("ls")[1]
    assert ", priority 3\n" in cli("show", "urgent")[1]
    shown = json.loads(cli("show", "urgent", "--json")[1])
    assert (shown["priority"], shown["workers"], shown["spec"]["engine"]["priority"]) == (3, None, 3)


def test_who_has_how_many_workers(cli, file):
    assert cli("run", file)[0] == 0
    assert "workers" not in cli("ls")[1]
    store = Store()
    store.claim(store.study("mine"), "one", Claim(store.study("mine").key, 7, Need(1.0, 0.0, 4, 8, workers=3)))
    assert listed(cli) == {"mine": (7, 3)}  # the priority of the driver that runs it
    assert "workers" in cli("ls")[1]
    assert ", priority 7, 3 workers of a cluster\n" in cli("show", "mine")[1]
    shown = json.loads(cli("show", "mine", "--json")[1])
    assert (shown["priority"], shown["workers"]) == (7, 3)
    store.close()


def test_a_simulated_study_has_none(cli, file, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY.replace('"inline"', '"simulator"'))
    assert cli("simulate", file)[0] == 0
    assert listed(cli) == {"mine": (None, None)}


@pytest.mark.parametrize(
    "command", ["asha", "bohb", "search", "table build", "run {file}", "submit {file}", "resume x"]
)
@pytest.mark.parametrize("priority", ["0", "101", "much"])
def test_it_is_a_number_from_1_to_100(cli, file, command, priority):
    code, _, err = cli(*command.format(file=file).split(), "--priority", priority)
    assert code == 2 and "--priority" in err


def test_a_file_that_says_another_number(cli, file, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY + "priority = 1000\n")
    code, _, err = cli("run", file)
    assert code == 2 and "engine.priority = 1000" in err and "100" in err


@pytest.mark.parametrize(("given", "claimed"), [(None, 3), (7, 7)])
def test_what_a_driver_claims(cli, file, monkeypatch, given, claimed):
    """Its own priority, or the one that it is run with."""
    monkeypatch.setattr(claimant, "RENEW_SECONDS", 0.01)
    assert cli("run", file, "--priority", "3")[0] == 0
    study, told = api.load("mine"), []
    with study.sharing(given, told.append)("one") as allot:
        assert allot(Capacity(4.0, 0.0), Need(1.0, 0.0, 4, 4, 0)) == 4
        [claim] = study.store.claims("one")
        assert (claim.study, claim.priority) == (study.store.study("mine").key, claimed)
    assert told[0] == 4
    study.store.close()


@pytest.mark.parametrize(("module", "command"), MAKERS.items())
def test_commands_that_make_studies_put_it_in(cli, monkeypatch, module, command):
    made = []
    monkeypatch.setattr(f"asha_nas.cli.{module}.start", lambda spec, *_, **__: made.append(spec.engine.priority))
    for options in ((), ("--priority", "2")):
        code, _, err = cli(*command.split(), "--engine", "ray", *options)
        assert code == 0, err
    assert made == [1, 2]
