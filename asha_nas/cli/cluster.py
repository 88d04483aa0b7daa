"""Commands about a Ray cluster of one's own: cluster start, join, status, stop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from asha_nas.cli.options import JsonOption
from asha_nas.cli.output import err, out, print_json, size, table
from asha_nas.errors import UserError
from cluster import launch, loopback, nodes
from cluster.nodes import Node

app = typer.Typer(help="A Ray cluster of one's own: start, join, status, stop.", no_args_is_help=True)

NodeCpus = Annotated[int | None, typer.Option("--cpus", min=0, help="CPUs that it offers; all by default.")]
NodeGpus = Annotated[int | None, typer.Option("--gpus", min=0, help="GPUs that it offers; all by default.")]
NodeName = Annotated[str | None, typer.Option("--name", help="Name of the node.")]
TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="The cluster's token; by default Ray's ~/.ray/auth_token."),
]


@app.command()
def start(
    head: Annotated[bool, typer.Option("--head", help="Begin a cluster with this machine as its head.")] = False,
    address: Annotated[
        str, typer.Option("--address", metavar="IP", help="This machine's, by which the others reach it.")
    ] = loopback.ADDRESS,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="That others join at; 0 for a free one.")
    ] = 6379,
    cpus: NodeCpus = None,
    gpus: NodeGpus = None,
    dashboard: Annotated[bool, typer.Option(help="Ray's dashboard, which takes submitted studies too.")] = True,
    dashboard_host: Annotated[
        str, typer.Option("--dashboard-host", metavar="IP", help="Address that the dashboard listens at.")
    ] = loopback.ADDRESS,
    dashboard_port: Annotated[
        int, typer.Option("--dashboard-port", min=0, max=65535, help="Its port; 0 for a free one.")
    ] = 8265,
    name: NodeName = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a cluster on this machine, with a token, and on loopback unless --address says otherwise."""
    if not head:
        rule = "begins a cluster; asha-nas cluster join ADDRESS adds a machine to one"
        raise typer.BadParameter(rule, param_hint="--head")
    for warning in launch.exposure(address, dashboard_host if dashboard else None):
        err.print(f"[yellow]note:[/] {warning}", soft_wrap=True)
    node = launch.start_head(
        address, port=port, cpus=cpus, gpus=gpus, dashboard=dashboard, dashboard_host=dashboard_host,
        dashboard_port=dashboard_port, name=name, token_file=token_file,
    )  # fmt: skip
    if as_json:
        print_json(_shown(node))
        return
    out.print(f"[bold]{node.name}[/] runs: cluster {node.cluster}", soft_wrap=True)
    if node.dashboard:
        out.print(f"dashboard: http://{node.dashboard} (it asks for the token)", soft_wrap=True)
    out.print(f"token: {node.token_file or 'as in RAY_AUTH_TOKEN'}", soft_wrap=True)
    where = "this machine, which alone reaches it" if loopback.is_loopback(address) else "a machine with the token file"
    out.print(f"\nadd a node, on {where}: [bold]asha-nas cluster join {node.cluster}[/]", soft_wrap=True)
    if node.dashboard:
        out.print("hand it a study: [bold]asha-nas submit STUDY.toml[/]")
    out.print(f"stop it: [bold]asha-nas cluster stop {node.name}[/]", soft_wrap=True)


@app.command()
def join(
    cluster: Annotated[str, typer.Argument(metavar="ADDRESS", help="HOST:PORT of the cluster's head.")],
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="IP", help="This machine's, by which the others reach it; found out."),
    ] = None,
    cpus: NodeCpus = None,
    gpus: NodeGpus = None,
    name: NodeName = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add this machine to a cluster. The head's token file must be here, readable by you alone."""
    node = launch.join(cluster, address=address, cpus=cpus, gpus=gpus, name=name, token_file=token_file)
    for warning in launch.exposure(node.address, None):
        err.print(f"[yellow]note:[/] {warning}", soft_wrap=True)
    if as_json:
        print_json(_shown(node))
        return
    out.print(f"[bold]{node.name}[/] runs at {node.address}, a node of {node.cluster}", soft_wrap=True)
    out.print(f"take it away again: [bold]asha-nas cluster stop {node.name}[/]", soft_wrap=True)


@app.command()
def status(
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="Of the head; by default this machine's cluster."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a cluster's nodes: what they offer, their versions, and which are dead."""
    from cluster.status import look  # noqa: PLC0415 - imports Ray

    try:
        found = look(address)
    except UserError:
        if not as_json:
            _print_ended()
        raise
    if as_json:
        print_json({**dataclasses.asdict(found), "here": [_shown(node) for node in nodes.known()]})
        return
    alive = sum(node.alive for node in found.nodes)
    used = f"{found.cpus_used:g} of {found.cpus:g} CPUs, {found.gpus_used:g} of {found.gpus:g} GPUs in use"
    out.print(f"cluster [bold]{found.address}[/]: {alive} node{'s' * (alive != 1)}, {used}", soft_wrap=True)
    if found.dashboard:
        out.print(f"dashboard: http://{found.dashboard}", soft_wrap=True)
    here = {node.name: node.pid for node in nodes.here() if node.cluster == found.address}
    rows = [
        [
            node.name, node.role, node.address, node.host, "alive" if node.alive else "dead", f"{node.cpus:g}",
            f"{node.gpus:g}", size(node.memory), " ".join(node.versions.values()) or None, here.get(node.name),
        ]
        for node in found.nodes
    ]  # fmt: skip
    columns = [
        "node",
        "role",
        "address",
        "host",
        "state",
        "CPUs",
        "GPUs",
        "memory",
        "asha-nas, Ray, Python",
        "pid here",
    ]
    out.print()
    out.print(table(columns, rows, right=("CPUs", "GPUs", "memory", "pid here")))
    for node in found.nodes:
        if not node.alive and node.reason:
            out.print(f"{node.name}: {node.reason}", style="dim", markup=False, soft_wrap=True)
    _print_ended()


@app.command()
def stop(
    name: Annotated[str | None, typer.Argument(metavar="[NODE]", help="Which; needless if there is but one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All nodes that were started on this machine.")] = False,
) -> None:
    """Stop nodes of this machine that asha-nas started, and nothing else."""
    if everything and not nodes.known():
        out.print("no node runs here")
    # Workers first: one whose head is gone takes a while to notice.
    for node in reversed(nodes.known()) if everything else [nodes.find(name)]:
        ran = nodes.stop(node)
        out.print(f"{node.name} (pid {node.pid}) {'is stopped' if ran else 'had ended by itself'}", soft_wrap=True)


def _print_ended() -> None:
    for node in nodes.known():
        if not node.is_alive:
            words = f"{node.name} of {node.cluster} has ended by itself; see why: {node.log}"
            out.print(words, style="yellow", markup=False, soft_wrap=True)


def _shown(node: Node) -> dict[str, object]:
    return {**dataclasses.asdict(node), "alive": node.is_alive, "environment": nodes.shown_environment(node)}
