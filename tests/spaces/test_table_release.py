"""NAS-Bench-101's TFRecord files: every value as it was encoded, and every kind of damage refused."""

import base64
import contextlib
import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from spaces.nasbench101 import OPERATIONS
from spaces.table import SourceDamaged, Table, convert, crc32c, model_metrics, nasbench101, tfrecord
from tests.spaces import tfrecords
from tests.spaces.small_table import real
from tests.spaces.tfrecords import make_runs, metrics, parameters_of, record, records_of, small_cells, write_records

CELLS = small_cells(15)
BUDGETS = (108, 4, 12)
NAMES = ("epochs", "seconds", "train_accuracy", "valid_accuracy", "test_accuracy")


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_checksums_are_those_computed_bit_by_bit(texts):
    data = np.frombuffer(b"".join(texts), np.uint8)
    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = stops - np.array([len(text) for text in texts], dtype=np.int64)
    found = crc32c.checksums(data, starts, stops)
    assert found.tolist() == [tfrecords.crc32c(text) for text in texts] == [crc32c.checksum(text) for text in texts]
    assert [struct.pack("<I", value) for value in crc32c.masked(found)] == [tfrecords.masked(text) for text in texts]


def test_the_published_check_value():
    assert crc32c.checksum(b"123456789") == 0xE3069283  # RFC 3720, appendix B.4, gives others; this is the usual one
    assert crc32c.checksum(bytes(32)) == 0x8A9136AA


@given(
    st.lists(
        st.tuples(st.integers(0, 2**31 - 1), st.lists(st.floats(), min_size=15, max_size=15)), min_size=1, max_size=9
    )
)
def test_messages_are_decoded_as_the_library_wrote_them(runs):
    points = np.array([values for _, values in runs]).reshape(-1, 3, 5)
    messages = [metrics(p, parameters) for p, (parameters, _) in zip(points.tolist(), runs, strict=True)]
    found = model_metrics.decode(messages)
    np.testing.assert_array_equal(found.points, points)
    assert found.parameters.tolist() == [parameters for parameters, _ in runs]


def test_messages_of_other_valid_forms():
    points = np.arange(15.0).reshape(3, 5).tolist()
    usual = metrics(points, 300)
    other = tfrecords.ModelMetrics.FromString(usual)
    other.evaluation_data[1].checkpoint_path = "/a/b"
    without_total = tfrecords.ModelMetrics.FromString(usual)
    without_total.ClearField("total_time")
    turned = usual[141:] + usual[:141]
    for message in (other.SerializeToString(), without_total.SerializeToString(), turned, usual + usual[141:]):
        found = model_metrics.decode([usual, message])
        assert found.points.tolist() == [points, points] and found.parameters.tolist() == [300, 300]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.evaluation_data[2].ClearField("test_accuracy"), "a point lacks its test"),
        (lambda m: m.ClearField("trainable_parameters"), "no parameters"),
        (lambda m: m.evaluation_data.add(), "a point lacks its epochs"),
        (lambda m: m.evaluation_data.add().CopyFrom(m.evaluation_data[0]), "4 points instead of 3"),
    ],
)
def test_messages_that_lack_something(change, message):
    usual = metrics(np.ones((3, 5)).tolist(), 5)
    lacking = tfrecords.ModelMetrics.FromString(usual)
    change(lacking)
    with pytest.raises(model_metrics.BadMessage, match=message) as caught:
        model_metrics.decode([usual, lacking.SerializeToString()])
    assert caught.value.index == 1


def test_messages_that_are_cut_or_altered_never_pass_unnoticed_or_crash():
    usual = metrics(np.ones((3, 5)).tolist(), 5)
    for size in range(len(usual) - 9):
        with pytest.raises(model_metrics.BadMessage):
            model_metrics.decode([usual[:size]])
    for place in range(len(usual)):
        altered = bytearray(usual)
        altered[place] ^= 0xFF
        with contextlib.suppress(model_metrics.BadMessage):
            model_metrics.decode([bytes(altered)])


@pytest.fixture
def release(tmp_path):
    runs = make_runs(CELLS, BUDGETS)
    return write_records(tmp_path / "nasbench.tfrecord", records_of(CELLS, runs)), runs


