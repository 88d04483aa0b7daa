"""`asha-nas compare`: studies side by side, from logs and from searches really run."""

import csv
import json
import subprocess
import sys

import pytest

from asha_nas.analysis.trajectory import Spent, Trajectory
from asha_nas.store import Repeated, Store
from asha_nas.study import make_spec
from tests.asha_nas.logs import job, write


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "studies.db"))


@pytest.fixture
def compare(cli, tmp_path):
    """Run the command on the store; gives what it printed."""

    def run(*arguments, fails=False):
        code, out, err = cli("compare", *arguments, "--store", str(tmp_path / "studies.db"))
        assert code == (2 if fails else 0), err
        return " ".join(err.replace("│", " ").split()) if fails else out

    return run


def spec_of(name, kind="random", seed=0, space="s1", **scheduler):
    problem = {"kind": "tune", "optimizer": "gdas", "space": space}
    options = {"random": {"R": 4, "configs": 3}, "asha": {"r": 1, "R": 4, "eta": 2, "configs": 3}}[kind]
    return make_spec(
        {"name": name, "seed": seed, "problem": problem, "scheduler": {"kind": kind, **options, **scheduler}}
    )


def ran(store, name, *regrets, seed=0, closed="done", **parts):
    """A study whose jobs found cells of these regrets, each the new incumbent, in 10 seconds each."""
    events = [
        event
        for k, regret in enumerate(regrets)
        for event in job(
            k, k, 4, {"valid_error": regret + 0.1, "test_error": regret + 0.2, "regret": regret}, regret + 0.1, {}
        )
    ]
    write(store, spec_of(name, seed=seed, **parts), events, closed)


def repeated(store, name, repeats, **parts):
    """A study of repeats that find a cell of some regret in the first second, and a better one in the tenth."""
    events = []
    for k in range(repeats):
        values = (0.5 + 0.01 * k, 0.1 + 0.01 * k)
        metrics = {"test_error": values, "regret": values}
        kept = Trajectory((1, 10), (4, 40), (1.0, 10.0), (1.0, 10.0), values, metrics, Spent(20, 80, 20.0, 20.0))
        events.append(Repeated(repeat=k, seed=k, trajectory=kept.to_plain()))
    write(store, spec_of(name, **parts), events)


@pytest.fixture
def studies(store):
    """Two studies of one line, and a simulated one with three repeats of another."""
    ran(store, "a0", 0.5, 0.2)
    ran(store, "a1", 0.4, 0.3, seed=1)
    repeated(store, "many", 3, kind="asha")


def test_for_people(compare, studies, tmp_path):
    out = compare("a0", "many", "a1")
    assert "regret of the best so far in %, by time of all jobs together; mean ± standard error over n repeats" in out
    rows = [line.split() for line in out.splitlines()]
    [best] = [row for row in rows if row[:2] == ["asha", "gdas"] and "3" in row]
    assert best[-1] == "11.000±0.577"
    [other] = [row for row in rows if row[:2] == ["random", "gdas"] and "2" in row]
    assert other[-1] == "25.000±5.000"
    assert any(row[:5] == ["random", "gdas", "cs2", "20", "s"] and "+14.000" in row for row in rows)
    assert any(row[:5] == ["asha", "gdas", "cs2", "20", "s"] and row[-1] == "best" for row in rows)
    drawing = tmp_path / "data/asha-nas/drawings/a0-comparison.png"
    assert f"drawn in {drawing}" in out
    assert drawing.read_bytes().startswith(b"\x89PNG")
    assert "note" not in out


def test_for_programs(compare, studies, tmp_path):
    picture, numbers = tmp_path / "new" / "a.svg", tmp_path / "new" / "a.csv"
    out = compare(
        "mine=a0,a1", "many", "--axis", "evaluations", "--value", "test_error",
        "--draw", str(picture), "--csv", str(numbers), "--json",
    )  # fmt: skip
    made = json.loads(out)
    assert (made["axis"], made["value"], made["remarks"]) == ("evaluations", "test_error", [])
    assert made["ground"] == {"table": "s1-digits", "space": "s1"}
    assert made["lines"][0] == {"label": "mine", "studies": ["a0", "a1"], "repeats": 2}
    *_, last = made["moments"]
    assert (last["x"], [one["x"] for one in last["standings"]]) == (None, [2.0, 20.0])
    mine, best = last["standings"]
    assert (mine["mean"], best["mean"], best["behind"]) == (pytest.approx(0.45), pytest.approx(0.11), None)
    assert mine["behind"]["mean"] == pytest.approx(0.34)
    assert mine["behind"]["low"] < 0.34 < mine["behind"]["high"]
    assert picture.read_text().startswith("<?xml")
    rows = list(csv.DictReader(numbers.read_text().splitlines()))
    assert [float(row["mean"]) for row in rows if row["label"] == "mine"] == pytest.approx([0.65, 0.45])
    assert [int(float(row["evaluations"])) for row in rows if row["label"] == "mine"] == [1, 2]
    assert (made["drawing"], made["csv"]) == (str(picture), str(numbers))


