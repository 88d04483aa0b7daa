"""Tables from the compact folder of NAS-Bench-101 and from NAS-Bench-201's csv, value for value; and wrong files."""

import csv
import gzip
import io

import numpy as np
import pytest

from spaces import nasbench101, nasbench201
from spaces.errors import InvalidValue, UnknownName
from spaces.table import Coverage, MetricAbsent, SourceDamaged, SourceUnknown, Table, convert, prepared, write_table
from tests.spaces.small_table import hashes_of, make, real
from tests.spaces.tfrecords import small_cells

CELLS = small_cells(12)
SOME = 5
CIFAR10_VALID = {12: "c10_val_12", 200: "c10_val_200"}
KINDS = {
    "nasbench201-cifar10": {"valid": CIFAR10_VALID, "test": {12: "c10_test_12", 200: "c10_test_200"}},
    "nasbench201-cifar10-valid": {"valid": CIFAR10_VALID, "test": {200: "c10_test_200_trainsplit"}},
    "nasbench201-cifar100": {"valid": {12: "c100_val_12"}, "test": {12: "c100_test_12"}},
    "nasbench201-imagenet16-120": {"valid": {12: "in16_val_12"}, "test": {12: "in16_test_12"}},
}


def small_arrays(seed=0):
    rng = np.random.default_rng(seed)
    count, cells = len(CELLS), nasbench101.Cells.of(CELLS)
    row = np.sort(rng.choice(count, SOME, replace=False)).astype(np.int32)
    measured = np.isin(np.arange(count), row)
    best = rng.integers(0, 9985, (SOME, 4), dtype=np.uint16)
    valid = rng.integers(0, 9985, count, dtype=np.uint16)
    seconds = rng.random(count, dtype=np.float32) * 1000
    valid[row] = best[:, -1]
    return {
        "hash": hashes_of(CELLS),
        "num_vertices": cells.vertices,
        "adj_bits": cells.adjacency,
        "ops": cells.operations,
        "params": rng.integers(1, 1 << 30, count, dtype=np.int32),
        "test_correct": rng.integers(0, 29953, count, dtype=np.uint16),
        "valid_correct": valid,
        "valid_measured": measured,
        "train_seconds": seconds,
        "train_seconds_measured": measured,
    }, {"row": row, "val_max_correct": best, "epochs": np.array([4, 12, 36, 108]), "train_time_108": seconds[row]}


def write_folder(folder, cells, some):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "cells.npz", **cells)
    np.savez(folder / "budgets_5.npz", **some)
    return folder


def compare_with_folder(table, cells, some):
    rows = table.rows(cells["hash"])
    best, row = some["val_max_correct"], some["row"]
    assert (table.column("test_accuracy", 108, rows=rows) == cells["test_correct"] / 29952).all()
    assert (table.column("valid_accuracy", 108, rows=rows) == cells["valid_correct"] / 9984).all()
    assert (table.column("seconds", 108, rows=rows) == cells["train_seconds"]).all()
    assert (table.column("parameters", rows=rows) == cells["params"]).all()
    for stage, budget in enumerate(some["epochs"].tolist()):
        assert (table.column("valid_accuracy", budget, rows=rows[row]) == best[:, stage] / 9984).all()
        assert table.column("seconds", budget, rows=rows) == pytest.approx(cells["train_seconds"] * budget / 108)
        if budget < 108:  # estimates are figures of measured cells
            assert np.isin(table.column("valid_accuracy", budget, rows=rows), best[:, stage] / 9984).all()
    strict = Table.open(table.path, estimates=False)
    lower = [strict.column(name, 36, rows=rows, absent="nan") for name in ("valid_accuracy", "seconds")]
    assert (np.isnan(lower[0]) == ~np.isin(np.arange(len(rows)), row)).all() and np.isnan(lower[1]).all()
    valid, seconds = (strict.column(name, rows=rows, absent="nan") for name in ("valid_accuracy", "seconds"))
    assert (np.isnan(valid) == ~cells["valid_measured"]).all()
    assert (np.isnan(seconds) == ~cells["train_seconds_measured"]).all()
    packed = table.cells()[rows]
    assert (packed.vertices == cells["num_vertices"]).all() and (packed.adjacency == cells["adj_bits"]).all()
    assert (packed.operations == cells["ops"]).all()


