"""Pictures of cells, as SVG or PNG: the one module of this package that imports matplotlib.

It uses matplotlib's Figure objects alone, never ``pyplot``, so it needs no display, opens no
window and leaves no figure behind. The same graphs give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from spaces.errors import InvalidValue
from spaces.graph import Graph
from spaces.layout import SPAN, Layout, Part, Point, lay_out
from spaces.picture import format_of, save

PAGE: Final = 1008.0
"""Least width of a picture in points: 14 inches, 1400 pixels in a PNG."""
DPI: Final = 100

_EDGE = 22.0  # free space around the page, and between panels
_PADDING = 20.0  # inside a panel
_HEADING = 26.0  # height of a panel's heading
_TITLE = 34.0  # height of the page's title
_SMALL, _MEDIUM, _LARGE = 9.5, 12.0, 15.0  # sizes of text in points

_INK = "#24292f"
_Style = str | tuple[int, tuple[int, ...]]
"""Of a line, as matplotlib has it: ``solid``, or where dashes begin and their lengths."""

# Fill, line and text of each kind of operation: a colour-blind safe set (Okabe & Ito), lightened.
_COLOURS: Final[dict[str, tuple[str, str, str]]] = {
    "conv": ("#d6e8f7", "#0072b2", "#0b3c5d"),
    "dilated": ("#e7dcf5", "#7b4fb5", "#43256b"),
    "pool": ("#fde5cf", "#d55e00", "#6e3000"),
    "skip": ("#d5f0e4", "#009e73", "#00503a"),
    "none": ("#f3f3f3", "#9a9a9a", "#6b6b6b"),
    "other": ("#fbeef5", "#b3528a", "#5c1f43"),
    "plain": ("#ffffff", "#59636e", "#24292f"),
}


def draw(graphs: Sequence[Graph], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw graphs from left to right, each with its heading, beside or below one another.

    The file appears whole or not at all. It is at least 14 inches wide: 1400 pixels as PNG.

    Args:
        graphs: one or more, each with at least one vertex.
        path: ends in ``.svg`` or ``.png``; a file there is replaced, its folder must exist.
        title: heading of the whole picture; none if empty.

    Raises:
        InvalidValue: another suffix, a folder that does not exist, or nothing to draw.
        OSError: the file cannot be written.
    """
    target = Path(path)
    format_of(target)
    if not target.parent.is_dir():
        raise InvalidValue("path", str(target), "its folder does not exist", f"Create {target.parent} first.")
    if not graphs or any(not graph.vertices for graph in graphs):
        raise InvalidValue("graphs", [len(graph.vertices) for graph in graphs], "there is nothing to draw")
    save(_figure(graphs, title), target, DPI)


# ---- the page -----------------------------------------------------------------------------------


def _figure(graphs: Sequence[Graph], title: str) -> Figure:
    layouts = [lay_out(graph, _vertex_size, _label_size) for graph in graphs]
    natural = [layout.width(SPAN) + 2 * _PADDING for layout in layouts]
    width = max(PAGE, *(each + 2 * _EDGE for each in natural))
    rows = _rows(natural, width - 2 * _EDGE)
    heights = [max(_panel_height(layouts[i]) for i in row) for row in rows]
    height = _EDGE + (_TITLE if title else 0.0) + sum(each + _EDGE for each in heights)
    page = _Page(width, height)
    y = _EDGE
    if title:
        page.text((width / 2, y + 8.0), title, _LARGE, _INK, weight="bold")
        y += _TITLE
    for row, row_height in zip(rows, heights, strict=True):
        spare = (width - _EDGE * (len(row) + 1) - sum(natural[i] for i in row)) / len(row)
        x = _EDGE
        for i in row:
            _panel(page, graphs[i], layouts[i], (x, y, natural[i] + spare, row_height))
            x += natural[i] + spare + _EDGE
        y += row_height + _EDGE
    return page.figure


def _rows(widths: Sequence[float], available: float) -> list[list[int]]:
    """Fill rows with panels in turn, as many as fit."""
    rows: list[list[int]] = [[0]]
    used = widths[0]
    for i, width in enumerate(widths[1:], start=1):
        if used + _EDGE + width <= available:
            rows[-1].append(i)
            used += _EDGE + width
        else:
            rows.append([i])
            used = width
    return rows


def _panel_height(layout: Layout) -> float:
    return layout.height + 2 * _PADDING + _HEADING


