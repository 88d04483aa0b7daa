"""CIFAR-10 from archives, files, folders and the network; whole or refused."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import tarfile
import threading

import numpy as np
import pytest
import torch

from spaces.errors import InvalidValue, UnknownName, UserError
from trials import data
from trials.data import DataDamaged, DataMissing, DataNotFetched, archives, cifar10, dataset

RNG = np.random.default_rng(0)
PLANES = {f"data_batch_{n}": RNG.integers(0, 256, (20, 3072), dtype=np.uint8) for n in range(1, 6)}
PLANES["test_batch"] = RNG.integers(0, 256, (10, 3072), dtype=np.uint8)
LABELS = {name: [index % 10 for index in range(len(planes))] for name, planes in PLANES.items()}


def _binary(name):
    rows = zip(LABELS[name], PLANES[name], strict=True)
    return f"cifar-10-batches-bin/{name}.bin", b"".join(bytes([label]) + row.tobytes() for label, row in rows)


def _pickle(name, **changes):
    batch = {b"batch_label": b"x", b"labels": LABELS[name], b"data": PLANES[name], b"filenames": [b"a.png"]}
    return f"cifar-10-batches-py/{name}", pickle.dumps(batch | changes, protocol=2)


def _archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in [("cifar-10/readme.html", b"<html>"), *files]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def binary(tmp_path):
    return _archive(tmp_path / "binary.tar.gz", [_binary(name) for name in PLANES])


def _expected(names):
    planes = np.concatenate([PLANES[name] for name in names])
    pixels = np.empty((len(planes), 32, 32, 3), dtype=np.uint8)
    for channel in range(3):
        pixels[..., channel] = planes[:, 1024 * channel : 1024 * (channel + 1)].reshape(-1, 32, 32)
    return pixels


def _check_installed(folder):
    source = cifar10.read(folder, test=True)
    train = sorted(set(PLANES) - {"test_batch"})
    assert np.array_equal(source.images, _expected(train))
    assert source.labels.tolist() == [label for name in train for label in LABELS[name]]
    assert np.array_equal(source.test_images, _expected(["test_batch"]))
    assert source.test_labels.tolist() == LABELS["test_batch"]
    assert [path.name for path in folder.iterdir()] == ["cifar10"]


@pytest.mark.parametrize("write", [_binary, _pickle])
def test_both_official_layouts(tmp_path, folder, write):
    path = _archive(tmp_path / "any-name.tar.gz", [write(name) for name in PLANES])
    assert data.add("cifar10", str(path), str(folder), check=False) == folder / "cifar10"
    _check_installed(folder)


def test_adding_again_replaces(binary, folder):
    for _ in range(2):
        data.add("cifar10", str(binary), str(folder), check=False)
    _check_installed(folder)


def test_checksum(binary, folder, monkeypatch):
    with pytest.raises(DataDamaged, match=r"its MD5 is \w{32}, not c58f30108f718f92721af3b95e74349a"):
        data.add("cifar10", str(binary), str(folder))
    assert not (folder / "cifar10").exists()
    digest = hashlib.md5(binary.read_bytes()).hexdigest()
    monkeypatch.setitem(archives.MD5, "cifar-10-binary.tar.gz", digest)
    data.add("cifar10", str(binary), str(folder))
    _check_installed(folder)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_cut_archive(binary, folder, share):
    content = binary.read_bytes()
    binary.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataDamaged):
        data.add("cifar10", str(binary), str(folder), check=False)
    assert not (folder / "cifar10").exists()


def test_archive_without_a_batch(tmp_path, folder):
    path = _archive(tmp_path / "a.tar.gz", [_binary("data_batch_1")])
    with pytest.raises(DataDamaged, match="holds no data_batch_2"):
        data.add("cifar10", str(path), str(folder), check=False)


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    "batch",
    [
        _pickle("data_batch_1", extra=_Evil()),
        ("cifar-10-batches-py/data_batch_1", b"not a pickle"),
        ("x/data_batch_1", pickle.dumps({b"labels": [1]}, protocol=2)),
        ("x/data_batch_1", pickle.dumps({b"labels": [1], b"data": np.zeros((1, 5), np.uint8)}, protocol=2)),
        ("x/data_batch_1", pickle.dumps([1, 2], protocol=2)),
        ("x/data_batch_1.bin", b"\0" * 3072),
    ],
)
def test_bad_batches_are_refused_and_run_nothing(tmp_path, folder, monkeypatch, batch):
    monkeypatch.chdir(tmp_path)
    path = _archive(tmp_path / "a.tar.gz", [batch])
    with pytest.raises(DataDamaged, match="data_batch_1 in it"):
        data.add("cifar10", str(path), str(folder), check=False)
    assert not (tmp_path / "evil").exists()


def test_labels_out_of_range(tmp_path, folder):
    name, content = _binary("data_batch_1")
    files = [(name, b"\x0a" + content[1:]), *(_binary(each) for each in PLANES if each != "data_batch_1")]
    with pytest.raises(DataDamaged, match="from 0 to 9"):
        data.add("cifar10", str(_archive(tmp_path / "a.tar.gz", files)), str(folder), check=False)
    assert list(folder.iterdir()) == []


def test_ready_file_and_folder(tmp_path, folder, binary):
    data.add("cifar10", str(binary), str(tmp_path / "first"), check=False)
    data.add("cifar10", str(tmp_path / "first" / "cifar10"), str(folder))
    _check_installed(folder)
    source = cifar10.read(folder, test=True)
    np.savez(
        tmp_path / "cifar10.npz",
        train_images=source.images,
        train_labels=source.labels,
        test_images=source.test_images,
        test_labels=source.test_labels,
    )
    data.add("cifar10", str(tmp_path / "cifar10.npz"), str(tmp_path / "third"))
    _check_installed(tmp_path / "third")


def test_several_training_files_are_joined_in_order(folder):
    (folder / "cifar10").mkdir(parents=True)
    for number, name in enumerate(["train_1", "train_0", "test"]):
        images = np.full((2, 32, 32, 3), number, dtype=np.uint8)
        np.savez(folder / "cifar10" / f"{name}.npz", images=images, labels=np.array([number, 9]))
    assert cifar10.read(folder, test=False).labels.tolist() == [1, 9, 0, 9]
    assert cifar10.read(folder, test=False).test_images is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", gzip.compress(b"x", mtime=0)])
def test_damaged_file(folder, binary, content):
    data.add("cifar10", str(binary), str(folder), check=False)
    (folder / "cifar10" / "train.npz").write_bytes(content)
    with pytest.raises(DataDamaged, match=r"train\.npz"):
        data.load("cifar10", str(folder))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 32, 32, 3), np.uint8)}, "no array"),
        ({"images": np.zeros((2, 3, 32, 32), np.uint8), "labels": np.zeros(2, np.uint8)}, "not uint8"),
        ({"images": np.zeros((2, 32, 32, 3), np.uint8), "labels": np.zeros(3, np.uint8)}, "2 images but"),
    ],
)
def test_npz_of_another_layout(folder, arrays, message):
    (folder / "cifar10").mkdir(parents=True)
    for name in ("train", "test"):
        np.savez(folder / "cifar10" / f"{name}.npz", **arrays)
    with pytest.raises(DataDamaged, match=message):
        data.load("cifar10", str(folder))


def test_missing_names_the_remedies(tmp_path):
    with pytest.raises(DataMissing) as caught:
        data.load("cifar10", str(tmp_path))
    text = str(caught.value)
    for remedy in ("asha-nas data get cifar10", "asha-nas data add cifar10 ARCHIVE", "ASHA_NAS_DATA"):
        assert remedy in text
    assert isinstance(caught.value, UserError)


def test_names(folder):
    with pytest.raises(UnknownName, match="Did you mean 'cifar10'"):
        data.load("cifar-10", str(folder))
    with pytest.raises(InvalidValue, match="comes with the package"):
        data.get("digits", str(folder))
    with pytest.raises(InvalidValue, match="no such file"):
        data.add("cifar10", str(folder / "none.tar.gz"), str(folder))


def test_describe(folder, binary):
    before = {entry.name: entry for entry in data.describe(str(folder))}
    assert (before["cifar10"].state, before["cifar10"].bytes) == ("missing", 0)
    assert before["digits"].state == "embedded"
    data.add("cifar10", str(binary), str(folder), check=False)
    after = {entry.name: entry for entry in data.describe(str(folder))}["cifar10"]
    assert (after.state, after.path, after.shape) == ("installed", str(folder / "cifar10"), (3, 32, 32))
    assert after.bytes == sum(path.stat().st_size for path in (folder / "cifar10").iterdir())
    digits = data.load("digits", test=True)
    assert before["digits"].train_images == len(digits.train) + len(digits.valid)
    assert before["digits"].test_images == len(digits.test)


def test_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path / "env"))
    assert data.data_folder() == tmp_path / "env"
    assert data.data_folder(str(tmp_path)) == tmp_path
    monkeypatch.delenv("ASHA_NAS_DATA")
    assert data.data_folder().parts[-2:] == ("asha-nas", "data")


class _Handler(http.server.BaseHTTPRequestHandler):
    content = b""
    promised = 0

    def do_GET(self):
        if self.path != "/a.tar.gz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def server(binary):
    content = binary.read_bytes()
    handler = type("Handler", (_Handler,), {"content": content, "promised": len(content)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", handler
        running.shutdown()
        thread.join()


def test_get(folder, server):
    address, handler = server
    told = []
    progress = lambda done, total: told.append((done, total))  # noqa: E731
    data.get("cifar10", str(folder), url=f"{address}/a.tar.gz", progress=progress, check=False)
    _check_installed(folder)
    assert told[-1] == (handler.promised, handler.promised)


def test_get_checks_what_came(folder, server):
    with pytest.raises(DataDamaged, match="MD5"):
        data.get("cifar10", str(folder), url=f"{server[0]}/a.tar.gz")
    assert list(folder.iterdir()) == []


def test_get_failures(folder, server):
    address, handler = server
    with pytest.raises(DataNotFetched, match="Not Found"):
        data.get("cifar10", str(folder), url=f"{address}/other")
    with pytest.raises(InvalidValue, match="http"):
        data.get("cifar10", str(folder), url="file:///a.tar.gz")
    handler.promised += 1000
    with pytest.raises(DataNotFetched, match="of"):
        data.get("cifar10", str(folder), url=f"{address}/a.tar.gz", check=False)
    assert list(folder.iterdir()) == []


def test_get_from_nowhere(folder):
    with pytest.raises(DataNotFetched, match="refused"):
        data.get("cifar10", str(folder), url="http://127.0.0.1:9/a.tar.gz")


def test_of_an_archive_the_fifth_batch_validates(binary, folder):
    data.add("cifar10", str(binary), str(folder), check=False)
    data.add("cifar10", str(folder / "cifar10"), str(folder / "copy"))
    for place in (folder, folder / "copy"):
        source = cifar10.read(place, test=False)
        assert source.published_valid == 20
    made = dataset.split(source, 0.2, None)
    assert torch.equal(made.valid.images.permute(0, 2, 3, 1), torch.from_numpy(_expected(["data_batch_5"])))
    assert len(made.train) == 80
    limited = dataset.split(source, 0.2, 50)
    fifth = {image.tobytes() for image in _expected(["data_batch_5"])}
    assert {image.permute(1, 2, 0).numpy().tobytes() for image in limited.valid.images} <= fifth
    assert not {image.permute(1, 2, 0).numpy().tobytes() for image in limited.train.images} & fifth
    assert len(dataset.split(source, 0.3, None).valid) == 30  # another share is stratified


def test_of_images_in_another_order_a_stratified_part_validates(binary, folder, tmp_path):
    data.add("cifar10", str(binary), str(folder), check=False)
    source = cifar10.read(folder, test=True)
    arrays = {
        "train_images": source.images, "train_labels": source.labels,
        "test_images": source.test_images, "test_labels": source.test_labels,
    }  # fmt: skip
    np.savez(tmp_path / "all.npz", **arrays)
    data.add("cifar10", str(tmp_path / "all.npz"), str(folder))
    assert cifar10.read(folder, test=False).published_valid == 0
