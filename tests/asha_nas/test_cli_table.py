"""The commands for tables, as a person or a program uses them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from spaces import nasbench101, nasbench201
from spaces.table import Column, Table, file, write_table
from tests.spaces.small_table import BUDGETS, CELLS, IMAGES, REPEATS, hashes_of, make
from tests.spaces.tfrecords import make_runs, records_of, small_cells, write_records

CELL = CELLS[5]


@pytest.fixture
def folder(cli, tmp_path):
    """Where tables are kept."""
    return tmp_path / "data/asha-nas/data/tables"


@pytest.fixture
def small(folder):
    """An installed table."""
    return Table.open(write_table(folder / "small.nastable", make()))


@pytest.fixture
def source(tmp_path):
    """Something to convert: a file in the form of the release of NAS-Bench-101."""
    cells = small_cells(6)
    return write_records(tmp_path / "some.tfrecord", records_of(cells, make_runs(cells, (4, 108))))


def words_of(text):
    """A page as it would be on one endless line."""
    return re.sub(r"\s+", " ", text)


def test_there_may_be_no_tables(cli, monkeypatch, tmp_path):
    from trials import tables

    monkeypatch.setattr(tables, "EMBEDDED", tmp_path / "none")
    code, out, err = cli("table", "list")
    assert (code, err) == (0, "") and "asha-nas table convert" in out
    assert json.loads(cli("table", "list", "--json")[1]) == []


def test_all_tables_are_listed_even_a_damaged_one(cli, small, folder, monkeypatch):
    folder.joinpath("broken.nastable").write_bytes(small.path.read_bytes()[:-100])
    code, out, err = cli("table", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (code, err) == (0, "")
    assert rows["small"] == {
        "name": "small", "state": "installed", "path": str(small.path), "bytes": small.path.stat().st_size,
        "space": "nasbench101", "data": "cifar10", "cells": len(CELLS), "budgets": list(BUDGETS), "repeats": REPEATS,
    }  # fmt: skip
    assert rows["broken"]["state"].startswith("damaged: ") and rows["broken"]["cells"] is None
    for columns in ("300", "80"):
        monkeypatch.setattr("asha_nas.cli.output.out._width", int(columns))
        code, out, _ = cli("table", "list")
        assert code == 0 and re.search(r"\d+ bytes", out) and str(small.path) in out
        assert "4, 12, 108" in out and "damaged" in out


def test_a_first_look(cli, small, tmp_path):
    code, out, err = cli("table", "info", "small", "--verify")
    assert code == 0, err
    page = words_of(out)
    best = small.best("test_accuracy")
    for words in (
        "small: 40 cells of nasbench101 on cifar10, trained for 4, 12, 108 epochs, 3 repeats",
        "licence: CC0", "made from: seed: 0; what: ü, None", "every column matches its SHA-256",
        "test mean of 3 runs measured 40 40 40", "validation 3 runs measured", "estimated", "absent",
        "no figures at all: training accuracy", "test error after 108 epochs (mean of 3 runs; 40 cells, measured)",
        f"best {100 * best.test_error:.2f} %", f"hash {best.hash}", str(small.cell(best.row)),
        f"{best.parameters:,} parameters", "0 input", "Spearman's ρ", "Kendall's τ", "asha-nas table lookup small HASH",
    ):  # fmt: skip
        assert words in page, words
    drawing = tmp_path / "data/asha-nas/drawings/small-best.png"
    assert f"drawn in {drawing}" in page
    assert drawing.read_bytes().startswith(b"\x89PNG")
    bars = [line for line in out.splitlines() if re.match(r" *[\d.]+ (–|or more)", line)]
    assert sum(int(line.split()[-1].replace(",", "")) for line in bars) == 40


def test_a_first_look_for_programs(cli, small, tmp_path):
    code, out, err = cli("table", "info", str(small.path), "--json", "--draw", str(tmp_path / "deep/best.svg"))
    assert code == 0, err
    told = json.loads(out)
    best = small.best("test_accuracy")
    assert (told["name"], told["cells"], told["budgets"], told["verified"]) == ("small", 40, list(BUDGETS), False)
    assert told["provenance"] == {"seed": 0, "what": ["ü", None]}
    assert told["distribution"]["best"] == best.test_error
    assert told["distribution"]["mean"] == pytest.approx(1 - small.column("test_accuracy").mean(), abs=1e-12)
    assert (told["best"]["hash"], told["best"]["cell"]) == (best.hash, str(small.cell(best.row)))
    [test] = [f for f in told["best"]["figures"] if (f["metric"], f["budget"]) == ("test_accuracy", 108)]
    assert (test["value"], test["counts"]) == (best.test_accuracy, list(best.counts("test")))
    for name, metric in told["metrics"].items():
        counted = [sum(metric["coverage"][str(budget)].values()) for budget in BUDGETS]
        assert counted == [40] * 3, name
    assert len(told["correlations"]) == 3 + 9
    assert (tmp_path / "deep/best.svg").read_text().startswith("<?xml")
    assert not (tmp_path / "data/asha-nas/drawings").exists()


def test_a_page_fits_80_columns(cli, small, monkeypatch):
    monkeypatch.setattr("asha_nas.cli.output.out._width", 80)
    code, out, _ = cli("table", "info", "small")
    assert code == 0
    unbroken = ("small:", "in /", "drawn in", str(small.path), ":input")  # to be copied whole
    long = [line for line in out.splitlines() if len(line.rstrip()) > 80 and not any(word in line for word in unbroken)]
    assert long == []


def test_validation_as_a_maximum_is_told(cli, folder):
    valid = Column(np.full((3, len(CELLS), 1), 5, dtype=np.uint16), IMAGES, aggregate="maximum")
    write_table(folder / "most.nastable", make(columns={"valid_correct": valid}))
    code, out, err = cli("table", "info", "most")
    assert code == 0, err
    assert "validation error after 108 epochs (maximum of 3 runs;" in out
    assert "validation accuracy is the maximum of 3 runs, so its error is the least of them" in out
    assert "all runs" in cli("table", "lookup", "most", CELL.hash)[1]
    assert "only the maximum of 3 runs" in cli("table", "lookup", "most", CELL.hash, "--repeat", "1")[1]


def test_a_table_without_accuracies_has_a_page_too(cli, folder):
    seconds = Column(np.ones((3, len(CELLS), 1), dtype=np.float32))
    write_table(folder / "slow.nastable", make(columns={"seconds": seconds}, parameters=None))
    code, out, err = cli("table", "info", "slow")
    assert code == 0 and "best cell" not in out and "correlation" not in out, err
    told = json.loads(cli("table", "info", "slow", "--json")[1])
    assert (told["best"], told["distribution"], told["correlations"]) == (None, None, [])
    assert json.loads(cli("table", "lookup", "slow", CELL.hash, "--json")[1])["parameters"] is None


def test_verifying_finds_one_altered_bit(cli, folder, monkeypatch):
    path = write_table(folder / "small.nastable", make())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(file, "ALWAYS_VERIFIED", 0)  # as if the table were large
    assert cli("table", "info", "small")[0] == 0
    code, out, err = cli("table", "info", "small", "--verify")
    assert (code, out) == (2, "") and "is altered" in err


def test_looking_up_by_hash_and_by_text(cli, small):
    by_hash = json.loads(cli("table", "lookup", "small", CELL.hash.upper(), "--json")[1])
    by_text = json.loads(cli("table", "lookup", str(small.path), f" {CELL} ", "--json")[1])
    assert by_hash == by_text
    assert (by_hash["hash"], by_hash["repeat"], by_hash["cell"]) == (CELL.hash, "mean", str(CELL))
    assert [f["budget"] for f in by_hash["figures"]] == [budget for budget in BUDGETS for _ in range(6)]
    for figure in by_hash["figures"]:
        entry = small.lookup(CELL, figure["budget"])
        assert figure["status"] == entry.status(figure["metric"])
        if figure["status"] != "absent":
            assert figure["value"] == getattr(entry, figure["metric"])
    code, out, err = cli("table", "lookup", "small", CELL.hash, "--budget", "12")
    page = words_of(out)
    entry = small.lookup(CELL, 12)
    assert (code, err) == (0, "") and f"hash {CELL.hash}" in page and "12 training · · · · absent" in page
    assert f"test {100 * entry.test_accuracy:.2f} % · · · measured, mean of 3 runs" in page
    assert "~ estimated, not measured" in page and "108" not in page


def test_one_repeat(cli, small):
    told = json.loads(cli("table", "lookup", "small", CELL.hash, "--repeat", "2", "--budget", "108", "--json")[1])
    figures = {figure["metric"]: figure for figure in told["figures"]}
    entry = small.lookup(CELL, 108, 2)
    assert told["repeat"] == 2
    assert figures["halfway_train_accuracy"]["value"] == entry.halfway_train_accuracy
    assert figures["halfway_train_accuracy"]["counts"] == [entry.counts("halfway_train")[2]]
    assert (figures["test_accuracy"]["value"], figures["test_accuracy"]["status"]) == (None, "measured")
    assert figures["seconds"]["value"] == entry.seconds
    page = cli("table", "lookup", "small", CELL.hash, "--repeat", "2")[1]
    assert "run 2" in page and "run 1" not in page and "only the mean of 3 runs" in page


def test_a_table_of_nasbench201(cli, folder):
    texts = (
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    )
    cells = [nasbench201.parse_cell(text) for text in texts]
    write_table(folder / "other.nastable", make(cells=cells, space="nasbench201"))
    told = json.loads(cli("table", "lookup", "other", texts[0], "--json")[1])
    assert (told["cell"], told["hash"]) == (texts[0], cells[0].hash)
    code, out, _ = cli("table", "lookup", "other", texts[0])
    assert code == 0 and "3  output  ← skip_connect(0), none(1), none(2)" in out
    assert cli("table", "info", "other")[0] == 0
    code, _, err = cli("table", "lookup", "other", str(CELL))
    assert code == 2 and "a cell of nasbench201 as text" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("info", "smal"), ["unknown table 'smal'", "Did you mean 'small'?"]),
        (("info", "none.nastable"), ["none.nastable: no such file", "asha-nas table convert"]),
        (("info", "small", "--draw", "a.gif"), ["--draw = 'a.gif'", "must end in .svg or .png"]),
        (("lookup", "small", "abc"), ["cell = 'abc'", "32 hexadecimal digits", "0100…:input,…,output"]),
        (("lookup", "small", "f" * 32), ["holds no cell with hash ffff", "It holds 40 cells"]),
        (("lookup", "small", "0100:input,output"), ["no cell with hash", "It holds 40 cells"]),
        (("lookup", "small", "0100:output,input"), ["must begin with 'input'"]),
        (("lookup", "small", CELL.hash, "--budget", "7"), ["budget = 7", "4, 12, 108"]),
        (("lookup", "small", CELL.hash, "--repeat", "3"), ["repeat = 3", "an integer from 0 to 2"]),
        (("lookup", "small", CELL.hash, "--repeat", "all"), ["repeat = 'all'", "Ask for 'mean'"]),
        (("convert", "nothing"), ["source = 'nothing'", "no such file or folder"]),
        (("convert", __file__), ["is nothing that a table is made from", "nasbench_full.tfrecord"]),
        (("convert", __file__, "--out", "a.txt"), ["must end in .nastable"]),
        (("convert", __file__, "--name", "a/b"), ["--name = 'a/b'", "without '/'"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_plain_words(cli, folder, arguments, words):
    keep = [cell for cell in CELLS if cell.hash != nasbench101.parse_cell("0100:input,output").hash]
    assert CELL in keep
    cells = [*keep, *small_cells(60)[len(CELLS) :]][:40]
    write_table(folder / "small.nastable", make(cells=cells))
    code, out, err = cli("table", *arguments)
    assert (code, out) == (2, "")
    for word in words:
        assert word in words_of(err), err
    assert [path.name for path in folder.iterdir()] == ["small.nastable"]


def test_converting_installs_under_the_name_of_the_source(cli, folder, source):
    code, out, err = cli("table", "convert", str(source))
    assert code == 0, err
    assert "nasbench101: 6 cells of nasbench101 on cifar10, trained for 4, 108 epochs, 3 repeats" in out
    assert f"in {folder}/nasbench101.nastable" in out and "asha-nas table info nasbench101\n" in out
    assert [path.name for path in folder.iterdir()] == ["nasbench101.nastable"]
    assert Table.open(folder / "nasbench101.nastable", verify=True).provenance["source"] == "some.tfrecord"
    assert cli("table", "info", "nasbench101")[0] == 0


def test_converting_to_a_name_or_a_file(cli, folder, source, tmp_path):
    told = json.loads(cli("table", "convert", str(source), "--name", "mine", "--json")[1])
    assert (told["name"], told["path"], told["cells"]) == ("mine", str(folder / "mine.nastable"), 6)
    code, out, _ = cli("table", "convert", str(source), "--out", str(tmp_path / "a b.nastable"))
    assert code == 0 and f"asha-nas table info '{tmp_path}/a b.nastable'" in out
    assert Table.open(tmp_path / "a b.nastable").name == "nasbench101"


@pytest.mark.parametrize("more", [(), ("--name", "nasbench101")])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_nothing_is_left_half_written(cli, folder, source, monkeypatch, more, kind):
    cells = CELLS[:2]
    old = replace(make(cells=cells), cells=nasbench101.Cells.of(cells), hashes=hashes_of(cells))
    write_table(folder / "nasbench101.nastable", old)

    def fail(*_):
        raise kind

    monkeypatch.setattr(file, "_write_block", fail)
    code, out, err = cli("table", "convert", str(source), *more)
    assert (code, out) == (130 if kind is KeyboardInterrupt else 2, "")
    assert kind is KeyboardInterrupt or ("No space left on device" in err and str(folder) in err)
    assert [path.name for path in folder.iterdir()] == ["nasbench101.nastable"]
    assert len(Table.open(folder / "nasbench101.nastable")) == 2


def test_a_folder_that_is_a_file_is_told(cli, folder, source):
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    code, _, err = cli("table", "convert", str(source))
    assert code == 2 and f"table {folder}: could not be written" in err


def test_building_is_one_of_the_commands(cli):
    code, out, _ = cli("table", "--help")
    assert code == 0
    for name in ("list", "info", "lookup", "convert", "build"):
        assert re.search(rf"\b{name}\b", out)
