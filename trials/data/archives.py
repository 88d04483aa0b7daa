"""Reading CIFAR-10's two official archives (Krizhevsky, 2009; https://www.cs.toronto.edu/~kriz/cifar.html).

The ``python`` archive holds pickles, which can run any code when read carelessly. Here a pickle may rebuild
NumPy arrays, bytes and plain containers and nothing else; the ``binary`` archive needs no such care and is
what gets fetched.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trials.data.dataset import Images, Labels
from trials.data.errors import DataDamaged

MD5 = {
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
}
"""Checksums of the official archives, as on the page above."""

PIXELS = 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = ("test_batch",)
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)

Batch = tuple[Images, Labels]


def read_archive(path: Path, check: bool = True) -> tuple[Batch, Batch]:
    """Training and test images and labels: uint8 (N, 32, 32, 3) and int64 (N,).

    Args:
        path: Either official archive, whatever its file name.
        check: Whether the file must have one of the official checksums.

    Raises:
        DataDamaged: It is no such archive, or it is cut short or altered.
    """
    if check:
        _check_digest(path)
    try:
        with tarfile.open(path, "r:*") as archive:
            files = {
                Path(member.name).name: content.read()
                for member in archive
                if member.isfile() and (content := archive.extractfile(member)) is not None
            }
    except _BROKEN as error:
        raise DataDamaged(path, f"not a whole tar archive ({error})") from error
    return _gather(path, files, _TRAIN), _gather(path, files, _TEST)


def _check_digest(path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if digest not in MD5.values():
        official = " or ".join(f"{md5} ({name})" for name, md5 in MD5.items())
        raise DataDamaged(path, f"its MD5 is {digest}, not {official}", "Fetch the archive again.")


def _gather(path: Path, files: dict[str, bytes], names: tuple[str, ...]) -> Batch:
    batches = [_read_batch(path, files, name) for name in names]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels


def _read_batch(path: Path, files: dict[str, bytes], name: str) -> Batch:
    """One batch as it lies in the archive: uint8 (N, 3072), planes red, green, blue; int64 (N,)."""
    if f"{name}.bin" in files:
        read, content = _read_binary, files[f"{name}.bin"]
    elif name in files:
        read, content = _read_pickle, files[name]
    else:
        raise DataDamaged(path, f"holds no {name}", "Give one of the official CIFAR-10 archives.")
    try:
        images, labels = read(content)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise DataDamaged(path, f"{name} in it cannot be read ({error})") from error
    if images.shape != (len(labels), PIXELS) or images.dtype != np.uint8:
        raise DataDamaged(path, f"{name} in it has images of {images.dtype} {images.shape}, not uint8 (N, {PIXELS})")
    return images, labels


def _read_binary(content: bytes) -> Batch:
    """Records of one byte for the label and 3,072 for the pixels."""
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _read_pickle(content: bytes) -> Batch:
    batch = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    return np.asarray(batch[b"data"]), np.asarray(batch[b"labels"], dtype=np.int64)


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into a pickle that Python 2 can read."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not allowed")
    return text.encode("latin1")


_rebuild: Callable[..., Any] = np.empty(0).__reduce__()[0]  # type: ignore[assignment]
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _rebuild,
    ("numpy._core.multiarray", "_reconstruct"): _rebuild,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): bytes,
    ("builtins", "bytes"): bytes,
    ("__builtin__", "str"): str,
    ("builtins", "str"): str,
}


class _PlainUnpickler(pickle.Unpickler):
    """Rebuilds arrays, bytes, strings, numbers, lists and dictionaries; refuses everything else."""

    def find_class(self, module_name: str, global_name: str) -> Callable[..., Any]:
        """Look a name up in the short list of what may be called."""
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is not allowed in a data file")
        return _ALLOWED[module_name, global_name]