def test_a_folder(tmp_path):
    cells, some = small_arrays()
    told = []
    folder = write_folder(tmp_path / "folder", cells, some)
    table = Table.open(convert(folder, tmp_path / "t.nastable", progress=lambda *now: told.append(now)))
    compare_with_folder(table, cells, some)
    assert told[-1][0] == told[-1][1] == sum(path.stat().st_size for path in folder.iterdir())
    assert (table.name, table.budgets, table.repeats) == ("nasbench101-estimated", (4, 12, 36, 108), 3)
    assert table.metrics["valid_accuracy"].coverage[108] == Coverage(SOME, len(CELLS) - SOME, 0)
    assert table.metrics["valid_accuracy"].coverage[36] == Coverage(SOME, len(CELLS) - SOME, 0)
    assert table.metrics["seconds"].coverage[36] == Coverage(0, len(CELLS), 0)
    assert table.metrics["test_accuracy"].coverage[36] == Coverage(0, 0, len(CELLS))
    assert (table.aggregate("test"), table.aggregate("valid"), table.aggregate("seconds")) == ("mean", "maximum", None)
    estimated = CELLS[int(np.argmin(cells["valid_measured"]))]
    assert table.lookup(estimated).status("valid") == table.lookup(estimated).status("seconds") == "estimated"
    assert table.lookup(estimated).status("test") == "measured"
    assert table.lookup(estimated, 36).status("valid") == table.lookup(estimated, 36).status("seconds") == "estimated"
    with pytest.raises(MetricAbsent, match=r"none at 36 epochs\nThere is: .*test_accuracy at 108 \(measured\)"):
        _ = table.lookup(estimated, 36).test_accuracy
    assert "estimate" in table.provenance["seconds at lower budgets"]
    assert "not measured" in table.provenance["valid at lower budgets"]


def test_the_real_folder_whole(tmp_path, monkeypatch):
    folder = real("nasbench101", "cells.npz").parent
    monkeypatch.setattr(prepared, "check_hashes", lambda *_: None)  # half a minute; tests of the hash do it
    table = Table.open(convert(folder, tmp_path / "t.nastable", name="mine"))
    with np.load(folder / "cells.npz") as cells, np.load(folder / "budgets_30001.npz") as some:
        compare_with_folder(table, dict(cells), dict(some))
    assert table.name == "mine" and len(table) == 423_624
    assert table.metrics["test_accuracy"].coverage[108] == Coverage(423_624, 0, 0)
    assert table.metrics["valid_accuracy"].coverage[12] == Coverage(30_001, 393_623, 0)
    assert table.metrics["seconds"].coverage[12] == Coverage(0, 423_624, 0)
    assert table.metrics["seconds"].coverage[108] == Coverage(30_001, 393_623, 0)
    assert round(table.best("test_accuracy").test_accuracy, 6) == 0.943176  # the published best mean


