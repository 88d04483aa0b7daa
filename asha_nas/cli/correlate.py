"""The command that compares one-shot errors with a table's: correlate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from asha_nas.cli.files import check_picture, drawing, make_room, write_csv
from asha_nas.cli.options import JsonOption, NameArgument, StoreOption
from asha_nas.cli.output import err, out, print_json, table
from asha_nas.live import PLAIN_SECONDS
from asha_nas.store import Store

if TYPE_CHECKING:
    from asha_nas.analysis.correlation import Agreement, Coefficients, Measured, Truth
    from asha_nas.analysis.search import Spread
    from asha_nas.correlation import Found, Kept, Plan


def correlate(
    name: NameArgument,
    every: Annotated[
        int | None,
        typer.Option("--every", metavar="K", help="Only epochs that are multiples of K, and the last one."),
    ] = None,
    trial: Annotated[int | None, typer.Option("--trial", metavar="N", help="Only this search.")] = None,
    architectures: Annotated[
        int | None,
        typer.Option(
            "--architectures",
            metavar="N",
            help="Draw so many. Default: all of a space of up to 3,000 (s1), 1,000 of a larger one.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw of architectures.")] = 0,
    images: Annotated[
        int | None,
        typer.Option("--images", metavar="N", help="Measure on so many images; default all of the search part."),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw it (.svg or .png).")
    ] = None,
    csv_path: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every architecture's errors at every epoch.")
    ] = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how well a search's shared weights rank architectures: one-shot errors beside the table's errors.

    Measures many architectures with the weights of each kept epoch, as Figure 3 of NAS-Bench-1Shot1 does (Zela et al.,
    2020).
    """
    picture = draw or drawing(f"{name}-correlation")
    check_picture(picture)
    from asha_nas import api, correlation  # noqa: PLC0415 - imports PyTorch
    from asha_nas.analysis import correlation as numbers  # noqa: PLC0415 - imports SciPy
    from asha_nas.analysis.correlation_plot import draw_correlation  # noqa: PLC0415 - imports matplotlib

    study = api.load(name, store=Store(store_url, create=False))
    plan = correlation.plan(
        study, every=every, trial=trial, architectures=architectures, seed=seed, images=images
    )  # fmt: skip
    for path in filter(None, (picture, csv_path)):
        make_room(path)
    if not as_json:
        _print_plan(name, plan)
    with _shown(plan.work) as progress:
        found = correlation.measure(plan, progress)
    agreements = numbers.agreements(plan.truth, found.measured)
    problem = plan.search
    title = f"{name}: {problem.optimizer} in {problem.space} on {problem.data}"
    draw_correlation(picture, plan.truth, found.measured, agreements, title)
    if csv_path is not None:
        write_csv(csv_path, numbers.columns(plan.truth), numbers.rows(plan.truth, found.measured))
    among = numbers.between_budgets(plan.truth)
    for line in found.left_out:
        err.print(f"left out: {line}", style="yellow", markup=False, soft_wrap=True)
    if as_json:
        print_json(
            _values(name, plan, found, agreements, among)
            | {"seed": seed, "drawing": str(picture), "csv": None if csv_path is None else str(csv_path)}
        )
        return
    _print_agreements(agreements)
    _print_remarks(plan, agreements, among)
    out.print(f"drawn in {picture}", soft_wrap=True, markup=False)
    if csv_path is not None:
        out.print(f"all numbers are in {csv_path}", soft_wrap=True, markup=False)


# --- before and while it runs ----------------------------------------------------------------------


def _print_plan(name: str, plan: Plan) -> None:
    truth, checkpoints, searches = plan.truth, len(plan.kept), len({each.trial for each in plan.kept})
    whole = "all" if truth.count == plan.whole else f"{truth.count:,} of"
    words = f"{name}: {whole} {plan.whole:,} architectures of {plan.search.space}"
    words += f" with the weights of {_counted(checkpoints, 'checkpoint')} of {_counted(searches, 'search')}"
    out.print(f"{words}, beside {plan.search.table}", soft_wrap=True, markup=False)


def _counted(count: int, what: str) -> str:
    ending = "" if count == 1 else "es" if what == "search" else "s"
    return f"{count:,} {what}{ending}"


@contextmanager
def _shown(work: int) -> Iterator[Callable[[Kept, int], None]]:
    """Show how far it is: a bar on a terminal, else a line now and then."""
    if not err.is_terminal:
        yield _lines(work)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=work)
        yield lambda kept, done: bar.update(task, advance=done, description=_at(kept))


