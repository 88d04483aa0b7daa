"""The command that tells what a search space is: space info."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from asha_nas.cli.options import JsonOption
from asha_nas.cli.output import err, out, print_json
from asha_nas.errors import InvalidValue, UnknownName
from spaces import darts_cell, nasbench1shot1, nasbench101, nasbench201
from spaces.graph import Graph

app = typer.Typer(help="Search spaces: what each is, how large it is, and what its architectures look like.")


@app.callback()
def _group() -> None:
    """Keep ``info`` a command of its own, though it is the only one."""


@dataclass(frozen=True, slots=True)
class Count:
    """One answer to how many architectures there are."""

    key: str
    """Name for programs: ``raw`` and ``unique`` in every space, and what else it has."""
    number: int | None
    """``None`` where it is not computed."""
    words: str
    """What is counted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One architecture, drawn at random."""

    text: str
    """As the space writes it; its parser reads it back."""
    identity: str
    """Hexadecimal digits, equal for what the space takes for the same architecture."""
    parameters: int | None
    """Trainable parameters of the network of NAS-Bench-101; ``None`` for other spaces."""
    graphs: tuple[Graph, ...]
    """For drawing."""


Draw = Callable[[np.random.Generator], Sample]


@dataclass(frozen=True, slots=True)
class Description:
    """What the page tells of a space."""

    about: str
    """What its architectures are."""
    source: str
    """Where it is defined."""
    sampling: str
    """From what samples are drawn uniformly."""
    explore: Callable[[], tuple[list[Count], Draw]]
    """Counts, and a function that draws; may take a while, since both may need all cells."""


def _explore_nasbench101() -> tuple[list[Count], Draw]:
    err.print("enumerating every cell of nasbench101: about half a minute", style="dim")
    cells = nasbench101.enumerate_cells()
    n = nasbench101.MAX_VERTICES
    raw = 2 ** (n * (n - 1) // 2) * len(nasbench101.OPERATIONS) ** (n - 2)
    counts = [
        Count("raw", raw, f"matrices and operations of {n} vertices, invalid ones included"),
        Count("unique", len(cells), "different cells: loose ends pruned, one of each isomorphism class"),
    ]
    return counts, lambda rng: _cell_sample(nasbench101.sample_unique(rng, cells))


def _explore_1shot1(name: str) -> tuple[list[Count], Draw]:
    space = nasbench1shot1.space(name)
    cells = nasbench1shot1.unique_cells(space)
    counts = [
        Count("raw", nasbench1shot1.count_raw(space), "choices of parents and operations"),
        Count("unique", len(cells), "different cells of NAS-Bench-101 that they make"),
    ]
    return counts, lambda rng: _cell_sample(nasbench101.sample_unique(rng, cells))


def _cell_sample(cell: nasbench101.Cell) -> Sample:
    return Sample(str(cell), cell.hash, nasbench101.count_parameters(cell), (cell.graph(),))


def _explore_nasbench201() -> tuple[list[Count], Draw]:
    counts = [
        Count("raw", len(nasbench201.enumerate_cells()), "encodings: an operation on each of six edges"),
        Count("unique", nasbench201.count_topologies(), "topologies by the published rule"),
        Count("unique_exact", nasbench201.count_topologies(exact=True), "where sums are opened and zeros left out"),
    ]
    return counts, _nasbench201_sample


def _nasbench201_sample(rng: np.random.Generator) -> Sample:
    cell = nasbench201.sample_cell(rng)
    return Sample(str(cell), cell.hash, None, (cell.graph(),))


def _explore_darts() -> tuple[list[Count], Draw]:
    raw = [
        Count(
            "raw" if name == "paper" else f"raw_{name}",
            darts_cell.count_genotypes(name),
            f"encodings with operations {name!r} ({len(operations)})",
        )
        for name, operations in darts_cell.OPERATION_SETS.items()
    ]
    unique = Count("unique", None, "different architectures: too many to list, and no formula is known")
    return [*raw, unique], _darts_sample


def _darts_sample(rng: np.random.Generator) -> Sample:
    genotype = darts_cell.sample_genotype(rng)
    return Sample(str(genotype), genotype.identity, None, genotype.graphs())


_1SHOT1: Final = "Zela, Siems & Hutter, NAS-Bench-1Shot1, arXiv 2001.10422"
_UNIQUE: Final = "the different cells"


def _described_1shot1(name: str) -> Description:
    space = nasbench1shot1.space(name)
    parents = ", ".join(map(str, space.parents))
    about = (
        f"cells of NAS-Bench-101 with {space.blocks} choice blocks that have {parents} parents,"
        f" and an output that has {space.output_parents}"
    )
    return Description(about, _1SHOT1, _UNIQUE, lambda: _explore_1shot1(name))


SPACES: Final[dict[str, Description]] = {
    **{name: _described_1shot1(name) for name in nasbench1shot1.SPACES},
    "nasbench101": Description(
        f"cells of up to {nasbench101.MAX_VERTICES} vertices and {nasbench101.MAX_EDGES} edges,"
        f" with one of {', '.join(nasbench101.OPERATIONS)} on each inner vertex",
        "Ying et al., NAS-Bench-101, arXiv 1902.09635",
        _UNIQUE,
        _explore_nasbench101,
    ),
    "nasbench201": Description(
        f"cells of {nasbench201.NODES} nodes, with one of {', '.join(nasbench201.OPERATIONS)}"
        f" on each of their {len(nasbench201.EDGES)} edges",
        "Dong & Yang, NAS-Bench-201, arXiv 2001.00326",
        "the encodings",
        _explore_nasbench201,
    ),
    "darts-cnn": Description(
        f"a normal and a reduction cell of {darts_cell.CELL_NODES} nodes, each the sum of two of"
        f" {len(darts_cell.OPERATIONS)} operations on two earlier states",
        "Liu et al., DARTS, arXiv 1806.09055; Li & Talwalkar, arXiv 1902.07638",
        "the encodings with operations 'paper', as `asha-nas asha` does",
        _explore_darts,
    ),
}
"""What there is to tell about."""


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="SPACE", help=", ".join(SPACES))],
    sample: Annotated[int, typer.Option("--sample", min=0, help="How many architectures to draw at random.")] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws them.")] = 0,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw their cells (.svg or .png).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a search space is, how many architectures it has, and show some of them."""
    if name not in SPACES:
        raise UnknownName("space", name, SPACES)
    _check_draw(draw, sample)
    space = SPACES[name]
    counts, draw_one = space.explore()
    rng = np.random.default_rng(seed)
    samples = [draw_one(rng) for _ in range(sample)]
    if draw is not None:
        _draw(name, samples, draw)
    if as_json:
        listed = [{"text": one.text, "identity": one.identity, "parameters": one.parameters} for one in samples]
        print_json(
            {
                "space": name, "about": space.about, "source": space.source,
                "counts": {count.key: count.number for count in counts},
                "sampling": space.sampling, "seed": seed, "samples": listed,
                "drawing": None if draw is None else str(draw),
            }
        )  # fmt: skip
        return
    out.print(f"[bold]{name}[/]: {space.about}")
    out.print(f"source: {space.source}\n", style="dim")
    _print_counts(counts)
    _print_samples(samples, space.sampling, seed)
    if draw is not None:
        out.print(f"\ndrawn in {draw}", markup=False, soft_wrap=True)


