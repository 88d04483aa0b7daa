"""From what users have to a table, whatever of the known kinds it is."""

from __future__ import annotations

import gzip
import importlib.metadata
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from spaces.errors import InvalidValue
from spaces.table import file, nasbench101, nasbench201, prepared, tfrecord
from spaces.table.content import Content, check_target, write_table
from spaces.table.errors import SourceUnknown
from spaces.table.tfrecord import Progress

Reader = Callable[[Path, str | None, Progress | None], Content]

_HEAD: Final = 64


def convert(
    source_path: Path | str, target_path: Path | str, *, name: str | None = None, progress: Progress | None = None
) -> Path:
    """Make a table of published figures. What the source is, is told by its content.

    Args:
        source_path: An official release of NAS-Bench-101 (``nasbench_full.tfrecord``, ``nasbench_only108.tfrecord``);
            a folder with ``cells.npz`` and ``budgets_*.npz``; or ``nasbench201.csv``, also compressed.
        target_path: The table, ending in ``.nastable``; one that is there is replaced when the new one is whole.
        name: Name of the table. A file of NAS-Bench-201 holds several, see ``nasbench201.KINDS``.
        progress: Told the bytes read and their total.

    Returns:
        ``target_path``.

    Raises:
        SourceUnknown: the source is none of these.
        SourceDamaged: it is cut short, altered or not whole.
        TableNotWritten: the target's folder cannot take the table; an older one there is untouched.
        InvalidValue, UnknownName: the target's ending or the name is not allowed.
    """
    source, target = Path(source_path), check_target(target_path)
    content = recognise(source)(source, name, progress)
    made = {"converted by": f"asha-nas {_version()}"}
    return write_table(target, replace(content, provenance={**content.provenance, **made}))


def recognise(source: Path) -> Reader:
    """Return the reader of a source.

    Raises:
        SourceUnknown: it is none of the known kinds.
        InvalidValue: there is nothing.
    """
    if source.is_dir():
        if prepared.files(source):
            return prepared.read
        raise SourceUnknown(source, "is a folder without cells.npz and one budgets_*.npz")
    if not source.is_file():
        raise InvalidValue("source", str(source), "no such file or folder", "Correct the path.")
    try:
        head = _head(source)
    except OSError as error:
        raise SourceUnknown(source, f"cannot be read ({error.strerror or error})") from error
    if head.startswith(file.MAGIC):
        raise SourceUnknown(source, "is a table already: it can be used as it is")
    if head.startswith(nasbench201.HEADER):
        return nasbench201.read
    if tfrecord.begins(head) or source.suffix == ".tfrecord":
        return nasbench101.read
    raise SourceUnknown(source, "is nothing that a table is made from")


def _head(source: Path) -> bytes:
    """Return the first bytes of a file, of what is inside if it is compressed."""
    with source.open("rb") as opened:
        head = opened.read(_HEAD)
        if not head.startswith(b"\x1f\x8b"):
            return head
        opened.seek(0)
        try:
            with gzip.open(opened) as inside:
                return inside.read(_HEAD)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return head


def _version() -> str:
    try:
        return importlib.metadata.version("asha-nas")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
