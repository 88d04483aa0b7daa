"""Where the parts of a layered graph go: columns from left to right, few crossings, no overlap.

The steps are those of Sugiyama, Tagawa & Toda (1981). Vertices get a layer, the longest path from
a source. An arrow's label becomes a part of its own, in a column just before its target, and an
arrow that passes a column it has no part in gets a placeholder there; so everything drawn owns a
piece of a column. Arrows are level inside columns and bend only between them, so that nothing can
overlap a vertex or a label. Orders within columns come
from barycentre sweeps, from several starts; the start with the fewest crossings wins.

Lengths are in points (1/72 inch), x to the right and y downwards. Pure functions of their arguments.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Final

from spaces.graph import Arrow, Graph

STARTS: Final = 24
SWEEPS: Final = 8
SETTLING: Final = 300
"""Rounds that straighten arrows once the orders are fixed."""

MARGIN: Final = 9.0
"""Least free height between two parts of a column."""
APPROACH: Final = 26.0
"""Free width between a column of labels and the vertices they lead to."""
SPAN: Final = 46.0
"""Least free width before any other column."""
WIDEST: Final = 110.0
"""Widest that the same gap may be stretched to."""

PORT: Final = 9.0
"""Height between two arrows where they leave or enter the same vertex, which grows if it must."""

Point = tuple[float, float]

Measure = Callable[[str], tuple[float, float]]
"""Width and height of a vertex or a label by its text; a placeholder is ``""``."""


@dataclass(eq=False, slots=True)
class Part:
    """A vertex, a label or a placeholder: something that owns a piece of a column."""

    column: int
    size: tuple[float, float]
    """Width and height."""
    index: int = -1
    """Of the vertex; -1 for a label or a placeholder."""
    x: float = 0.0
    """Of the centre."""
    y: float = 0.0
    """Of the centre."""
    lane: float = 0.0
    """Width of the whole column."""
    before: list[Part] = field(default_factory=list)
    after: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything needed to draw a graph, inside the box from (0, 0) to (width, height)."""

    vertices: tuple[Part, ...]
    """In the order of the graph's vertices."""
    routes: tuple[tuple[Arrow, tuple[Part, ...]], ...]
    """Each arrow with the parts it passes: its source, placeholders, its label if any, its target."""
    columns: tuple[tuple[Part, ...], ...]
    """The parts of each column from top to bottom."""
    labelled: frozenset[int]
    """Columns that hold labels and no vertices."""
    height: float

    def width(self, gap: float) -> float:
        """Return the width when columns stand ``gap`` apart, :data:`SPAN` to :data:`WIDEST`."""
        sizes = sum(_widest(column) for column in self.columns)
        return sizes + sum(self._gap(i, gap) for i in range(1, len(self.columns)))

    def place(self, width: float) -> float:
        """Set every part's x so that the layout takes ``width`` if it can; return what it takes.

        The least is ``self.width(SPAN)``, the most ``self.width(WIDEST)``.
        """
        stretchable = sum(1 for i in range(1, len(self.columns)) if i - 1 not in self.labelled)
        spare = (width - self.width(SPAN)) / max(stretchable, 1)
        gap = min(max(SPAN + spare, SPAN), WIDEST)
        x = 0.0
        for i, column in enumerate(self.columns):
            x += self._gap(i, gap) if i else 0.0
            for part in column:
                part.x, part.lane = x + _widest(column) / 2, _widest(column)
            x += _widest(column)
        return x

    def paths(self) -> list[list[Point]]:
        """Return the points that each arrow goes through, once :meth:`place` was called.

        From point to point an arrow is level or bends between two columns; it leaves and enters
        vertices beside the other arrows, in an order in which they need not cross.
        """
        leaving = _ports([(route[0], route[1], i) for i, (_, route) in enumerate(self.routes)])
        entering = _ports([(route[-1], route[-2], i) for i, (_, route) in enumerate(self.routes)])
        paths = []
        for i, (_, route) in enumerate(self.routes):
            first, last = route[0], route[-1]
            points = [(first.x + first.size[0] / 2, leaving[i]), (first.x + first.lane / 2, leaving[i])]
            for part in route[1:-1]:
                points += [(part.x - part.lane / 2, part.y), (part.x + part.lane / 2, part.y)]
            points += [(last.x - last.lane / 2, entering[i]), (last.x - last.size[0] / 2, entering[i])]
            paths.append(points)
        return paths

    def _gap(self, column: int, gap: float) -> float:
        return APPROACH if column - 1 in self.labelled else gap