def test_every_value_is_the_one_encoded(release, tmp_path):
    path, runs = release
    told = []
    table = Table.open(convert(path, tmp_path / "t.nastable", progress=lambda done, total: told.append((done, total))))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert (table.space, table.data, table.budgets, table.repeats) == ("nasbench101", "cifar10", (4, 12, 108), 3)
    assert (table.name, table.evaluated) == ("nasbench101", {"train": 9984, "valid": 9984, "test": 9984})
    assert table.provenance["release"] == "unknown release"
    assert table.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.provenance["accuracies unlike the float32 of their count"] == 0
    assert sorted(table.cell(row).hash for row in range(len(table))) == sorted(cell.hash for cell in CELLS)
    for cell in CELLS:
        for budget in BUDGETS:
            for repeat, points in enumerate(runs[cell.hash, budget]):
                entry = table.lookup(cell, budget, repeat)
                assert entry.parameters == parameters_of(cell)
                for half, point in (("halfway_", points[1]), ("", points[2])):
                    assert getattr(entry, f"{half}seconds") == point[1]
                    for name, value in zip(NAMES[2:], point[2:], strict=True):
                        found = getattr(entry, half + name)
                        assert np.float32(found) == np.float32(value) and found == round(value * 9984) / 9984
                        assert entry.status(half + name) == "measured"
            counts = [round(points[2][3] * 9984) for points in runs[cell.hash, budget]]
            assert table.lookup(cell, budget).counts("valid") == tuple(counts)
            assert table.lookup(cell, budget).valid_accuracy == sum(counts) / (3 * 9984)


def test_a_cell_as_published(tmp_path):
    """Figures of the first cell of the official files, as its users print them."""
    matrix = ("0100110", "0010000", "0001001", "0000010", "0000010", "0000001", "0000000")
    labels = "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output"
    half = [
        (883.4580078125, 0.8282251358032227, 0.7776442170143127, 0.7740384340286255),
        (883.6810302734375, 0.8796073794364929, 0.8291265964508057, 0.8204126358032227),
        (883.4569702148438, 0.8634815812110901, 0.811598539352417, 0.8058894276618958),
    ]
    end = [
        (1769.1279296875, 1.0, 0.9241786599159241, 0.9211738705635071),
        (1768.2509765625, 1.0, 0.9245793223381042, 0.9190705418586731),
        (1768.9759521484375, 1.0, 0.9304887652397156, 0.9215745329856873),
    ]
    cell = small_cells(1)[0]
    changes = {"hash": "00005c142e6f48ac74fdcf73e3439874", "matrix": "".join(matrix), "labels": labels}
    records = [
        record(cell, 108, metrics([(0, 0, 0.1, 0.1, 0.1), (54, *h), (108, *e)], 8555530), **changes)
        for h, e in zip(half, end, strict=True)
    ]
    path = write_records(tmp_path / "nasbench_only108.tfrecord", records)
    table = Table.open(convert(path, tmp_path / "t.nastable"))
    assert table.name == "nasbench101-only108" and table.provenance["accuracies unlike the float32 of their count"] == 0
    entry = table.lookup("00005c142e6f48ac74fdcf73e3439874")
    assert entry.counts("test") == (9197, 9176, 9201) and entry.counts("valid") == (9227, 9231, 9290)
    assert entry.parameters == 8555530 and entry.counts("train") == (9984,) * 3
    assert [table.lookup(entry.hash, repeat=r).seconds for r in range(3)] == [seconds for seconds, *_ in end]
    assert [table.lookup(entry.hash, repeat=r).halfway_seconds for r in range(3)] == [seconds for seconds, *_ in half]
    assert entry.test_accuracy == 27574 / 29952


def refused(path, tmp_path, message):
    (tmp_path / "t.nastable").unlink(missing_ok=True)
    with pytest.raises(SourceDamaged, match=message) as caught:
        convert(path, tmp_path / "t.nastable")
    assert not (tmp_path / "t.nastable").exists()
    assert len(str(caught.value).splitlines()) == 2
    return caught.value


