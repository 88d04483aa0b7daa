"""A small labelled graph, for people to look at: what every space turns its cells into.

It says nothing of how it is drawn; :mod:`spaces.drawing` does that, and is the only module to
import matplotlib. A space whose operations sit on edges (DARTS) labels the arrows; one whose
operations sit on vertices (NAS-Bench-101) labels the vertices and leaves the arrows bare.
"""

from __future__ import annotations

from dataclasses import dataclass

from spaces.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Arrow:
    """A directed edge between two vertices of a :class:`Graph`."""

    source: int
    """Index of the vertex it leaves, >= 0."""
    target: int
    """Index of the vertex it enters, > source."""
    label: str = ""
    """Name of the operation on it; empty where the edge only carries data."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A directed acyclic graph whose vertices are listed in an order that every arrow respects.

    Raises:
        InvalidValue: an arrow runs backwards or ends outside the vertices.
    """

    title: str
    """Heading, e.g. ``normal cell``; may be empty."""
    vertices: tuple[str, ...]
    """Label of each vertex; a line break in a label is kept."""
    arrows: tuple[Arrow, ...]
    """Edges in no particular order; two vertices may have several between them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", tuple(self.vertices))
        object.__setattr__(self, "arrows", tuple(self.arrows))
        for arrow in self.arrows:
            if not 0 <= arrow.source < arrow.target < len(self.vertices):
                raise InvalidValue(
                    "arrow",
                    (arrow.source, arrow.target),
                    f"must run from a vertex to a later one of the {len(self.vertices)} vertices",
                    "List the vertices in topological order.",
                )