def test_what_should_be_known_is_noted(compare, store):
    ran(store, "same", 0.5, 0.2)
    ran(store, "again", 0.5, 0.2)
    ran(store, "stopped", 0.6, kind="asha", closed=None)
    out = " ".join(compare("same", "again", "stopped").split())
    assert "1 of the 2 repeats of 'random gdas cs2' are like another one to the last digit; same seed?" in out
    assert "stopped is not over (killed): its line is what it has so far" in out
    assert "a single repeat tells nothing of the spread: asha gdas cs2" in out
    out = " ".join(compare("mine=same,stopped").split())
    assert "the studies of 'mine' differ not by their seed alone: " in out
    assert "scheduler.kind" in out


def test_different_problems(compare, store):
    ran(store, "a", 0.5)
    ran(store, "b", 0.4, space="s2")
    assert "results of different problems do not compare" in compare("a", "b", fails=True)
    out = compare("a", "b", "--anyway")
    assert "random gdas cs2 s1 digits" in out and "random gdas cs2 s2 digits" in out


def test_mistakes(compare, store, studies, tmp_path):
    write(store, spec_of("empty"), [])
    file = tmp_path / "file"
    file.write_text("")
    for arguments, words in (
        (("a",), "unknown study 'a' Did you mean 'a1'?"),
        (("a0", "empty"), "study 'empty' has no result See why: asha-nas show empty"),
        (("a0", "a0"), "named twice"),
        (("a0", "--axis", "time"), "unknown axis 'time'"),
        (("a0", "--value", "regrets"), "Did you mean 'regret'?"),
        (("a0", "--draw", "a.pdf"), "must end in .svg or .png"),
        (("a0", "--draw", f"{file}/a.png"), "cannot be written"),
        (("a0", "--csv", str(tmp_path)), "it is a folder"),
    ):
        assert words in compare(*arguments, fails=True)


def test_a_default_drawing_that_cannot_be_written_does_no_harm(cli, compare, studies, tmp_path):
    (tmp_path / "data" / "asha-nas").mkdir(parents=True)
    (tmp_path / "data" / "asha-nas" / "drawings").write_text("a file")
    code, out, err = cli("compare", "a0", "--store", str(tmp_path / "studies.db"))
    assert code == 0
    assert "regret of the best so far" in out
    assert "not drawn" in err


def test_searches_that_were_really_run(cli):
    recipe = [word for pair in ("channels=4", "stages=2", "train_limit=200") for word in ("--recipe", pair)]
    for optimizer in ("darts", "gdas"):
        arguments = (
            "--optimizer",
            optimizer,
            "--seeds",
            "0,1",
            "--epochs",
            "1",
            "--engine",
            "inline",
            "--name",
            optimizer,
        )
        assert cli("search", *arguments, *recipe)[0] == 0
    code, out, err = cli("compare", "darts", "gdas", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert [line["label"] for line in made["lines"]] == ["darts", "gdas"]
    for optimizer, standing in zip(("darts", "gdas"), made["moments"][-1]["standings"], strict=True):
        best = json.loads(cli("best", optimizer, "--json")[1])
        assert standing["mean"] == pytest.approx(best["metrics"]["regret"])
        shown = json.loads(cli("show", optimizer, "--json")[1])
        assert standing["x"] > shown["cost"]["trial_seconds"] / 2  # the table's seconds of training are in it


def test_the_command_line_starts_without_what_is_heavy():
    code = (
        "import sys, asha_nas.cli.app\n"
        "found = {'matplotlib', 'torch', 'ray', 'pandas'} & set(sys.modules)\n"
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