def test_a_file_that_is_cut_short(release, tmp_path, monkeypatch):
    path, _ = release
    content = path.read_bytes()
    first = 16 + int.from_bytes(content[:8], "little")
    message = rf"ends inside record 1, which begins at byte {first}: it is cut short\nFetch the file again"
    for size in (first + 1, first + 11, first + 12, 2 * first - 8):
        path.write_bytes(content[:size])
        refused(path, tmp_path, message)
    path.write_bytes(content[:-1])
    refused(path, tmp_path, rf"ends inside record {len(CELLS) * 9 - 1}, which begins at byte")
    path.write_bytes(content[:first])
    refused(path, tmp_path, "is not whole: cell [0-9a-f]{32} has 1 runs of 108 epochs, not 3")
    path.write_bytes(b"")
    refused(path, tmp_path, "holds no records")


@pytest.mark.parametrize("block", [64, 1000, 1 << 24])
def test_every_altered_byte_is_noticed(release, tmp_path, monkeypatch, block):
    monkeypatch.setattr(tfrecord, "BLOCK", block)
    path, _ = release
    content = path.read_bytes()
    first = 16 + int.from_bytes(content[:8], "little")
    second = first + 16 + int.from_bytes(content[first : first + 8], "little")
    for place in (*range(first, first + 12), first + 12, first + 200, second - 5, *range(second - 4, second)):
        altered = bytearray(content)
        altered[place] ^= 0x10
        path.write_bytes(altered)
        with pytest.raises(SourceDamaged, match=f"record 1 at byte {first} is damaged"):
            for _ in tfrecord.read_records(path):
                pass
    path.write_bytes(content)
    batches = list(tfrecord.read_records(path))
    assert sum(len(batch.records) for batch in batches) == len(CELLS) * 9
    offsets = [offset for batch in batches for offset in batch.offsets]
    assert offsets[:3] == [0, first, second]


def test_a_record_that_claims_to_be_enormous(tmp_path):
    length = struct.pack("<Q", 1 << 40)
    (tmp_path / "a.tfrecord").write_bytes(length + tfrecords.masked(length) + b"x" * 100)
    refused(tmp_path / "a.tfrecord", tmp_path, "record 0 at byte 0 is damaged: it claims 1,099,511,627,776 bytes")


POINTS = [(0, 0, 0.1, 0.1, 0.1), (54, 5, 0.5, 0.5, 0.5), (108, 9, 1, 1, 1)]


def with_point(index, place, value):
    points = [list(point) for point in POINTS]
    points[index][place] = value
    return metrics(points, 77)


