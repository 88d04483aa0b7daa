"""Pictures: whole files, the same bytes each time, and nothing that covers anything else."""

import ast
import itertools
import os
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from spaces import drawing
from spaces.darts_cell import PUBLISHED, sample_genotype
from spaces.drawing import draw
from spaces.errors import InvalidValue
from spaces.graph import Arrow, Graph
from spaces.layout import SPAN, WIDEST, lay_out

SPACES = Path(drawing.__file__).parent
GENOTYPE = PUBLISHED["DARTS_V2"]
NASBENCH = Graph(
    "cell",
    (
        "input",
        "conv3x3-bn-relu",
        "conv1x1-bn-relu",
        "maxpool3x3",
        "conv3x3-bn-relu",
        "conv3x3-bn-relu",
        "output",
    ),
    tuple(Arrow(*ends) for ends in [(0, 1), (0, 2), (0, 6), (1, 3), (2, 4), (3, 5), (4, 5), (5, 6), (1, 6)]),
)


def size(label):
    return 8.0 * max(map(len, label.split("\n"))) + 10.0, 26.0


def label_size(label):
    return (7.0 * len(label) + 10.0, 18.0) if label else (0.0, 6.0)


def bends(points, steps=24):
    """Sample an arrow as it is drawn: cubic from point to point, level at both ends."""
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        for t in np.linspace(0.0, 1.0, steps):
            along = 1.5 * t * (1 - t) ** 2 + 1.5 * t**2 * (1 - t) + t**3
            yield x0 + (x1 - x0) * along, y0 + (y1 - y0) * t * t * (3 - 2 * t)


def graphs():
    rng = np.random.default_rng(0)
    sampled = [graph for _ in range(6) for graph in sample_genotype(rng, "released").graphs()]
    return [
        *sampled,
        NASBENCH,
        Graph("", ("alone",), ()),
        Graph("", ("a", "b"), (Arrow(0, 1, "x"), Arrow(0, 1, "y"))),
    ]


@pytest.mark.parametrize("graph", graphs())
def test_nothing_covers_anything(graph):
    layout = lay_out(graph, size, label_size)
    layout.place(700.0)
    parts = [part for column in layout.columns for part in column if part.size[0]]
    assert len(parts) == len(graph.vertices) + sum(1 for arrow in graph.arrows if arrow.label)
    for a, b in itertools.combinations(parts, 2):
        apart_x = abs(a.x - b.x) >= (a.size[0] + b.size[0]) / 2
        apart_y = abs(a.y - b.y) >= (a.size[1] + b.size[1]) / 2
        assert apart_x or apart_y
    for (_, route), points in zip(layout.routes, layout.paths(), strict=True):
        others = [part for part in parts if part not in route]
        for x, y in bends(points):
            assert not any(abs(x - part.x) < part.size[0] / 2 and abs(y - part.y) < part.size[1] / 2 for part in others)


def test_a_layout_runs_from_left_to_right_and_fills_the_width_it_is_given():
    layout = lay_out(NASBENCH, size, label_size)
    for width in (100.0, 800.0, 10_000.0):
        taken = layout.place(width)
        assert taken == pytest.approx(min(max(width, layout.width(SPAN)), layout.width(WIDEST)))
        for arrow in NASBENCH.arrows:
            assert layout.vertices[arrow.source].x < layout.vertices[arrow.target].x
    assert layout.vertices[0].column == 0
    assert layout.vertices[6].column == 4


def test_svg_is_readable_and_the_same_every_time(tmp_path):
    draw(GENOTYPE.graphs(), tmp_path / "a.svg", "DARTS $V_2$ & <others>")
    draw(GENOTYPE.graphs(), tmp_path / "b.svg", "DARTS $V_2$ & <others>")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.tag.endswith("svg")
    assert float(root.get("width").removesuffix("pt")) == pytest.approx(drawing.PAGE)
    assert "dc:date" not in (tmp_path / "a.svg").read_text()


def test_png_is_1400_pixels_wide_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "cell.PNG"
    path.write_text("old")
    draw([NASBENCH], str(path))
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">I", content[16:20]) == (1400,)
    assert [each.name for each in tmp_path.iterdir()] == ["cell.PNG"]


def test_small_graphs_share_a_row(tmp_path):
    small = Graph("small", ("a", "b"), (Arrow(0, 1, "none"),))
    heights = []
    for count in (1, 3, 12):
        draw([small] * count, tmp_path / "row.png")
        heights.append(struct.unpack(">I", (tmp_path / "row.png").read_bytes()[20:24])[0])
    assert heights[0] == heights[1] < heights[2]


def test_a_wide_graph_widens_the_page(tmp_path):
    chain = Graph("chain", ("v" * 20,) * 12, tuple(Arrow(i, i + 1) for i in range(11)))
    draw([chain], tmp_path / "wide.png")
    assert struct.unpack(">I", (tmp_path / "wide.png").read_bytes()[16:20])[0] > 2000


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "cell.svg"
    path.write_text("old")

    def fail(*paths):
        raise OSError("disk")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        draw([NASBENCH], path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(InvalidValue, match=r"must end in \.svg or \.png"):
        draw([NASBENCH], tmp_path / "cell.pdf")
    with pytest.raises(InvalidValue, match="its folder does not exist"):
        draw([NASBENCH], tmp_path / "missing" / "cell.svg")
    for nothing in ([], [Graph("", (), ())]):
        with pytest.raises(InvalidValue, match="nothing to draw"):
            draw(nothing, tmp_path / "cell.svg")
    assert not list(tmp_path.iterdir())


def test_settings_of_matplotlib_are_left_as_they_were(tmp_path):
    before = dict(mpl.rcParams)
    draw([NASBENCH], tmp_path / "cell.svg")
    assert dict(mpl.rcParams) == before


def test_only_drawing_and_picture_import_matplotlib_and_none_imports_pyplot():
    for path in SPACES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in getattr(node, "names", []) if isinstance(node, ast.Import)]
            assert "matplotlib.pyplot" not in modules
            assert path.name in {"drawing.py", "picture.py"} or not any(
                name.startswith("matplotlib") for name in modules
            )


def test_a_graph_runs_forwards():
    for ends in [(1, 0), (0, 0), (0, 2), (-1, 1)]:
        with pytest.raises(InvalidValue, match="a later one of the 2 vertices"):
            Graph("", ("a", "b"), (Arrow(*ends),))
    listed = Graph("", ["a", "b"], [Arrow(0, 1)])
    assert hash(listed) == hash(Graph("", ("a", "b"), (Arrow(0, 1),)))
