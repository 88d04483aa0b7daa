"""Building a table from the command line."""

import json

import pytest

from spaces.table import Table

TINY = ("--cells", "3", "--budgets", "1,2", "--repeats", "2", "--engine", "inline")
SMALL = ("--recipe", "channels=4", "--recipe", "stacks=1", "--recipe", "train_limit=100")


def test_from_nothing_to_a_table_with_the_others(cli, tmp_path):
    code, out, err = cli("table", "build", "--space", "s1", "--name", "mine", *TINY, *SMALL)
    assert code == 0, err
    assert "a table of 3 cells of s1 on digits" in out
    assert "asha-nas table info" in out
    table = Table.open(tmp_path / "data/asha-nas/data/tables/mine.nastable", verify=True)
    assert (len(table), tuple(table.budgets), table.repeats, table.name) == (3, (1, 2), 2, "mine")

    [listed] = [entry for entry in json.loads(cli("table", "list", "--json")[1]) if entry["name"] == "mine"]
    assert listed["state"] == "installed"
    assert cli("table", "info", "mine")[0] == 0

    best = table.best("test_accuracy")
    found = cli("table", "lookup", "mine", best.hash, "--budget", "2")
    assert found[0] == 0, found[2]
    assert best.hash in found[1]


def test_to_a_file_for_programs_and_again_by_resume(cli, tmp_path):
    path = tmp_path / "out" / "mine.nastable"
    arguments = ("table", "build", "--name", "json", "--out", str(path), "--json", *TINY, *SMALL)
    code, out, err = cli(*arguments)
    assert code == 0, err
    made = json.loads(out)
    assert (made["study"], made["state"], made["table"]) == ("json", "done", str(path))
    assert made["cost"]["full_epochs"] is None
    path.unlink()
    code, out, err = cli("resume", "json")  # the log is whole, so the table is too
    assert code == 0, err
    assert len(Table.open(path)) == 3


def test_a_build_without_time_writes_no_table(cli, tmp_path):
    path = tmp_path / "mine.nastable"
    code, out, _ = cli("table", "build", "--name", "late", "--out", str(path), "--max-hours", "0.000001", *TINY, *SMALL)
    assert not path.exists()
    assert "--max-hours" in out or code == 1


def test_the_plan_runs_nothing(cli):
    code, out, err = cli("table", "build", "--plan", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert [rung["stop"] for rung in plan["plan"]["rungs"]] == [1, 2, 4]
    assert plan["plan"]["jobs"] == 3 * plan["plan"]["rungs"][0]["jobs"]
    assert json.loads(cli("ls", "--json")[1]) == []
    plan = json.loads(cli("table", "build", "--data", "cifar10", "--plan", "--json")[1])
    assert plan["spec"]["scheduler"]["budgets"] == [4, 12, 36, 108]


def test_show_and_explain_speak_of_budgets(cli):
    assert cli("table", "build", "--name", "mine", *TINY, *SMALL)[0] == 0
    assert "saved" not in cli("show", "mine")[1]
    assert "was trained to" in cli("explain", "mine", "0")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--space", "s4"), "unknown space 's4'"),
        (("--data", "mnist"), "unknown data set 'mnist'"),
        (("--budgets", "4,1"), "ascending"),
        (("--budgets", "few"), "numbers of epochs"),
        (("--repeats", "0"), "repeats"),
        (("--out", "table.csv"), "must end in .nastable"),
        (("--recipe", "cells=3"), "unknown recipe setting 'cells'"),
        (("--recipe", "channels=1"), "channels"),
    ],
)
def test_mistakes_are_told_before_anything_runs(cli, arguments, words):
    code, _, err = cli("table", "build", "--engine", "inline", *arguments)
    assert code == 2
    assert words in err
    assert json.loads(cli("ls", "--json")[1]) == []
