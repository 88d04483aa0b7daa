"""Tables against plain dictionaries of the same figures; look-ups, statuses, errors."""

import pickle
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces import nasbench201
from spaces.errors import InvalidValue, UnknownName
from spaces.table import (
    METRICS,
    BudgetUnknown,
    CellUnknown,
    Column,
    Coverage,
    MetricAbsent,
    RepeatUnknown,
    Table,
    TableDamaged,
    file,
    write_table,
)
from tests.spaces.small_table import BUDGETS, CELLS, IMAGES, REPEATS, hashes_of, make

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


@pytest.fixture
def content():
    return make()


@pytest.fixture
def table(tmp_path, content):
    return Table.open(write_table(tmp_path / "small.nastable", content))


def expected(content, metric, stage, row, repeat):
    """The figure as a fraction or float, or None; by definition."""
    column = content.columns[metric.replace("accuracy", "correct")]
    status = column.status if isinstance(column.status, str) else int(column.status[stage, row])
    if status == 0:
        return None
    runs = column.values[stage, row].tolist()
    chosen = runs if repeat == "mean" or len(runs) == 1 else [runs[repeat]]
    if column.denominator is None:
        return sum(chosen) / len(chosen)
    return Fraction(sum(chosen), column.denominator * len(chosen))


@quick
@given(st.integers(0, 10**6), st.permutations(range(len(CELLS))), st.integers(1, len(CELLS)))
def test_every_figure_is_the_one_written(tmp_path, seed, order, count):
    content = make(seed, [CELLS[i] for i in order[:count]])
    table = Table.open(write_table(tmp_path / "t.nastable", content))
    assert len(table) == count
    for row, cell in enumerate(content.cells):
        for stage, budget in enumerate(BUDGETS):
            for repeat in ("mean", 0, 1, 2):
                entry = table.lookup(cell, budget, repeat)
                assert (entry.budget, entry.repeat, entry.hash) == (budget, repeat, cell.hash)
                assert entry.parameters == content.parameters[row]
                for metric in (
                    "valid_accuracy",
                    "seconds",
                    "halfway_seconds",
                    "halfway_train_accuracy",
                    "test_accuracy",
                ):
                    figure = expected(content, metric, stage, row, repeat)
                    if figure is None or (metric == "test_accuracy" and repeat != "mean"):
                        with pytest.raises(MetricAbsent):
                            getattr(entry, metric)
                    else:
                        assert getattr(entry, metric) == float(figure)
                        if metric == "valid_accuracy":
                            assert entry.valid_error == float(1 - figure)


@quick
@given(st.integers(0, 10**6), st.lists(st.integers(0, len(CELLS) - 1), max_size=60))
def test_many_at_once_are_the_same_as_one_by_one(tmp_path, seed, which):
    table = Table.open(write_table(tmp_path / "t.nastable", make(seed)))
    cells = [CELLS[i] for i in which]
    rows = table.rows(hashes_of(cells).reshape(-1, 16))
    assert rows.tolist() == [table.lookup(cell).row for cell in cells]
    for metric in METRICS:
        if metric not in table.metrics:
            continue
        for budget in BUDGETS:
            for repeat in ("mean", 1):
                if (metric, repeat) == ("test_accuracy", 1):
                    continue
                entries = [table.lookup(cell, budget, repeat) for cell in cells]
                many = table.column(metric, budget, repeat, rows, absent="nan")
                singles = [np.nan if e.status(metric) == "absent" else getattr(e, metric) for e in entries]
                np.testing.assert_array_equal(many, np.array(singles, dtype=float))


