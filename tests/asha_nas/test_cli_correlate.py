"""`asha-nas correlate`: one-shot errors beside the table's, of studies really searched, on digits."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asha_nas import api, correlation
from asha_nas.errors import InvalidValue, NoResult, TrialNotFound, UserError
from asha_nas.store import Reported, Store
from asha_nas.study import make_spec
from spaces.nasbench1shot1 import SPACES, unique_hashes
from trials.tables import open_table

SMALL = {"channels": 4, "stages": 2, "train_limit": 200, "batch_size": 10, "keep_every": 2}
FEW = ("--architectures", "12")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For checkpoints."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def spec_of(name="found", budgets=(5,), **problem):
    values = {"kind": "search", "seeds": [0, 4], "recipe": SMALL, **problem}
    return make_spec({"name": name, "engine": {"kind": "inline"}, "scheduler": {"budgets": budgets}, "problem": values})


@pytest.fixture
def found(tmp_path):
    """Two searches of five epochs; epochs 2, 4 and 5 of each are kept."""
    study = api.create(spec_of(), store=Store(str(tmp_path / "studies.db")))
    assert study.run() == "done"
    return study


@pytest.fixture
def correlate(cli, tmp_path):
    """Run the command on the store of `found`; gives what it printed."""

    def run(*arguments, name="found"):
        code, out, err = cli("correlate", name, "--store", str(tmp_path / "studies.db"), *arguments)
        assert code == 0, err
        return out

    return run


def place(values):
    return values["budget"], values["epoch"], values["table_budget"], values["split"]


# --- from start to end ---------------------------------------------------------------------------------


def test_for_programs(found, correlate, tmp_path):
    picture, numbers = tmp_path / "new" / "a.svg", tmp_path / "new" / "a.csv"
    made = json.loads(correlate(*FEW, "--draw", str(picture), "--csv", str(numbers), "--json"))
    assert (made["study"], made["space"], made["table"], made["images"]) == ("found", "s1", "s1-digits", 49)
    assert made["architectures"] == {"measured": 12, "space": 2685}
    assert [place(values) for values in made["correlations"]] == [
        (5, epoch, table_budget, split)
        for split in ("test", "valid")
        for epoch in (2, 4, 5)
        for table_budget in (1, 2, 4)
    ]  # fmt: skip
    assert all(values["searches"] == 2 for values in made["correlations"])
    assert [(one["trial"], one["seed"], one["epoch"]) for one in made["searches"]] == [
        (0, 0, 2), (0, 0, 4), (0, 0, 5), (1, 4, 2), (1, 4, 4), (1, 4, 5)
    ]  # fmt: skip
    assert [each["table_budget"] for each in made["table_budgets"]] == [1, 2]
    assert made["left_out"] == []
    assert (made["drawing"], made["csv"]) == (str(picture), str(numbers))
    assert picture.read_text().startswith("<?xml")
    _check_numbers(list(csv.DictReader(numbers.read_text().splitlines())), made, found)


def _check_numbers(rows, made, study):
    """What the file says of the chosen and the best cell is what the log, the table and the JSON say."""
    table, hashes = open_table("s1-digits"), {row["hash"] for row in rows}
    best = table.cell(int(table.column("test_accuracy").argmax())).hash
    by_job = {(one.job, one.epoch): one.notes["hash"] for one in _reports(study)}
    assert len(rows) == 6 * len(hashes)
    assert sum(int(row["counted"]) for row in rows) == 6 * 12
    for one in made["searches"]:
        of_one = [row for row in rows if (int(row["trial"]), int(row["epoch"])) == (one["trial"], one["epoch"])]
        [chosen] = [row["hash"] for row in of_one if row["chosen"] == "1"]
        assert [cell["hash"] for cell in one["cells"]] == [chosen, best]
        assert chosen == by_job[one["trial"], one["epoch"]]
    for row in rows[:20]:
        for budget in table.budgets:
            entry = table.lookup(row["hash"], budget)
            assert float(row[f"test_error_{budget}"]) == pytest.approx(entry.test_error, abs=1e-11)
            assert float(row[f"valid_error_{budget}"]) == pytest.approx(entry.valid_error, abs=1e-11)


def _reports(study):
    rows = study.store.rows(study.store.study(study.name))
    return [row.event for row in rows if isinstance(row.event, Reported)]


def test_for_people(found, correlate, tmp_path):
    out = correlate(*FEW, "--every", "4")
    assert "found: 12 of 2,685 architectures of s1 with the weights of 4 checkpoints of 2 searches" in out
    assert "beside s1-digits" in out
    [heads] = [line.split("  ") for line in out.splitlines() if line.startswith("epoch ")]
    assert [word.strip() for word in heads if word] == ["epoch", "1 epoch", "2 epochs", "4 epochs", "sparse τ"]
    assert [line.split()[0] for line in out.splitlines() if "±" in line or "·" in line] == ["4", "5"]
    assert "the table's own test errors at 2 and at 4 epochs have ρ" in out
    drawing = tmp_path / "data/asha-nas/drawings/found-correlation.png"
    assert f"drawn in {drawing}" in out
    assert drawing.read_bytes().startswith(b"\x89PNG")


def test_it_is_the_same_again_and_another_seed_draws_others(found):
    first, second, other = (correlation.plan(found, architectures=12, seed=seed) for seed in (3, 3, 5))
    assert first.truth.hashes == second.truth.hashes != other.truth.hashes
    one, two = (correlation.measure(plan).measured for plan in (first, second))
    assert all(np.array_equal(a.errors, b.errors) for a, b in zip(one, two, strict=True))


def test_architectures(found):
    whole = correlation.plan(found)
    assert [bytes.fromhex(name) for name in whole.truth.hashes] == [h.tobytes() for h in unique_hashes(SPACES["s1"])]
    assert whole.truth.counted.all()
    assert [choice.cell().hash for choice in whole.choices] == list(whole.truth.hashes)
    for count in (1, 2686):
        with pytest.raises(InvalidValue, match=f"architectures = {count}: must be 2 to 2685"):
            correlation.plan(found, architectures=count)


def test_of_a_large_space_a_thousand_are_drawn():
    drawn = correlation._drawn(SPACES["s2"], None, 0)
    assert (len(drawn), len(set(drawn)), drawn.max() < 7773) == (1000, 1000, True)
    assert len(correlation._drawn(SPACES["s2"], 7773, 0)) == 7773


def test_progress_counts_every_measurement(found):
    plan, counts = correlation.plan(found, architectures=12), []
    correlation.measure(plan, lambda kept, done: counts.append((kept.trial, kept.epoch, done)))
    assert sum(done for *_, done in counts) == plan.work == 6 * len(plan.choices)


def test_each_search_budget_is_told_by_itself(correlate, tmp_path):
    study = api.create(spec_of("two", budgets=(1, 2), seeds=[0]), store=Store(str(tmp_path / "studies.db")))
    study.run()
    out = correlate(*FEW, name="two")
    assert "searches of 1 epoch\n" in out
    assert "searches of 2 epochs\n" in out


def test_no_correlation_is_said_to_be_none(found, correlate, monkeypatch):
    monkeypatch.setattr(correlation.Judge, "errors", lambda _judge, choices, _progress: np.full(len(choices), 0.9))
    assert "for which no correlation is defined" in correlate(*FEW)
    made = json.loads(correlate(*FEW, "--json"))
    assert {values["spearman"] for values in made["correlations"]} == {None}
    assert {one["correlations"][0]["coefficients"]["kendall"] for one in made["searches"]} == {None}


# --- which checkpoints ---------------------------------------------------------------------------------


def epochs(plan):
    return [(each.trial, each.epoch) for each in plan.kept]


def test_epochs_and_trials_that_are_asked_for(found):
    assert epochs(correlation.plan(found, architectures=2)) == [(t, e) for t in (0, 1) for e in (2, 4, 5)]
    assert epochs(correlation.plan(found, architectures=2, every=4, trial=1)) == [(1, 4), (1, 5)]
    assert epochs(correlation.plan(found, architectures=2, every=100)) == [(0, 5), (1, 5)]
    with pytest.raises(TrialNotFound):
        correlation.plan(found, trial=2)
    with pytest.raises(InvalidValue, match="must be at least 1 epoch"):
        correlation.plan(found, every=0)


def test_of_a_study_under_way_what_is_there_is_measured(tmp_path, correlate):
    class Stopped(BaseException):
        pass

    def stop(event):
        if isinstance(event, Reported) and (event.job, event.epoch) == (1, 3):
            raise Stopped

    study = api.create(spec_of(), store=Store(str(tmp_path / "studies.db")))
    with pytest.raises(Stopped):
        study.run([stop])
    plan = correlation.plan(study, architectures=2)
    assert epochs(plan) == [(0, 2), (0, 4), (0, 5), (1, 2)]
    assert "1 of 2 searches" in correlate(*FEW)


def test_before_the_first_checkpoint(tmp_path):
    study = api.create(spec_of(), store=Store(str(tmp_path / "studies.db")))
    with pytest.raises(NoResult, match="has no checkpoint yet"):
        correlation.plan(study)


def test_lost_checkpoints_are_named_and_left_out(found, correlate, cli, tmp_path):
    files = sorted(Path(found.folder).glob("trial-*/*.ckpt"))
    assert len(files) == 6
    files[0].unlink()
    files[4].write_bytes(b"cut")
    code, out, err = cli("correlate", "found", "--store", str(tmp_path / "studies.db"), *FEW, "--json")
    assert code == 0, err
    made = json.loads(out)
    assert [line.split(":")[0] for line in made["left_out"]] == ["trial 0, epoch 2", "trial 1, epoch 4"]
    assert err.count("left out: ") == 2
    searches = {values["epoch"]: values["searches"] for values in made["correlations"]}
    assert searches == {2: 1, 4: 1, 5: 2}
    for file in files[1:]:
        file.unlink()
    with pytest.raises(UserError, match=r"none of 6 checkpoints can be read.*\n.*keep_every"):
        correlation.measure(correlation.plan(found, architectures=2))


# --- what is refused, before anything is measured ------------------------------------------------------


def refused(cli, tmp_path, *arguments):
    code, out, err = cli("correlate", *arguments, "--store", str(tmp_path / "studies.db"))
    assert (code, out) == (2, "")
    return err


def test_other_studies(cli, tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    api.create(make_spec({"name": "asha", "scheduler": {"configs": 1}, "problem": {"kind": "darts-cnn"}}), store=store)
    recipe = {"samples": 2, "sample_batches": 1}
    api.create(spec_of("darts", optimizer="random-ws", space="darts-cnn", recipe=recipe), store=store)
    assert "is none of one-shot searches" in refused(cli, tmp_path, "asha")
    assert "searches darts-cnn, for which there is no table" in refused(cli, tmp_path, "darts")
    assert "unknown study 'foundd'" in refused(cli, tmp_path, "foundd")


def test_files_that_cannot_be_written(found, cli, tmp_path, monkeypatch):
    monkeypatch.setattr(correlation, "measure", None)
    (tmp_path / "file").touch()
    assert "must end in .svg or .png" in refused(cli, tmp_path, "found", "--draw", "a.pdf")
    assert "cannot be written" in refused(cli, tmp_path, "found", "--draw", str(tmp_path / "file" / "a.png"))
    assert "it is a folder" in refused(cli, tmp_path, "found", "--csv", str(tmp_path / "data"))


def test_too_few_images(found, cli, tmp_path):
    code, _, err = cli("correlate", "found", "--store", str(tmp_path / "studies.db"), *FEW, "--images", "3")
    assert code == 2
    assert "images = 3: must be at least 10" in err


def test_the_command_line_needs_no_torch_for_help():
    code = (
        "import sys; from asha_nas.cli.app import app\n"
        "assert not {'torch', 'matplotlib', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