def lay_out(graph: Graph, vertex_size: Measure, label_size: Measure) -> Layout:
    """Lay out a graph with at least one vertex; deterministic."""
    layers = _layers(graph)
    labelled_layers = {layers[arrow.target] for arrow in graph.arrows if arrow.label}
    column_of: dict[int, int] = {}
    for layer in range(max(layers) + 1):
        column_of[layer] = layer + sum(1 for other in labelled_layers if other <= layer)
    vertices = tuple(
        Part(column_of[layer], _roomy(vertex_size(label), graph, i), index=i)
        for i, (layer, label) in enumerate(zip(layers, graph.vertices, strict=True))
    )
    routes = tuple((arrow, _route(arrow, vertices, label_size)) for arrow in graph.arrows)
    columns = _columns(vertices, routes)
    _order(columns)
    _settle(columns)
    labelled = frozenset(column_of[layer] - 1 for layer in labelled_layers)
    return Layout(vertices, routes, tuple(map(tuple, columns)), labelled, _to_origin(columns))


def _roomy(size: tuple[float, float], graph: Graph, vertex: int) -> tuple[float, float]:
    """Make a vertex high enough for the arrows on its busier side."""
    leaving = sum(arrow.source == vertex for arrow in graph.arrows)
    entering = sum(arrow.target == vertex for arrow in graph.arrows)
    return size[0], max(size[1], PORT * max(leaving, entering) + 3.0)


def _layers(graph: Graph) -> list[int]:
    """Return each vertex's longest path from a source; the vertices nothing leaves come last."""
    layers = [0] * len(graph.vertices)
    for arrow in sorted(graph.arrows, key=lambda arrow: arrow.source):
        layers[arrow.target] = max(layers[arrow.target], layers[arrow.source] + 1)
    left = {arrow.source for arrow in graph.arrows}
    entered = {arrow.target for arrow in graph.arrows}
    return [max(layers) if i in entered - left else layer for i, layer in enumerate(layers)]


def _route(arrow: Arrow, vertices: Sequence[Part], label_size: Measure) -> tuple[Part, ...]:
    source, target = vertices[arrow.source], vertices[arrow.target]
    route = [source]
    for column in range(source.column + 1, target.column):
        is_label = arrow.label and column == target.column - 1
        route.append(Part(column, label_size(arrow.label if is_label else "")))
    route.append(target)
    for left, right in pairwise(route):
        left.after.append(right)
        right.before.append(left)
    return tuple(route)


def _columns(vertices: Iterable[Part], routes: Iterable[tuple[Arrow, tuple[Part, ...]]]) -> list[list[Part]]:
    parts = list(vertices) + [part for _, route in routes for part in route[1:-1]]
    columns: list[list[Part]] = [[] for _ in range(1 + max(part.column for part in parts))]
    for part in parts:
        columns[part.column].append(part)
    return columns


# ---- order --------------------------------------------------------------------------------------


def _order(columns: list[list[Part]]) -> None:
    """Order every column so that few arrows cross, and set first heights."""
    best, least = [list(column) for column in columns], (float("inf"), float("inf"), float("inf"))
    rng = random.Random(0)  # its own generator: a layout must not depend on, or disturb, any other
    for start in range(STARTS):
        if start:
            for column in columns:
                rng.shuffle(column)
        for column in columns:
            _stack(column, [0.0] * len(column))
        for sweep in range(SWEEPS):
            rightwards = sweep % 2 == 0
            for column in columns[1:] if rightwards else columns[-2::-1]:
                wanted = {id(p): _mean(p.before if rightwards else p.after, p.y) for p in column}
                column.sort(key=lambda part, wanted=wanted: wanted[id(part)])  # type: ignore[misc]
                _stack(column, [wanted[id(part)] for part in column])
            cost = (_crossings(columns), _disorder(columns), _length(columns))
            if cost < least:
                best, least = [list(column) for column in columns], cost
    columns[:] = best
    for column in columns:
        _stack(column, [0.0] * len(column))