def test_facts(table, content):
    assert (table.name, table.space, table.data, table.licence) == ("small", "nasbench101", "cifar10", "CC0")
    assert (table.budgets, table.repeats, table.provenance) == (BUDGETS, REPEATS, content.provenance)
    assert table.evaluated == content.evaluated and table.bytes == table.path.stat().st_size
    assert repr(table) == "Table('small', 40 cells of nasbench101, budgets (4, 12, 108))"
    statuses = content.columns["valid_correct"].status
    for stage, budget in enumerate(BUDGETS):
        absent, measured, estimated = np.bincount(statuses[stage], minlength=3).tolist()
        assert table.metrics["valid_accuracy"].coverage[budget] == Coverage(measured, estimated, absent)
    assert table.metrics["test_accuracy"].coverage[4] == Coverage(40, 0, 0)
    assert table.metrics["halfway_train_accuracy"].coverage[108] == Coverage(0, 40, 0)
    assert table.metrics["test_accuracy"].aggregate == table.aggregate("test") == "mean"
    assert table.denominator("test") == table.metrics["test_accuracy"].denominator == 3 * IMAGES
    assert set(table.metrics) == {*(name.replace("correct", "accuracy") for name in content.columns), "parameters"}


def test_cells_and_hashes(table):
    by_hash = sorted(CELLS, key=lambda cell: cell.hash)
    assert [table.cell(row) for row in range(len(table))] == by_hash
    assert [table.hash_of(row) for row in range(len(table))] == [cell.hash for cell in by_hash]
    assert list(table.cells()[3:5]) == by_hash[3:5]
    assert table.rows(table.cells()).tolist() == list(range(len(CELLS)))
    cell = CELLS[7]
    assert cell in table and bytes.fromhex(cell.hash) in table and "0" * 32 not in table
    entries = {table.lookup(key) for key in (cell, cell.hash, cell.hash.upper(), bytes.fromhex(cell.hash))}
    assert len(entries) == 1 and entries.pop() == table.entry(by_hash.index(cell))


def test_counts_and_statuses(table, content):
    for row, cell in enumerate(CELLS):
        entry = table.lookup(cell, 12, 2)
        assert entry.status("valid") == entry.status("valid_error") == entry.status("valid_accuracy")
        assert (
            entry.status("valid")
            == ("absent", "measured", "estimated")[content.columns["valid_correct"].status[1, row]]
        )
        if entry.status("valid") != "absent":
            assert entry.counts("valid") == tuple(content.columns["valid_correct"].values[1, row].tolist())
        assert entry.counts("test_accuracy") == (int(content.columns["test_correct"].values[1, row, 0]),)
        assert (entry.denominator("valid"), entry.denominator("test")) == (IMAGES, 3 * IMAGES)
        assert (entry.aggregate("valid"), entry.aggregate("test")) == (None, "mean")
        assert entry.status("halfway_train") == "estimated" and entry.status("train") == "absent"
        assert entry.status("parameters") == entry.status("seconds") == "measured"
    with pytest.raises(UnknownName, match="unknown split 'seconds'"):
        entry.counts("seconds")
    with pytest.raises(UnknownName, match=r"unknown metric 'valid_acuracy'\nDid you mean 'valid_accuracy'"):
        entry.status("valid_acuracy")
    with pytest.raises(AttributeError):
        entry.row = 3


def test_without_estimates(tmp_path, content):
    table = Table.open(write_table(tmp_path / "t.nastable", content), estimates=False)
    status = content.columns["valid_correct"].status[2]
    for row, cell in enumerate(CELLS):
        entry = table.lookup(cell)
        if status[row] == 1:
            assert entry.valid_accuracy == float(expected(content, "valid_accuracy", 2, row, "mean"))
            continue
        said = {0: "has none at 108 epochs", 2: "has only an estimate at 108 epochs"}[status[row]]
        with pytest.raises(MetricAbsent, match=said):
            _ = entry.valid_accuracy
        assert entry.status("valid") == ("absent", "", "estimated")[status[row]]
    values = table.column("valid_accuracy", rows=table.rows(content.hashes), absent="nan")
    assert (np.isnan(values) == (status != 1)).all()
    with pytest.raises(MetricAbsent, match=r"of these cells have none at 108 epochs, cell [0-9a-f]{32} for one"):
        table.column("valid_accuracy")
    with pytest.raises(MetricAbsent, match="none of these cells has one"):
        table.best("halfway_train_accuracy")
    assert pickle.loads(pickle.dumps(table)).estimates is False


