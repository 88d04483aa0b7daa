"""Writing a figure: the same bytes for the same figure, and a file that is whole or not there."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from spaces.errors import InvalidValue


def save(figure: Figure, path: Path | str, dpi: float) -> None:
    """Write a figure as a vector or a pixel image.

    Args:
        figure: what to write.
        path: ends in ``.svg`` or ``.png``; a file there is replaced, its folder must exist.
        dpi: pixels to the inch.

    Raises:
        InvalidValue: another suffix.
        OSError: the file cannot be written.
    """
    target = Path(path)
    content = _render(figure, format_of(target), dpi)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        beside.write_bytes(content)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def format_of(path: Path | str) -> str:
    """``svg`` or ``png``, by the suffix.

    Raises:
        InvalidValue: another suffix.
    """
    found = Path(path).suffix.lower().removeprefix(".")
    if found not in {"svg", "png"}:
        raise InvalidValue("path", str(path), "must end in .svg or .png")
    return found


def _render(figure: Figure, kind: str, dpi: float) -> bytes:
    # Identifiers in an SVG are salted at random and files are dated unless told otherwise.
    metadata: dict[str, Any] = {"svg": {"Date": None, "Creator": "asha-nas"}, "png": {"Software": "asha-nas"}}
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "asha-nas", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata[kind])
    return buffer.getvalue()
