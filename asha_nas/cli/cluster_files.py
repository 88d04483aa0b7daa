"""Commands that write files for machines of others: cluster files slurm, kuberay, cloud, grafana."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from asha_nas.cli.files import make_room, not_written
from asha_nas.cli.output import out
from cluster import dashboard, files

app = typer.Typer(
    help="Write files for SLURM, Kubernetes (KubeRay), Ray's cluster launcher and Grafana.", no_args_is_help=True
)

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder they are written to.")]
NameOption = Annotated[str, typer.Option("--name", help="Name of the study, and of what is made for it.")]
CpusOption = Annotated[int, typer.Option("--cpus", help="CPUs of each node.")]
GpusOption = Annotated[int, typer.Option("--gpus", help="GPUs of each node; may be 0.")]


@app.command()
def slurm(
    study: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study, as the nodes see it.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the study; by default the file's.")] = None,
    shared: Annotated[
        Path | None, typer.Option("--shared", metavar="DIR", help="Folder all nodes see; by default the study file's.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", help="Nodes.")] = 1,
    cpus: CpusOption = 8,
    gpus: GpusOption = 1,
    hours: Annotated[float, typer.Option("--hours", help="Time limit of one run; it queues itself again.")] = 24.0,
    grace: Annotated[int, typer.Option("--grace", help="Seconds before the limit at which it is interrupted.")] = 300,
    partition: Annotated[str | None, typer.Option("--partition", help="SLURM partition.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="SLURM account.")] = None,
    setup: Annotated[
        str, typer.Option("--setup", help="Shell line before all else, such as: source venv/bin/activate")
    ] = "",
    out_dir: OutOption = Path(),
) -> None:
    """A batch script: a Ray cluster inside one SLURM job, which goes on where it was whenever it starts again."""
    path = study.absolute()
    options = files.Slurm(
        name=name or study.stem, study=str(path), shared=str((shared or path.parent).absolute()), nodes=nodes,
        cpus=cpus, gpus=gpus, hours=hours, grace=grace, partition=partition, account=account, setup=setup,
    )  # fmt: skip
    _write(files.slurm(options), out_dir)


@app.command()
def kuberay(
    image: Annotated[str, typer.Option("--image", help="Container image that has asha-nas.")],
    name: NameOption = "asha-nas",
    workers: Annotated[int, typer.Option("--workers", help="Worker pods.")] = 1,
    max_workers: Annotated[int | None, typer.Option("--max-workers", help="The most, with the autoscaler.")] = None,
    cpus: CpusOption = 4,
    gpus: GpusOption = 1,
    memory: Annotated[str, typer.Option("--memory", help="Memory of each worker.")] = "16Gi",
    claim: Annotated[str, typer.Option("--claim", help="Volume claim for checkpoints, ReadWriteMany.")] = "checkpoints",
    ray_version: Annotated[str | None, typer.Option("--ray-version", help="Ray's in the image.")] = None,
    out_dir: OutOption = Path(),
) -> None:
    """A RayCluster to submit studies to, and a RayJob that runs one study; the token and the store are secrets."""
    options = files.KubeRay(
        name=name, image=image, workers=workers, max_workers=max_workers, cpus=cpus, gpus=gpus, memory=memory,
        claim=claim, ray_version=ray_version or metadata.version("ray"),
    )  # fmt: skip
    _write(files.kuberay(options), out_dir)


@app.command()
def cloud(
    provider: Annotated[str, typer.Option("--provider", help="aws or gcp.")] = "aws",
    region: Annotated[
        str, typer.Option("--region", help="Region; of GCP the zone, such as us-central1-a.")
    ] = "us-east-1",
    project: Annotated[str | None, typer.Option("--project", help="Project, of GCP.")] = None,
    name: NameOption = "asha-nas",
    machine: Annotated[
        str | None, typer.Option("--machine", help="Kind of a worker; by default one with a GPU.")
    ] = None,
    cpus: CpusOption = 8,
    gpus: GpusOption = 1,
    workers: Annotated[int, typer.Option("--workers", help="The fewest workers.")] = 0,
    max_workers: Annotated[int, typer.Option("--max-workers", help="The most workers.")] = 8,
    image: Annotated[str | None, typer.Option("--image", help="What machines boot; needed for GPUs of GCP.")] = None,
    spot: Annotated[bool, typer.Option("--spot", help="Cheaper machines that may be taken away.")] = False,
    install: Annotated[
        str, typer.Option("--install", help="Shell line that installs asha-nas.")
    ] = "python3 -m pip install asha-nas",
    out_dir: OutOption = Path(),
) -> None:
    """A file for ``ray up``: a cluster of rented machines that grows and shrinks with the work."""
    options = files.Cloud(
        name=name, provider=provider, region=region, project=project, machine=machine, cpus=cpus, gpus=gpus,
        workers=workers, max_workers=max_workers, image=image, spot=spot, install=install,
    )  # fmt: skip
    _write(files.cloud(options), out_dir)


@app.command()
def grafana(out_dir: OutOption = Path()) -> None:
    """The Grafana dashboard of studies."""
    _write({dashboard.FILE.name: dashboard.text()}, out_dir)


def _write(texts: files.Files, folder: Path) -> None:
    for name, text in texts.items():
        path = folder / name
        make_room(path)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise not_written(path, error) from error
        out.print(str(path), soft_wrap=True)
