"""Finding tables by name, and telling which there are."""

import numpy as np
import pytest

from spaces.errors import UnknownName
from spaces.nasbench101 import Cell, Cells
from spaces.table import Column, Content, TableMissing, write_table
from trials import tables

CELLS = [Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), [operation]) for operation in ("conv3x3-bn-relu", "maxpool3x3")]


def write(path, name="mine"):
    content = Content(
        name=name, space="s1", data="digits", budgets=(4,), repeats=1, cells=Cells.of(CELLS),
        hashes=np.array([list(bytes.fromhex(cell.hash)) for cell in CELLS], dtype=np.uint8),
        columns={"valid_correct": Column(np.array([[[3], [4]]], dtype=np.uint16), denominator=10)},
        evaluated={"valid": 10},
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_table(path, content)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path))
    return tables.folder()


def test_an_installed_table_is_found_by_name(folder):
    path = write(folder / "mine.nastable")
    assert tables.find("mine") == path
    assert tables.open_table("mine").lookup(CELLS[0], 4).valid_accuracy == 0.3
    [entry] = [entry for entry in tables.describe() if entry.name == "mine"]
    assert (entry.state, entry.space, entry.data, entry.cells) == ("installed", "s1", "digits", 2)
    assert (entry.budgets, entry.repeats, entry.bytes) == ((4,), 1, path.stat().st_size)


def test_a_table_is_found_by_path(tmp_path, folder):
    path = write(tmp_path / "elsewhere" / "other.nastable")
    assert tables.find(str(path)) == path
    with pytest.raises(TableMissing):
        tables.open_table(str(tmp_path / "none.nastable"))


def test_an_unknown_table_is_told_with_those_there_are(folder):
    write(folder / "mine.nastable")
    with pytest.raises(UnknownName, match="mine"):
        tables.find("mien")
    with pytest.raises(UnknownName):
        tables.find("../mine")


def test_an_installed_table_hides_an_embedded_one(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "EMBEDDED", tmp_path / "embedded")
    embedded = write(tmp_path / "embedded" / "mine.nastable")
    assert tables.find("mine") == embedded
    assert [entry.state for entry in tables.describe()] == ["embedded"]
    installed = write(folder / "mine.nastable")
    assert tables.find("mine") == installed
    assert [entry.state for entry in tables.describe()] == ["installed"]


def test_a_damaged_table_is_listed_as_such(folder):
    path = write(folder / "mine.nastable")
    path.write_bytes(path.read_bytes()[:-20])
    [entry] = [entry for entry in tables.describe() if entry.name == "mine"]
    assert entry.state.startswith("damaged: ")
    assert entry.cells is None