def test_some_of_the_real_folder_with_hashes(tmp_path):
    folder = real("nasbench101", "cells.npz").parent
    with np.load(folder / "cells.npz") as cells, np.load(folder / "budgets_30001.npz") as some:
        chosen = {name: cells[name][:20_000:10] for name in cells.files}
        kept = np.isin(some["row"], np.arange(0, 20_000, 10))
        fewer = {name: some[name] if name == "epochs" else some[name][kept] for name in some.files}
    fewer["row"] = (fewer["row"] // 10).astype(np.int32)
    table = Table.open(convert(write_folder(tmp_path / "folder", chosen, fewer), tmp_path / "t.nastable"))
    compare_with_folder(table, chosen, fewer)


CELLS_CHANGES = {
    "hash": (lambda a: a["hash"].__setitem__((3, 15), a["hash"][3, 15] ^ 1), "have another hash"),
    "missing": (lambda a: a.pop("ops"), "array 'ops' is missing, not uint8"),
    "type": (lambda a: a.update(params=a["params"].astype(float)), "array 'params' is float64"),
    "shape": (lambda a: a.update(params=a["params"][:-1]), r"array 'params' is int32 \(11,\), not int32 \(12,\)"),
    "count": (lambda a: a["test_correct"].__setitem__(0, 30000), "holds 30000, more than 29952"),
    "measured": (lambda a: a["valid_measured"].fill(False), "not those that cells.npz calls measured"),
}
BUDGETS_CHANGES = {
    "missing": (lambda a: a.pop("row"), "lacks one of row"),
    "row": (lambda a: a["row"].__setitem__(0, 12), "row does not number cells"),
    "twice": (lambda a: a["row"].__setitem__(0, a["row"][1]), "row does not number cells"),
    "epochs": (lambda a: a.update(epochs=a["epochs"][::-1].copy()), "out of range"),
    "shape": (lambda a: a.update(epochs=a["epochs"][:3]), r"val_max_correct is uint16 \(5, 4\)"),
    "value": (lambda a: a["val_max_correct"].__setitem__((0, 3), a["val_max_correct"][0, 3] ^ 1), "calls measured"),
}


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [(0, *case) for case in CELLS_CHANGES.values()] + [(1, *case) for case in BUDGETS_CHANGES.values()],
)
def test_folders_that_are_not_what_they_should_be(tmp_path, which, change, message):
    arrays = small_arrays()
    change(arrays[which])
    with pytest.raises(SourceDamaged, match=message):
        convert(write_folder(tmp_path / "folder", *arrays), tmp_path / "t.nastable")
    assert not (tmp_path / "t.nastable").exists()


def test_cut_files_in_a_folder(tmp_path):
    folder = write_folder(tmp_path / "folder", *small_arrays())
    content = (folder / "cells.npz").read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        (folder / "cells.npz").write_bytes(content[:size])
        with pytest.raises(SourceDamaged, match=r"cells\.npz: cannot be read"):
            convert(folder, tmp_path / "t.nastable")


@pytest.mark.parametrize("name", KINDS)
def test_the_real_csv(tmp_path, name):
    path = real("nasbench201", "nasbench201.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    table = Table.open(convert(path, tmp_path / "t.nastable", name=name))
    assert table.name == name and len(table) == 15_625
    assert table.budgets == tuple(sorted({budget for columns in KINDS[name].values() for budget in columns}))
    where = table.rows(nasbench201.Cells.of(nasbench201.parse_cell(row["cell"]) for row in rows))
    for split, by_budget in KINDS[name].items():
        for budget in table.budgets:
            known = 15_625 if budget in by_budget else 0
            assert table.metrics[f"{split}_accuracy"].coverage[budget] == Coverage(known, 0, 15_625 - known)
        for budget, column in by_budget.items():
            found = table.column(f"{split}_accuracy", budget, rows=where)
            assert [round(100 * value, 4) for value in found.tolist()] == [float(row[column]) for row in rows]
    if table.data == "cifar10":
        millions = [float(row["params_m"]) for row in rows]
        assert (table.column("parameters", rows=where) / 1e6).tolist() == millions
    else:
        assert "parameters" not in table.metrics


HEADER = "arch,cell,params_m,c10_test_200,c10_val_200,c10_test_200_trainsplit,c10_val_12,c10_test_12"
ROWS = [
    {"cell": f"|{op}~0|+|none~0|{op}~1|+|none~0|{op}~1|none~2|", "c10_val_12": "9.712", "c10_test_12": "99.99"}
    for op in nasbench201.OPERATIONS
]


def small_csv(path, changes=None):
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER.split(","), restval="10.0")
    writer.writeheader()
    for arch, row in enumerate(ROWS):
        defaults = {"arch": arch, "params_m": "0.129306", "c10_test_200": "94.3733", "c10_val_200": "66.5187"}
        writer.writerow(defaults | row | ((changes or {}) if arch == 3 else {}))
    path.write_text(text.getvalue())
    return path