def _panel(page: _Page, graph: Graph, layout: Layout, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    page.box((left + width / 2, top + height / 2), (width, height), ("#fbfcfd", "#d0d7de"), radius=10.0)
    page.text((left + _PADDING, top + _PADDING - 2.0), graph.title, _MEDIUM, _INK, weight="bold", align="left")
    taken = layout.place(width - 2 * _PADDING)
    page.shift = (
        left + (width - taken) / 2,
        top + _HEADING + (height - _HEADING - layout.height) / 2,
    )
    for (arrow, route), points in zip(layout.routes, layout.paths(), strict=True):
        _arrow(page, arrow.label, route[-2], points)
    for label, part in zip(graph.vertices, layout.vertices, strict=True):
        fill, line, ink = _COLOURS[_kind(label)]
        page.box((part.x, part.y), part.size, (fill, line), radius=7.0)
        page.text((part.x, part.y), label, _MEDIUM if len(label) < 3 else _SMALL, ink, weight="bold")
    page.shift = (0.0, 0.0)


# ---- parts of a panel ---------------------------------------------------------------------------


def _arrow(page: _Page, label: str, tag: Part, points: Sequence[Point]) -> None:
    """Draw an arrow and, where it has a label, the label on its part ``tag``."""
    kind = _kind(label) if label else "plain"
    fill, line, ink = _COLOURS[kind]
    style: _Style = (0, (4, 3)) if kind == "none" else "solid"
    page.curve(points, line, style)
    if label:
        page.box((tag.x, tag.y), tag.size, (fill, line), radius=tag.size[1] / 2, style=style)
        page.text((tag.x, tag.y), label, _SMALL, ink)


def _kind(label: str) -> str:
    """Tell the kind of an operation by its name, in any of the spaces' ways of naming it."""
    name = label.lower()
    if name in {"none", "zero", "zeroize"}:
        return "none"
    if name in {"skip", "skip_connect", "identity"}:
        return "skip"
    for part, kind in (("dil_", "dilated"), ("pool", "pool"), ("conv", "conv")):
        if part in name:
            return kind
    return "other" if name in {"tanh", "relu", "sigmoid"} else "plain"


def _text_size(text: str, size: float) -> tuple[float, float]:
    """Return width and height in points; from the font's outlines, so the same on every machine."""
    lines = text.split("\n")
    widest = max(
        TextPath((0, 0), line, prop=_font(size, "bold")).get_extents().width if line else 0.0 for line in lines
    )
    return float(widest), 1.25 * size * len(lines)


def _vertex_size(label: str) -> tuple[float, float]:
    width, height = _text_size(label, _SMALL)
    return max(width + 16.0, 32.0), max(height + 10.0, 32.0)


def _label_size(label: str) -> tuple[float, float]:
    if not label:
        return 0.0, 6.0  # a placeholder: room for the line alone
    width, height = _text_size(label, _SMALL)
    return width + 14.0, height + 6.0


def _font(size: float, weight: str) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight=weight)  # comes with matplotlib


class _Page:
    """A figure drawn on in points from its top left corner; ``shift`` moves what comes next.

    Artists belong to the figure itself: without axes there is nothing to clip or to scale.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width / 72.0, height / 72.0), dpi=DPI, facecolor="white")
        self.shift = (0.0, 0.0)
        self._to_inches = Affine2D().scale(1 / 72.0, -1 / 72.0).translate(0.0, height / 72.0)

    def box(
        self, centre: Point, size: Point, colours: tuple[str, str], *, radius: float, style: _Style = "solid"
    ) -> None:
        """Draw a box with rounded corners; the colours are of its area and of its border."""
        (x, y), (width, height) = centre, size
        corner = (self.shift[0] + x - width / 2, self.shift[1] + y - height / 2)
        rounding = f"round,pad=0,rounding_size={radius}"
        fill, line = colours
        self._add(FancyBboxPatch(corner, width, height, rounding, fc=fill, ec=line, lw=1.1, linestyle=style))

    def text(
        self, at: Point, text: str, size: float, colour: str, *, weight: str = "normal", align: str = "center"
    ) -> None:
        """Write text around its centre, or from its left end."""
        x, y = self.shift[0] + at[0], self.shift[1] + at[1]
        font = _font(size, weight)
        # A "$" in a title is a dollar: parse_math would typeset what stands between two of them.
        artist = Text(x, y, text, color=colour, fontproperties=font, ha=align, va="center", parse_math=False)
        self._add(artist)

    def curve(self, points: Sequence[Point], colour: str, style: _Style) -> None:
        """Draw a smooth arrow through points; it is level at each, so it stays between them."""
        placed = [(self.shift[0] + x, self.shift[1] + y) for x, y in points]
        corners, codes = [placed[0]], [Curve.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(placed):
            bend = (x1 - x0) / 2
            corners += [(x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
            codes += [Curve.CURVE4] * 3
        self._add(PathPatch(Curve(corners, codes), fc="none", ec=colour, lw=1.5, linestyle=style))
        (x, y) = placed[-1]
        self._add(
            FancyArrowPatch(
                (x - 7.0, y),
                (x, y),
                arrowstyle="-|>",
                mutation_scale=9.0,
                shrinkA=0,
                shrinkB=0,
                fc=colour,
                ec=colour,
                lw=0.8,
            )
        )

    def _add(self, artist: Any) -> None:
        artist.set_transform(self._to_inches + self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)