def _check_draw(draw: Path | None, sample: int) -> None:
    if draw is None:
        return
    if draw.suffix.lower() not in (".svg", ".png"):
        raise InvalidValue("--draw", str(draw), "must end in .svg or .png")
    if not sample:
        raise InvalidValue("--sample", sample, "leaves nothing to draw", "Give 1 or more, or leave out --draw.")


def _print_counts(counts: Sequence[Count]) -> None:
    shown = [_number(count.number) for count in counts]
    width = max(map(len, shown))
    for number, count in zip(shown, counts, strict=True):
        out.print(f"[bold]{number:>{width}}[/]  {count.words}")


def _number(number: int | None) -> str:
    """All digits, or a power of ten where nobody would read them."""
    if number is None:
        return "not computed"
    if number < 10**12:
        return f"{number:,}"
    mantissa, _, exponent = f"{number:.2e}".partition("e+")
    return f"{mantissa}·10^{int(exponent)}"


def _print_samples(samples: Sequence[Sample], sampling: str, seed: int) -> None:
    if not samples:
        return
    out.print(f"\n{len(samples)} drawn uniformly from {sampling} (seed {seed}):")
    for one in samples:
        out.print(f"[bold]{one.identity}[/]" + ("" if one.parameters is None else f"  {one.parameters:,} parameters"))
        out.print(f"  {one.text}", markup=False, soft_wrap=True)


def _draw(name: str, samples: Sequence[Sample], path: Path) -> None:
    from spaces.drawing import draw  # noqa: PLC0415 - matplotlib takes a while to import

    graphs: list[Any] = [
        replace(graph, title=", ".join(filter(None, [one.identity, graph.title.lower()])))
        for one in samples
        for graph in one.graphs
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(graphs, path, title=name)
