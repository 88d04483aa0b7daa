"""What data sets there are, where they are kept, and how to load one by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from spaces.errors import InvalidValue, UnknownName
from trials.data import cifar10, digits
from trials.data.dataset import Dataset, split
from trials.folders import data_folder


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of the catalogue."""

    name: str
    """What :func:`load` calls it."""
    classes: int
    """Number of classes."""
    shape: tuple[int, int, int]
    """(channels, height, width) of an image, in pixels."""
    train_images: int
    """Images in the published training set, from which the validation part is cut."""
    test_images: int
    """Images in the test set."""
    state: str
    """``embedded`` (nothing to fetch), ``installed`` or ``missing``."""
    path: str | None
    """Where it lies, or would lie; None if embedded."""
    bytes: int
    """Disk space it takes there."""
    licence: str
    """Terms, as far as known."""


def describe(data_dir: str | None = None) -> list[Entry]:
    """All data sets by name, with whether and where each is installed."""
    train, test = cifar10.files(data_folder(data_dir))
    installed = bool(train) and test.is_file()
    size = sum(path.stat().st_size for path in (*train, test)) if installed else 0
    return [
        Entry(
            "cifar10",
            cifar10.CLASSES,
            (3, 32, 32),
            50_000,
            10_000,
            "installed" if installed else "missing",
            str(test.parent),
            size,
            "no licence stated by its authors; cite Krizhevsky (2009)",
        ),
        Entry("digits", digits.CLASSES, (1, 8, 8), 1_438, 359, "embedded", None, 0, "CC BY 4.0 (UCI)"),
    ]


def load(
    name: str,
    data_dir: str | None = None,
    *,
    valid_fraction: float = 0.2,
    train_limit: int | None = None,
    test: bool = False,
) -> Dataset:
    """Load a data set, on the CPU.

    Args:
        name: One of :func:`describe`'s.
        data_dir: See :func:`data_folder`.
        valid_fraction: Share of the training set to validate on, 0 <= f < 1; see
            :func:`trials.data.dataset.split`.
        train_limit: Use about this many images of the training set; None for all.
        test: Whether to read the test set too.

    Raises:
        UnknownName: There is no such data set.
        DataMissing, DataDamaged: It is not installed, or its files are not whole.
        InvalidValue: A fraction or limit is out of its range.
    """
    _check_name(name)
    source = digits.read(test) if name == "digits" else cifar10.read(data_folder(data_dir), test)
    return split(source, valid_fraction, train_limit)


@lru_cache(maxsize=2)
def _load_on(
    device: torch.device,
    name: str,
    folder: str,
    *,
    valid_fraction: float,
    train_limit: int | None,
    test: bool,
) -> Dataset:
    loaded = load(name, folder, valid_fraction=valid_fraction, train_limit=train_limit, test=test)
    return loaded.to(device)


def load_on(
    device: torch.device,
    name: str,
    data_dir: str | None = None,
    *,
    valid_fraction: float,
    train_limit: int | None = None,
    test: bool = False,
) -> Dataset:
    """Like :func:`load`, on ``device``, and kept for the next call with the same arguments in this process.

    One worker process trains many networks on the same data. The tensors are shared: do not change them.
    """
    return _load_on(
        device,
        name,
        str(data_folder(data_dir)),
        valid_fraction=valid_fraction,
        train_limit=train_limit,
        test=test,
    )


def add(name: str, path: str, data_dir: str | None = None, *, check: bool = True) -> Path:
    """Install ``name`` from a file or folder that the user has; see :func:`trials.data.cifar10.add`."""
    _check_installable(name)
    return cifar10.add(Path(path).expanduser(), data_folder(data_dir), check)


def get(
    name: str,
    data_dir: str | None = None,
    *,
    url: str | None = None,
    progress: cifar10.Progress | None = None,
    check: bool = True,
) -> Path:
    """Download and install ``name``, from ``url`` if given; see :func:`trials.data.cifar10.get`."""
    _check_installable(name)
    return cifar10.get(data_folder(data_dir), url or cifar10.URL, progress, check)


def _check_name(name: str) -> None:
    names = [entry.name for entry in describe()]
    if name not in names:
        raise UnknownName("data set", name, names)


def _check_installable(name: str) -> None:
    _check_name(name)
    if name == "digits":
        raise InvalidValue("data set", name, "comes with the package; there is nothing to fetch or add")