def _lines(work: int) -> Callable[[Kept, int], None]:
    state = {"done": 0, "last": time.monotonic()}

    def progress(kept: Kept, done: int) -> None:
        state["done"] += done
        if time.monotonic() - state["last"] >= PLAIN_SECONDS:
            state["last"] = time.monotonic()
            err.print(f"{_at(kept)}: {state['done']:,} of {work:,} measured", soft_wrap=True)

    return progress


def _at(kept: Kept) -> str:
    return f"trial {kept.trial}, epoch {kept.epoch}"


# --- what came of it -------------------------------------------------------------------------------


def _print_agreements(agreements: Sequence[Agreement]) -> None:
    """Rows are epochs, columns budgets of the table."""
    tests = [one for one in agreements if one.split == "test"]
    table_budgets = sorted({one.table_budget for one in tests})
    out.print(
        "rank correlation of one-shot error and test error, by how long the table's networks were trained:\n"
        "Spearman's ρ (Kendall's τ); sparse τ: with test errors rounded to 0.1 %, after the longest training",
        style="dim", soft_wrap=True, markup=False,
    )  # fmt: skip
    heads = ["epoch", *(_counted(budget, "epoch") for budget in table_budgets), "sparse τ"]
    budgets = sorted({one.budget for one in tests})
    for budget in budgets:
        if len(budgets) > 1:
            out.print(f"searches of {_counted(budget, 'epoch')}")
        _print_budget(heads, [one for one in tests if one.budget == budget])


def _print_budget(heads: list[str], found: Sequence[Agreement]) -> None:
    by_epoch = {
        epoch: sorted((one for one in found if one.epoch == epoch), key=lambda one: one.table_budget)
        for epoch in sorted({one.epoch for one in found})
    }
    rows = [
        [epoch, *(_coefficient(one) for one in row), _two(row[-1].sparse_kendall)] for epoch, row in by_epoch.items()
    ]
    out.print(table(heads, rows, right=tuple(heads)))
    most = max(one.searches for one in found)
    for epoch, row in by_epoch.items():
        if row[-1].searches < most:
            out.print(f"epoch {epoch}: {row[-1].searches} of {most} searches", style="dim")


def _coefficient(one: Agreement) -> str | None:
    if one.spearman is None or one.kendall is None:
        return None
    return f"{_spread(one.spearman)} ({_two(one.kendall.mean)})"


def _spread(found: Spread) -> str:
    return _two(found.mean) + (f" ± {found.std:.2f}" if found.seeds > 1 else "")


def _two(value: float) -> str:
    return "·" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def _print_remarks(plan: Plan, agreements: Sequence[Agreement], among: dict[int, Coefficients]) -> None:
    longest = max(plan.truth.test)
    for budget, each in among.items():
        words = f"for comparison: the table's own test errors at {budget} and at {longest} epochs have"
        out.print(f"{words} ρ {_two(each.spearman)} ({_two(each.kendall)})", style="dim", soft_wrap=True)
    if any(one.spearman is None or one.spearman.seeds < one.searches for one in agreements):
        words = "all architectures have the same error in some search, for which no correlation is defined"
        out.print(f"note: {words}; it is left out of the means", style="yellow", soft_wrap=True)
    for remark in plan.remarks:
        out.print(f"note: {remark}", style="dim", markup=False)


def _values(
    name: str, plan: Plan, found: Found, agreements: Sequence[Agreement], among: dict[int, Coefficients]
) -> dict[str, Any]:
    """All of it but the single errors, for programs."""
    return {
        "study": name, "optimizer": plan.search.optimizer, "space": plan.search.space, "table": plan.search.table,
        "architectures": {"measured": plan.truth.count, "space": plan.whole},
        "images": found.images, "batch_norm": "batch",
        "correlations": list(agreements),
        "table_budgets": [{"table_budget": budget, "coefficients": each} for budget, each in among.items()],
        "searches": [_search(plan.truth, one) for one in found.measured],
        "left_out": found.left_out, "remarks": plan.remarks,
    }  # fmt: skip


def _search(truth: Truth, one: Measured) -> dict[str, Any]:
    from asha_nas.analysis.correlation import coefficients  # noqa: PLC0415 - imports SciPy

    correlations = [
        {"split": split, "table_budget": budget, "coefficients": coefficients(one.errors[truth.counted], true)}
        for split, by_budget in truth.splits()
        for budget, true in ((budget, errors[truth.counted]) for budget, errors in by_budget.items())
    ]
    cells = [
        {
            "cell": which, "hash": truth.hashes[place], "one_shot_error": float(one.errors[place]),
            "test_error": float(truth.test[max(truth.test)][place]),
        }
        for which, place in (("chosen", one.chosen), ("best", truth.best))
    ]  # fmt: skip
    return {
        "trial": one.trial, "seed": one.seed, "budget": one.budget, "epoch": one.epoch, "correlations": correlations,
        "cells": cells,
    }  # fmt: skip
