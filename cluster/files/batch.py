"""A batch script for SLURM; the text itself is ``slurm.sh``, beside this module."""

from __future__ import annotations

import shlex
import string
from dataclasses import dataclass
from pathlib import Path

from cluster import health
from cluster.files.parts import Files, check_counts, check_word
from spaces.errors import InvalidValue


class _Template(string.Template):
    delimiter = "@"  # the shell has its own use for $


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """What a SLURM job asks for."""

    name: str
    """Of the study and of the job."""
    study: str
    """Path of the study's TOML file, as the nodes see it."""
    shared: str
    """Folder that all nodes see; the cluster's token is there while the job runs."""
    nodes: int = 1
    cpus: int = 8
    """Of each node."""
    gpus: int = 1
    """Of each node; may be 0."""
    hours: float = 24.0
    """Time limit of one run of the job; it queues itself again until the study is over."""
    grace: int = 300
    """Seconds before the time limit at which the study is interrupted."""
    partition: str | None = None
    account: str | None = None
    setup: str = ""
    """Shell line that makes the commands ``asha-nas`` and ``ray`` available."""


def slurm(options: Slurm) -> Files:
    """A batch script; see ``slurm.sh``.

    Raises:
        InvalidValue: a name or number cannot be part of one.
    """
    for field, value in (("name", options.name), ("partition", options.partition), ("account", options.account)):
        if value is not None:
            check_word(f"--{field}", value)
    check_counts(nodes=(options.nodes, 1), cpus=(options.cpus, 1), gpus=(options.gpus, 0), grace=(options.grace, 1))
    if not options.hours * 3600 >= 2 * options.grace:
        raise InvalidValue("--hours", options.hours, f"must be at least twice --grace ({options.grace} s)")
    minutes = int(options.hours * 60)
    more = [f"#SBATCH --{key}={getattr(options, key)}" for key in ("partition", "account") if getattr(options, key)]
    file = f"{options.name}.sbatch"
    text = Path(__file__).with_name("slurm.sh").read_text(encoding="utf-8")
    return {
        file: _Template(text).substitute(
            file=file, name=options.name, nodes=options.nodes, cpus=options.cpus, gpus=options.gpus,
            time=f"{minutes // 60}:{minutes % 60:02}:00", grace=options.grace, patience=4 * options.grace // 5,
            health=health.for_shells(),
            more="\n".join(more),
            study=shlex.quote(options.study), shared=shlex.quote(options.shared), setup=options.setup,
        )
    }  # fmt: skip