def test_a_csv_that_is_not_compressed(tmp_path):
    told = []
    path = small_csv(tmp_path / "a.csv")
    table = Table.open(convert(path, tmp_path / "t.nastable", progress=lambda *now: told.append(now)))
    assert (table.name, table.repeats, told) == ("nasbench201-cifar10", 1, [(path.stat().st_size,) * 2])
    entry = table.lookup(nasbench201.parse_cell(ROWS[2]["cell"]))
    assert entry.counts("test") == (56624,) and entry.denominator("test") == 60_000
    assert entry.counts("valid") == (99778,) and entry.denominator("valid") == 150_000
    assert table.lookup(entry.hash, 12).counts("test") == (59994,) and entry.parameters == 129306
    other = Table.open(convert(path, tmp_path / "t.nastable", name="nasbench201-cifar10-valid"))
    assert other.lookup(entry.hash, 12).status("test") == "absent" and other.lookup(entry.hash).test_accuracy == 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c10_test_200": "94.3735"}, r"c10_test_200 of cell \|.* is 94.3735, which is no share of 60,000 images"),
        ({"c10_test_200": "100.01"}, "no share of 60,000 images"),
        ({"c10_test_200": "-1"}, "out of range"),
        ({"c10_val_200": "66.51871"}, "no multiple of 1/10000"),
        ({"c10_val_200": "n/a"}, "'c10_val_200' is missing or holds no number"),
        ({"cell": "|none~0|"}, "its cells cannot be read"),
    ],
)
def test_csv_with_other_figures(tmp_path, changes, message):
    with pytest.raises(SourceDamaged, match=message):
        convert(small_csv(tmp_path / "a.csv", changes), tmp_path / "t.nastable")


def test_csv_that_is_damaged(tmp_path):
    path = small_csv(tmp_path / "a.csv")
    packed = gzip.compress(path.read_bytes(), mtime=0)
    for content in (packed[:-20], packed[:-8] + b"\0" * 8):
        path.write_bytes(content)
        with pytest.raises((SourceDamaged, SourceUnknown), match=r"a\.csv"):
            convert(path, tmp_path / "t.nastable")
    path.write_text("arch,cell,params_m,\n")
    with pytest.raises(SourceDamaged, match="holds no cells"):
        convert(path, tmp_path / "t.nastable")
    with pytest.raises(UnknownName, match="Did you mean 'nasbench201-cifar100'"):
        convert(small_csv(path), tmp_path / "t.nastable", name="nasbench201-cifar1000")


def test_things_that_no_table_is_made_of(tmp_path):
    accepted = r"\nGive nasbench_full.tfrecord or nasbench_only108.tfrecord of NAS-Bench-101, a folder with cells.npz"
    for name, content in [("a.pth", b"PK\3\4" * 99), ("b", b""), ("c.csv", b"x,y\n1,2\n"), ("d.gz", b"\x1f\x8b\x08")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceUnknown, match="is nothing that a table is made from" + accepted):
            convert(tmp_path / name, tmp_path / "t.nastable")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceUnknown, match=r"is a folder without cells\.npz"):
        convert(tmp_path / "empty", tmp_path / "t.nastable")
    with pytest.raises(SourceUnknown, match="is a table already"):
        convert(write_table(tmp_path / "a.nastable", make()), tmp_path / "t.nastable")
    with pytest.raises(InvalidValue, match="no such file or folder"):
        convert(tmp_path / "none", tmp_path / "t.nastable")
    with pytest.raises(InvalidValue, match=r"must end in \.nastable"):
        convert(tmp_path / "b", tmp_path / "t.table")
    (tmp_path / "b.tfrecord").write_bytes(b"x" * 100)
    with pytest.raises(SourceDamaged, match="record 0 at byte 0 is damaged"):
        convert(tmp_path / "b.tfrecord", tmp_path / "t.nastable")
    assert not (tmp_path / "t.nastable").exists()