def test_a_missing_figure_says_what_there_is(table, content):
    row = int(np.argmax(content.columns["valid_correct"].status[0] == 0))
    with pytest.raises(MetricAbsent) as caught:
        _ = table.lookup(CELLS[row], 4).valid_accuracy
    text = str(caught.value)
    assert f"no valid_accuracy: cell {CELLS[row].hash} has none at 4 epochs\nThere is: " in text
    assert "test_accuracy at 4 (measured), 12 (measured), 108 (measured)" in text
    assert "halfway_train_accuracy at 4 (estimated)" in text
    with pytest.raises(MetricAbsent, match=r"no train_accuracy: table 'small' has none\nThere is: .*test_accuracy"):
        _ = table.lookup(CELLS[0]).train_accuracy
    with pytest.raises(MetricAbsent, match=r"does not have its runs one by one\nThere is: their mean"):
        _ = table.lookup(CELLS[0], repeat=1).test_error
    with pytest.raises(MetricAbsent, match="one by one"):
        table.column("test_accuracy", repeat=0)
    with pytest.raises(MetricAbsent, match=r'Ask with absent="nan" for gaps'):
        table.column("valid_accuracy", 4)


def test_best(table, content):
    test = content.columns["test_correct"].values[..., 0]
    for stage, budget in enumerate(BUDGETS):
        best = table.best("test_accuracy", budget)
        assert best.hash == CELLS[test[stage].argmax()].hash and best.repeat == "mean" and best.budget == budget
    valid = content.columns["valid_correct"]
    known = np.where(valid.status[2][:, None] == 0, -1, valid.values[2].astype(int))
    row, run = np.unravel_index(known.argmax(), known.shape)
    single = table.best("valid_accuracy", repeat="best")
    assert (single.hash, single.repeat, single.budget) == (CELLS[row].hash, run, 108)
    assert table.best("valid_accuracy").hash == CELLS[known.sum(axis=1).argmax()].hash
    some = table.rows(content.hashes[:5])
    assert table.best(rows=some).hash == CELLS[test[2][:5].argmax()].hash
    with pytest.raises(MetricAbsent, match="one by one"):
        table.best("test_accuracy", repeat="best")
    with pytest.raises(InvalidValue, match="must be an accuracy"):
        table.best("seconds")
    with pytest.raises(InvalidValue, match="must be 'mean' or 'best'"):
        table.best("valid_accuracy", repeat=1)


def test_of_equal_figures_the_first_is_best(tmp_path, content):
    same = Column(np.full((3, 40, 3), 77, dtype=np.uint16), IMAGES)
    table = Table.open(write_table(tmp_path / "t.nastable", replace(content, columns={"valid_correct": same})))
    assert (table.best("valid_accuracy", repeat="best").row, table.best("valid_accuracy", repeat="best").repeat) == (
        0,
        0,
    )
    highest = replace(same, values=same.values[..., :1], aggregate="maximum")
    table = Table.open(write_table(tmp_path / "t.nastable", replace(content, columns={"valid_correct": highest})))
    assert table.best("valid_accuracy", repeat="best").repeat == "mean"