BAD = {
    "accuracy": (record(CELLS[1], 108, with_point(2, 3, 0.12345)), "an accuracy is no multiple of 1/9984"),
    "above 1": (record(CELLS[1], 108, with_point(2, 3, 9985 / 9984)), "an accuracy is no multiple"),
    "nan": (record(CELLS[1], 108, with_point(2, 4, float("nan"))), "an accuracy is no multiple"),
    "seconds": (record(CELLS[1], 108, with_point(1, 1, float("inf"))), "seconds are not finite"),
    "start": (record(CELLS[1], 108, with_point(0, 0, 5)), "its points are not start, half, end"),
    "end": (record(CELLS[1], 108, with_point(2, 0, 36)), "its points are not start, half, end"),
    "parameters": (record(CELLS[0], 108, metrics(POINTS, 78)), "its parameters are not those"),
    "message": (record(CELLS[1], 108, metrics(POINTS, 77)[:-12]), "its metrics"),
    "matrix": (record(CELLS[1], 108, metrics(POINTS, 77), matrix="010"), "'010' is no matrix"),
    "edge": (record(CELLS[1], 108, metrics(POINTS, 77), matrix="0110"), "does not lead to a later vertex"),
    "labels": (record(CELLS[1], 108, metrics(POINTS, 77), labels="input,conv5x5,output"), "are no labels"),
    "size": (record(CELLS[1], 108, metrics(POINTS, 77), labels="input,output"), "digits and labels"),
    "hash": (record(CELLS[1], 108, metrics(POINTS, 77), hash="xyz"), "is no hash"),
    "epochs": (record(CELLS[1], "108", metrics(POINTS, 77)), "epochs are '108'"),
    "two graphs": (record(CELLS[1], 108, metrics(POINTS, 77), hash=CELLS[0].hash), "has another matrix"),
    "json": (b"not json", "is not one of NAS-Bench-101"),
    "two lists": (record(CELLS[1], 108, metrics(POINTS, 77)) + b"[]", "something follows its list"),
    "list": (b"[1, 2]", "is not one of NAS-Bench-101"),
    "text": (b"\xff\xfe", "is not one of NAS-Bench-101"),
    "kinds": (b"[1, 2, 3, 4, 5]", "is not one of NAS-Bench-101"),
    "nothing": (b"", "is not one of NAS-Bench-101"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_records_of_something_else(tmp_path, data, message):
    good = record(CELLS[0], 108, metrics(POINTS, 77))
    path = write_records(tmp_path / "a.tfrecord", [good, good, data, good])
    refused(
        path, tmp_path, rf"record 2 at byte {2 * (len(good) + 16)} is not one of NAS-Bench-101: .*{message}|{message}"
    )


def test_a_cell_whose_graph_has_another_hash(tmp_path):
    good = record(CELLS[0], 108, metrics(POINTS, 77))
    bad = record(CELLS[1], 108, metrics(POINTS, 77), hash="0" * 32)
    path = write_records(tmp_path / "a.tfrecord", [good] * 3 + [bad] * 3)
    refused(path, tmp_path, r"the matrix and labels of cell 0{32} have another hash \(1 of 2 cells\)")
    loose = record(CELLS[1], 108, metrics(POINTS, 77), hash="0" * 32, matrix="0" * 9, labels="input,maxpool3x3,output")
    path = write_records(tmp_path / "a.tfrecord", [loose] * 3)
    refused(path, tmp_path, "holds a graph that is no cell")


def test_a_release_that_is_not_whole(release, tmp_path):
    path, runs = release
    records = records_of(CELLS, runs)
    for index in (0, 40, len(records) - 1):
        write_records(path, records[:index] + records[index + 1 :])
        refused(path, tmp_path, r"is not whole: cell [0-9a-f]{32} has 2 runs of (108|4|12) epochs, not 3 \(1 such\)")
    write_records(path, [*records, records[5]])
    refused(path, tmp_path, r"has 4 runs of 108 epochs, not 3")


def test_official_files_are_known_by_size_and_digest(release, tmp_path, monkeypatch):
    path, _ = release
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(nasbench101, "RELEASES", {path.stat().st_size: ("nasbench_full", digest)})
    assert Table.open(convert(path, tmp_path / "t.nastable")).provenance["release"] == "nasbench_full"
    monkeypatch.setattr(nasbench101, "RELEASES", {path.stat().st_size: ("nasbench_full", "0" * 64)})
    refused(path, tmp_path, "is as long as nasbench_full.tfrecord, but its SHA-256 is")


def test_the_sizes_of_the_official_files():
    """Every record's length follows from its cell: together they are as long as the files that are published."""
    with np.load(real("nasbench101", "cells.npz")) as cells:
        n, codes, parameters = cells["num_vertices"].astype(int), cells["ops"], cells["params"]
    labels = sum((codes == code).sum(axis=1) * len(f"{name},") for code, name in enumerate(OPERATIONS))
    message = len(metrics(np.ones((3, 5)).tolist(), 1)) - 1 + np.array([1, 2, 3, 4, 5])
    text = np.array([len(json.dumps(base64.encodebytes(bytes(size)).decode())) for size in message.tolist()])
    digits = np.searchsorted(2 ** (7 * np.arange(1, 5)), parameters, side="right")
    fixed = 16 + len(f'["{"0" * 32}", , "", "input,output", ]')
    rest = fixed + n * n + labels + text[digits]
    for budgets in ((4, 12, 36, 108), (108,)):
        size = sum(3 * int((rest + len(str(budget))).sum()) for budget in budgets)
        name, digest = nasbench101.RELEASES[size]
        assert name == ("nasbench_full" if len(budgets) == 4 else "nasbench_only108")
        assert len(bytes.fromhex(digest)) == 32


def test_a_failed_conversion_leaves_the_old_table(release, tmp_path):
    path, _ = release
    convert(path, tmp_path / "t.nastable")
    before = (tmp_path / "t.nastable").read_bytes()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError):
        convert(path, tmp_path / "t.nastable")
    assert (tmp_path / "t.nastable").read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["nasbench.tfrecord", "t.nastable"]