def _mean(parts: Sequence[Part], default: float) -> float:
    return sum(part.y for part in parts) / len(parts) if parts else default


def _crossings(columns: Sequence[Sequence[Part]]) -> float:
    """Count pairs of links between neighbouring columns that cross; twice where there is little room."""
    crossings = 0
    for column in columns[:-1]:
        links = [(left, right) for left in column for right in left.after]
        for (a, b), (c, d) in combinations(links, 2):
            if (a.y - c.y) * (b.y - d.y) < 0:
                crossings += 2 if a.index < 0 <= b.index or c.index < 0 <= d.index else 1
    return crossings


def _disorder(columns: Sequence[Sequence[Part]]) -> float:
    """Count pairs of vertices in a column that stand in the wrong order; it also tells up from down."""
    return sum(
        above.index > below.index
        for column in columns
        for above, below in combinations([part for part in column if part.index >= 0], 2)
    )


def _length(columns: Sequence[Sequence[Part]]) -> float:
    return sum(abs(part.y - right.y) for column in columns for part in column for right in part.after)


# ---- heights ------------------------------------------------------------------------------------


def _settle(columns: Sequence[Sequence[Part]]) -> None:
    """Straighten arrows without changing an order: each part moves towards its neighbours' mean."""
    for round_ in range(SETTLING):
        for column in columns if round_ % 2 else columns[::-1]:
            _stack(column, [_pull(part) for part in column])


def _pull(part: Part) -> float:
    """Return the height a part's arrows pull it to; a bend far from a vertex disturbs most."""
    near = [(other.y, 40.0 if part.index < 0 and other.index < 0 else 1.0) for other in (*part.before, *part.after)]
    total = sum(weight for _, weight in near)
    return sum(y * weight for y, weight in near) / total if total else part.y


def _stack(column: Sequence[Part], wanted: Sequence[float]) -> None:
    """Give a column the heights nearest to those wanted that keep its order and do not overlap.

    Least squares under ``y[i+1] - y[i] >= gap[i]``: subtracting the cumulated gaps leaves a
    monotone regression, which pooling adjacent violators solves exactly.
    """
    offsets = [0.0]
    for above, below in pairwise(column):
        offsets.append(offsets[-1] + (above.size[1] + below.size[1]) / 2 + MARGIN)
    pools: list[tuple[float, int]] = []  # mean, count
    for target, offset in zip(wanted, offsets, strict=True):
        mean, count = target - offset, 1
        while pools and pools[-1][0] > mean:
            other, many = pools.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for part, mean, offset in zip(column, means, offsets, strict=True):
        part.y = mean + offset


def _ports(ends: Iterable[tuple[Part, Part, int]]) -> dict[int, float]:
    """Return by arrow the height at which it meets its vertex, in the order of its other neighbours."""
    meeting: dict[Part, list[tuple[float, int]]] = {}
    for vertex, neighbour, arrow in ends:
        meeting.setdefault(vertex, []).append((neighbour.y, arrow))
    heights = {}
    for vertex, found in meeting.items():
        for rank, (_, arrow) in enumerate(sorted(found)):
            heights[arrow] = vertex.y + PORT * (rank - (len(found) - 1) / 2)
    return heights


def _to_origin(columns: Sequence[Sequence[Part]]) -> float:
    parts = [part for column in columns for part in column]
    top = min(part.y - part.size[1] / 2 for part in parts)
    for part in parts:
        part.y -= top
    return max(part.y + part.size[1] / 2 for part in parts)


def _widest(column: Sequence[Part]) -> float:
    return max(part.size[0] for part in column)
