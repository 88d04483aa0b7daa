"""The command doctor: is everything there that a study needs?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import platformdirs
import typer

from asha_nas.cli.options import AddressOption, CheckpointsOption, JsonOption, StoreOption
from asha_nas.cli.output import out, print_json
from asha_nas.cli.show import open_study
from asha_nas.errors import UserError
from asha_nas.provenance import provenance
from asha_nas.store import Store
from asha_nas.study import read_spec

if TYPE_CHECKING:
    from cluster.doctor import Check

_COLOURS = {"ok": "green", "note": "yellow", "bad": "bold red"}


def doctor(
    study: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY|STUDY.toml]", help="Check also what this study needs, begun or not."),
    ] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Check all nodes of a Ray cluster too.")] = False,
    address: AddressOption = None,
    checkpoints: CheckpointsOption = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine, the store, the data sets, and a study's needs; exit code 1 if something must be mended."""
    from cluster.doctor import Check, machine  # noqa: PLC0415 - imports Ray
    from trials import device  # noqa: PLC0415 - imports PyTorch
    from trials.data import catalogue  # noqa: PLC0415

    checks = machine(Path(platformdirs.user_data_dir("asha-nas")))
    version, gpus = device.describe()
    hint = "Give each trial one with --gpus-per-trial 1, or share: 0.5." if gpus else ""
    found = f"{version}, {', '.join(gpus) or 'no GPU: trains on the processor'}"
    checks.append(Check("torch", "ok", found, hint))
    try:
        store = Store(store_url)
        store.check_writable()
        found = f"{store.kind} at {store.url}, {len(store.studies())} studies, can be written"
        checks.append(Check("store", "ok", found))
    except UserError as error:
        if study is not None:
            raise
        found, _, remedy = str(error).partition("\n")
        checks.append(Check("store", "bad", found, remedy))
    else:
        checks += [] if study is None else _of_study(study, store)
    for entry in catalogue.describe():
        missing = entry.state == "missing"
        remedy = f"asha-nas data get {entry.name}, or asha-nas data add {entry.name} ARCHIVE" if missing else ""
        where = f" in {entry.path}" if entry.path else ""
        checks.append(Check(f"data {entry.name}", "note" if missing else "ok", entry.state + where, remedy))
    if cluster:
        checks += _cluster(address, checkpoints)
    bad = any(check.state == "bad" for check in checks)
    if as_json:
        print_json(checks)
    else:
        for check in checks:
            out.print(f"[{_COLOURS[check.state]}]{check.state:>4}[/]  {check.name:<14} {check.found}", soft_wrap=True)
            if check.remedy:
                out.print(f"      {'':<14} {check.remedy}", style="dim", soft_wrap=True)
    if bad:
        raise typer.Exit(1)


def _of_study(study: str, store: Store) -> list[Check]:
    """Checks of a study in the store, or of one in a file."""
    from asha_nas.checkup import check_study  # noqa: PLC0415 - imports Ray

    if study.endswith(".toml"):
        return check_study(read_spec(Path(study)), store)
    _, spec, history = open_study(study, store)
    return check_study(spec, store, history.last_time)


def _cluster(address: str | None, checkpoints: str | None) -> list[Check]:
    """Ask every node of the cluster."""
    from asha_nas.api import default_checkpoints  # noqa: PLC0415 - imports pandas
    from cluster import survey  # noqa: PLC0415 - imports Ray
    from cluster.connection import connected  # noqa: PLC0415

    shared = checkpoints or default_checkpoints()
    if "://" not in shared:
        shared = str(Path(shared).expanduser().absolute())
    with connected(address or os.environ.get("RAY_ADDRESS") or "auto"):
        found = survey.survey(provenance, shared)
    return survey.checks(found, provenance(), shared)