def test_questions_that_have_no_answer(table):
    with pytest.raises(CellUnknown, match=r"holds no cell with hash 00f{30}\nIt holds 40 cells"):
        table.lookup("00" + "f" * 30)
    with pytest.raises(CellUnknown, match=r"f{32}"):
        table.rows(np.full((2, 16), 255, np.uint8))
    assert table.rows(np.full((2, 16), 255, np.uint8), missing="-1").tolist() == [-1, -1]
    for budget in (5, "108", 107.5, [4]):
        with pytest.raises(BudgetUnknown, match=r"(?s)budget = .*Its budgets in epochs: 4, 12, 108"):
            table.lookup(CELLS[0], budget)
    for repeat in (-1, 3, True, 1.0, "best", None):
        for ask in (
            lambda repeat: table.lookup(CELLS[0], 4, repeat),
            lambda repeat: table.column("seconds", 4, repeat),
        ):
            with pytest.raises(RepeatUnknown, match="from 0 to 2"):
                ask(repeat)
    for cell in (3, None, nasbench201.Cell(("none",) * 6), "xyz", "0" * 31, " " + "0" * 32, b"0" * 15):
        with pytest.raises(InvalidValue, match="hash"):
            table.lookup(cell)
    for cells in (np.zeros((2, 15), np.uint8), CELLS, nasbench201.Cells(np.zeros((1, 6), np.uint8))):
        with pytest.raises(InvalidValue, match="must be cells of nasbench101"):
            table.rows(cells)
    for rows in ([-1], [40], [[1]], [0.5]):
        with pytest.raises(InvalidValue, match="from 0 to 39"):
            table.column("seconds", rows=np.array(rows))
    with pytest.raises(InvalidValue, match="from 0 to 39"):
        table.entry(40)
    with pytest.raises(UnknownName, match="unknown metric 'loss'"):
        table.column("loss")
    with pytest.raises(InvalidValue, match="must be one of"):
        table.column("valid_error")
    with pytest.raises(InvalidValue, match="'error' or 'nan'"):
        table.column("seconds", absent="zero")
    with pytest.raises(InvalidValue, match="'error' or '-1'"):
        table.rows(table.cells(), missing="0")


def test_hashes_with_the_same_beginning_are_told_apart(tmp_path, content):
    hashes = np.zeros((40, 16), dtype=np.uint8)
    hashes[:, 15] = np.arange(40)[::-1]
    hashes[:2, 0] = 255
    table = Table.open(write_table(tmp_path / "t.nastable", replace(content, hashes=hashes)))
    assert table.rows(hashes).tolist() == [table.lookup(row.tobytes()).row for row in hashes]
    assert table.rows(hashes).tolist() == [39, 38, *range(37, -1, -1)]
    unknown = hashes.copy()
    unknown[:, 14] = 1
    assert (table.rows(unknown, missing="-1") == -1).all() and not any(row.tobytes() in table for row in unknown)


def test_nasbench201_cells(tmp_path):
    cells = list(nasbench201.enumerate_cells()[5:25])
    table = Table.open(write_table(tmp_path / "t.nastable", make(1, cells, "nasbench201")))
    assert [table.cell(table.lookup(cell).row) for cell in cells] == cells
    assert table.rows(nasbench201.Cells.of(cells)).tolist() == [table.lookup(cell).row for cell in cells]


def test_a_pickled_table_is_its_path(table, monkeypatch):
    sent = pickle.dumps(table)
    assert len(sent) < 500
    monkeypatch.chdir("/")
    again = pickle.loads(sent)
    assert again.path == table.path and again.lookup(CELLS[3]) == table.lookup(CELLS[3])
    assert pickle.loads(pickle.dumps(table.lookup(CELLS[3]))).seconds == table.lookup(CELLS[3]).seconds


def test_threads_may_share_a_table(table):
    answers = [table.lookup(cell).test_accuracy for cell in CELLS]
    found = []
    threads = [
        threading.Thread(target=lambda: found.append([table.lookup(cell).test_accuracy for cell in CELLS] == answers))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_replacing_a_table_does_not_disturb_who_has_it_open(tmp_path, content):
    path = write_table(tmp_path / "t.nastable", content)
    table = Table.open(path)
    before = table.column("test_accuracy").tolist()
    write_table(path, make(5))
    assert table.column("test_accuracy").tolist() == before != Table.open(path).column("test_accuracy").tolist()


def test_another_file_in_the_same_container_is_no_table(tmp_path):
    file.write(tmp_path / "t.nastable", {"name": "x"}, [file.Part("c", np.zeros(3, "u1"))])
    with pytest.raises(TableDamaged, match="its header does not describe a table"):
        Table.open(tmp_path / "t.nastable")
