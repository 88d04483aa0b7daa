"""Files that commands write: where drawings go, and what is said when one cannot be written."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from asha_nas.errors import InvalidValue, UserError


def drawing(name: str) -> Path:
    """Where a drawing of a study goes unless it is said; its name may have an owner."""
    return Path(platformdirs.user_data_dir("asha-nas")) / "drawings" / f"{name.replace('/', '-')}.png"


def check_picture(path: Path) -> None:
    """Fail now, rather than after the work, if a picture cannot be of that kind."""
    if path.suffix.lower() not in (".svg", ".png"):
        raise InvalidValue("--draw", str(path), "must end in .svg or .png")


def make_room(path: Path) -> None:
    """Make the folder of a file; fail now, rather than after the work, if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise not_written(path, OSError("it is a folder" if path.is_dir() else "its folder is read-only"))


def not_written(path: Path, error: OSError) -> UserError:
    """The error to raise."""
    return UserError(f"{path}: cannot be written ({error.strerror or error})\nName another file.")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """The file appears whole or not at all."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
        beside.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        beside.unlink(missing_ok=True)
