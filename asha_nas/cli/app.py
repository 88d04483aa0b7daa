"""The commands together, and what holds for all of them: exit codes and plain errors."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from asha_nas import logs
from asha_nas.cli import (
    bohb,
    cluster,
    cluster_files,
    compare,
    correlate,
    data,
    doctor,
    follow,
    run,
    search,
    show,
    simulate,
    space,
    submit,
    table,
    transfer,
)
from asha_nas.cli.output import err
from asha_nas.engines.stopping import sigterm_as_ctrl_c
from asha_nas.errors import PackagesOverwritten, UserError

app = typer.Typer(
    name="asha-nas",
    help="Hyperparameter optimization for neural architecture search: promotion ASHA on Ray, crash-proof.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_START, _READ, _PREPARE = "Start and go on", "Look at results", "Prepare"
app.command("asha", rich_help_panel=_START)(run.asha)
app.command("bohb", rich_help_panel=_START)(bohb.bohb)
app.command("search", rich_help_panel=_START)(search.search)
app.command("run", rich_help_panel=_START)(run.run)
app.command("simulate", rich_help_panel=_START)(simulate.simulate)
app.command("resume", rich_help_panel=_START)(run.resume)
app.command("evaluate", rich_help_panel=_START)(run.evaluate)
app.command("transfer", rich_help_panel=_START)(transfer.transfer)
app.command("submit", rich_help_panel=_START)(submit.submit)
app.command("cancel", rich_help_panel=_START)(follow.cancel)
app.command("ls", rich_help_panel=_READ)(show.ls)
app.command("show", rich_help_panel=_READ)(show.show)
app.command("best", rich_help_panel=_READ)(show.best)
app.command("explain", rich_help_panel=_READ)(show.explain)
app.command("logs", rich_help_panel=_READ)(follow.logs)
app.command("compare", rich_help_panel=_READ)(compare.compare)
app.command("correlate", rich_help_panel=_READ)(correlate.correlate)
app.add_typer(data.app, name="data", rich_help_panel=_PREPARE)
app.add_typer(table.app, name="table", rich_help_panel=_PREPARE)
app.add_typer(space.app, name="space", rich_help_panel=_PREPARE)
cluster.app.add_typer(cluster_files.app, name="files")
app.add_typer(cluster.app, name="cluster", rich_help_panel=_PREPARE)
app.command("doctor", rich_help_panel=_PREPARE)(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asha-nas {metadata.version('asha-nas')}")
        raise typer.Exit


@app.callback()
def _all(
    _shown: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", envvar="ASHA_NAS_LOG", help="Log to its end, as JSON lines.")
    ] = None,
) -> None:
    """Options before a command."""
    if log_file is not None:
        logs.write_to_file(log_file)


def main() -> None:
    """Run the command line. Exit codes: 0 well, 1 a defect, 2 a mistake told in plain words, 130 Ctrl-C or SIGTERM."""
    try:
        with sigterm_as_ctrl_c():
            check_packages()
            app(prog_name="asha-nas")
    except UserError as error:
        err.print(f"[bold red]asha-nas:[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("asha-nas: interrupted")
        sys.exit(130)


def check_packages() -> None:
    """Make sure that our package names, which are plain words, are ours.

    Raises:
        PackagesOverwritten: one of them is another distribution's.
    """
    home = Path(__file__).resolve().parents[2]
    for name in ("trials", "spaces", "cluster"):
        found = Path(importlib.import_module(name).__file__ or "").resolve()
        if found.parent.parent != home:
            raise PackagesOverwritten(
                f"package {name!r} is not ours: Python finds it in {found.parent}\n"
                "Install asha-nas in an environment of its own, and run it outside that folder."
            )


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
