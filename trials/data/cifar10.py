"""``cifar10``: 60,000 32×32 colour images in 10 classes (Krizhevsky, 2009), from the data folder.

Its prepared form is the folder ``cifar10`` with ``train*.npz`` (one or more, joined in the order of their
names) and ``test.npz``, each with ``images`` uint8 (N, 32, 32, 3) and ``labels`` uint8 (N,). Where ``train.npz``
also has ``official_order``, images are in the archives' order, so that the fifth batch, which NAS-Bench-101's
networks were validated on, can be told from the others. :func:`add` makes the form from what a user has, :func:`get`
fetches the official archive and adds it. The folder appears whole or not at all.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from spaces.errors import InvalidValue
from trials.data.archives import Batch, read_archive
from trials.data.dataset import Images, Labels, Source
from trials.data.errors import DataDamaged, DataMissing, DataNotFetched

NAME = "cifar10"
OFFICIAL = "official_order"
CLASSES = 10
BATCHES = 5
"""Of the training set in the official archives; the last one is what NAS-Bench-101 validates on."""
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_BLOCK = 1 << 20

Progress = Callable[[int, int | None], None]
"""Told the bytes fetched so far and their total, None if the server does not say."""


def files(folder: Path) -> tuple[list[Path], Path]:
    """The training files and the test file in the data folder ``folder``; they need not exist."""
    return sorted((folder / NAME).glob("train*.npz")), folder / NAME / "test.npz"


def read(folder: Path, test: bool) -> Source:
    """Read the prepared form; the test file is opened only if ``test`` is set.

    Raises:
        DataMissing: There is none.
        DataDamaged: A file cannot be read or is of another layout.
    """
    train_files, test_file = files(folder)
    if not train_files or not test_file.is_file():
        raise DataMissing(NAME, folder)
    images, labels = _join(_read_npz(path, "images", "labels") for path in train_files)
    test_images, test_labels = _read_npz(test_file, "images", "labels") if test else (None, None)
    published = len(labels) // BATCHES if _in_official_order(train_files) else 0
    return Source(NAME, CLASSES, images, labels, test_images, test_labels, published)


def _in_official_order(train_files: list[Path]) -> bool:
    with np.load(train_files[0], allow_pickle=False) as arrays:
        return len(train_files) == 1 and OFFICIAL in arrays


def _join(batches: Iterable[Batch]) -> Batch:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _read_npz(path: Path, images_name: str, labels_name: str) -> Batch:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays[images_name], arrays[labels_name]
    except KeyError as error:
        raise DataDamaged(path, f"holds no array of that name ({error})") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataDamaged(path, f"cannot be read ({error})") from error
    _check(path, images, labels)
    return images, labels.astype(np.int64)


def _check(path: Path, images: Images, labels: Labels) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (32, 32, 3):
        raise DataDamaged(path, f"images are {images.dtype} {images.shape}, not uint8 (N, 32, 32, 3)")
    if labels.shape != (len(images),) or len(labels) == 0:
        raise DataDamaged(path, f"{len(images)} images but labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= CLASSES:
        raise DataDamaged(path, f"labels must be whole numbers from 0 to {CLASSES - 1}")


def add(path: Path, folder: Path, check: bool = True) -> Path:
    """Bring CIFAR-10 into the data folder ``folder``, in place of what is there.

    Args:
        path: An official archive, a folder in the prepared form, or one ``.npz`` file with ``train_images``,
            ``train_labels``, ``test_images`` and ``test_labels``.
        folder: The data folder; made if it does not exist.
        check: Whether an archive must have an official checksum.

    Returns:
        The folder of the prepared form.

    Raises:
        InvalidValue: There is nothing at ``path``.
        DataDamaged: What is there cannot be read, or fails its check. The data folder is as before.
    """
    if path.is_dir():
        return _install(*_read_folder(path), folder, official=_in_official_order(sorted(path.glob("train*.npz"))))
    if not path.is_file():
        raise InvalidValue("path", str(path), "no such file or folder", "Give the archive that you have.")
    if path.suffix == ".npz":
        train = _read_npz(path, "train_images", "train_labels")
        return _install(train, _read_npz(path, "test_images", "test_labels"), folder)
    return add_archive(path, folder, check)


def add_archive(path: Path, folder: Path, check: bool = True) -> Path:
    """Like :func:`add`, for an official archive."""
    return _install(*read_archive(path, check), folder, official=True)


def _read_folder(path: Path) -> tuple[Batch, Batch]:
    train_files, test_file = sorted(path.glob("train*.npz")), path / "test.npz"
    if not train_files or not test_file.is_file():
        raise DataDamaged(path, "holds no train*.npz or no test.npz", "Give a folder that holds both.")
    train = _join(_read_npz(each, "images", "labels") for each in train_files)
    return train, _read_npz(test_file, "images", "labels")


def _install(train: Batch, test: Batch, folder: Path, *, official: bool = False) -> Path:
    """Write the prepared form beside its place, then put it there with one rename."""
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=folder))
    try:
        new = workshop / "new"
        new.mkdir()
        for name, (images, labels) in (("train", train), ("test", test)):
            _check(new / f"{name}.npz", images, labels)
            arrays: dict[str, Any] = {"images": images, "labels": labels.astype(np.uint8)}
            if official and name == "train":
                arrays[OFFICIAL] = np.array(True)
            np.savez(new / f"{name}.npz", **arrays)
        target = folder / NAME
        if target.exists():
            target.rename(workshop / "old")
        new.rename(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return target


def get(folder: Path, url: str = URL, progress: Progress | None = None, check: bool = True) -> Path:
    """Fetch an official archive, check it and add it; see :func:`add`.

    Raises:
        InvalidValue: ``url`` is not http or https.
        DataNotFetched: The server cannot be reached, refuses, or hangs up too early.
        DataDamaged: What came is not the official archive.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidValue("url", url, "must start with http:// or https://")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=folder) as workshop:
        archive = Path(workshop) / "archive.tar.gz"
        try:
            _fetch(url, archive, progress)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            raise DataNotFetched(url, str(getattr(error, "reason", error))) from error
        return add_archive(archive, folder, check)


def _fetch(url: str, path: Path, progress: Progress | None) -> None:
    with urllib.request.urlopen(url, timeout=60) as response, path.open("wb") as file:  # noqa: S310 (checked above)
        length = response.headers.get("Content-Length")
        total = int(length) if length else None
        done = 0
        while block := response.read(_BLOCK):
            file.write(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if total is not None and done < total:
        raise DataNotFetched(url, f"got {done:,} of {total:,} bytes")
