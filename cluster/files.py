"""Files that put a study on machines of others: SLURM, Kubernetes (KubeRay) and Ray's cluster launcher.

Each function gives texts by file name and writes nothing. None of them holds a secret: tokens are made where the files
are used, and the store's URL, which may hold a password, comes from the environment or from a Kubernetes secret.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spaces.errors import InvalidValue, UnknownName

Files = dict[str, str]
"""Texts by file name."""

_TEMPLATES = Path(__file__).parent / "templates"


class _Template(string.Template):
    delimiter = "@"  # the shell has its own use for $


# --- SLURM -----------------------------------------------------------------------------------------


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
    """A batch script; see ``cluster/templates/slurm.sh``.

    Raises:
        InvalidValue: a name or number cannot be part of one.
    """
    for field, value in (("name", options.name), ("partition", options.partition), ("account", options.account)):
        if value is not None:
            _check_word(f"--{field}", value)
    _check_counts(nodes=(options.nodes, 1), cpus=(options.cpus, 1), gpus=(options.gpus, 0), grace=(options.grace, 1))
    if not options.hours * 3600 >= 2 * options.grace:
        raise InvalidValue("--hours", options.hours, f"must be at least twice --grace ({options.grace} s)")
    minutes = int(options.hours * 60)
    more = [f"#SBATCH --{key}={getattr(options, key)}" for key in ("partition", "account") if getattr(options, key)]
    file = f"{options.name}.sbatch"
    text = (_TEMPLATES / "slurm.sh").read_text(encoding="utf-8")
    return {
        file: _Template(text).substitute(
            file=file, name=options.name, nodes=options.nodes, cpus=options.cpus, gpus=options.gpus,
            time=f"{minutes // 60}:{minutes % 60:02}:00", grace=options.grace, more="\n".join(more),
            study=shlex.quote(options.study), shared=shlex.quote(options.shared), setup=options.setup,
        )
    }  # fmt: skip


# --- Kubernetes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeRay:
    """What a Ray cluster on Kubernetes is made of."""

    name: str
    """Of the study, of the Kubernetes objects and, with endings, of their secrets."""
    image: str
    """Container image that has asha-nas and Ray."""
    ray_version: str
    """Of the Ray in it."""
    workers: int = 1
    """Worker pods at the start, and the fewest."""
    max_workers: int | None = None
    """The most; KubeRay's autoscaler starts more while jobs wait. None for no autoscaler."""
    cpus: int = 4
    """Of each worker."""
    gpus: int = 1
    """Of each worker; may be 0."""
    memory: str = "16Gi"
    """Of each worker."""
    claim: str = "checkpoints"
    """PersistentVolumeClaim (ReadWriteMany) for checkpoints, mounted at ``/checkpoints`` on all pods."""


_KUBERAY_HEAD = """\
# {what}. Needs the KubeRay operator, 1.6 or newer, and first of all:
#
#     openssl rand -hex 32 | tr -d '\\n' | kubectl create secret generic {name}-token --from-file=auth_token=/dev/stdin
#     kubectl create secret generic {name}-store --from-file=url=FILE_WITH_THE_STORES_URL
{more}#
# Checkpoints go to /checkpoints, which is the claim {claim}: say so in the study (checkpoints = "/checkpoints").
"""


def kuberay(options: KubeRay) -> Files:
    """A ``RayCluster`` to submit studies to, and a ``RayJob`` that runs one study on a cluster of its own.

    Raises:
        InvalidValue: a name or number cannot be part of one.
    """
    _check_kubernetes_name("--name", options.name)
    _check_kubernetes_name("--claim", options.claim)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", options.image):
        raise InvalidValue("--image", options.image, "is no name of a container image")
    if not re.fullmatch(r"\d+(\.\d+)?([KMGT]i?)?", options.memory):
        raise InvalidValue("--memory", options.memory, "must be an amount as Kubernetes has it, such as 16Gi")
    most = options.workers if options.max_workers is None else options.max_workers
    _check_counts(workers=(options.workers, 0), cpus=(options.cpus, 1), gpus=(options.gpus, 0))
    if most < max(1, options.workers):
        raise InvalidValue("--max-workers", most, f"must be at least --workers ({options.workers}) and 1")
    name, heading = options.name, {"name": options.name, "claim": options.claim}
    cluster = {
        "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": name},
        "spec": _cluster_spec(options, most, study=False),
    }  # fmt: skip
    begin = f"asha-nas run /study/study.toml --name {name}"
    job = {
        "apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": name},
        "spec": {
            "entrypoint": f"if asha-nas show {name} --json > /dev/null 2>&1;"
            f" then exec asha-nas resume {name}; else exec {begin}; fi",
            # Should the cluster be lost, another is started and the study resumed.
            "backoffLimit": 5, "shutdownAfterJobFinishes": True, "ttlSecondsAfterFinished": 600,
            "rayClusterSpec": _cluster_spec(options, most, study=True),
        },
    }  # fmt: skip
    file = f"#     kubectl create configmap {name}-study --from-file=study.toml=STUDY.toml\n"
    return {
        f"{name}-cluster.yaml": _KUBERAY_HEAD.format(what="A Ray cluster for studies", more="", **heading)
        + _yaml(cluster),
        f"{name}-job.yaml": _KUBERAY_HEAD.format(what="A study on a Ray cluster of its own", more=file, **heading)
        + _yaml(job),
    }


def _cluster_spec(options: KubeRay, most: int, *, study: bool) -> dict[str, Any]:
    store = {"name": "ASHA_NAS_STORE", "valueFrom": {"secretKeyRef": {"name": f"{options.name}-store", "key": "url"}}}
    scaling = {"enableInTreeAutoscaling": True} if most > options.workers else {}
    worker = {"cpu": str(options.cpus), "memory": options.memory}
    if options.gpus:
        worker["nvidia.com/gpu"] = str(options.gpus)
    return {
        "rayVersion": options.ray_version,
        "authOptions": {"mode": "token", "secretName": f"{options.name}-token"},
        **scaling,
        "headGroupSpec": {
            # Drivers run here, and the store is theirs alone; trials run elsewhere.
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
            "template": {"spec": _pod(options, "ray-head", {"cpu": "2", "memory": "8Gi"}, [store], study=study)},
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers", "replicas": options.workers, "minReplicas": options.workers,
                "maxReplicas": most, "rayStartParams": {},
                "template": {
                    "spec": {
                        **_pod(options, "ray-worker", worker, [], study=False),
                        "automountServiceAccountToken": False,
                    }
                },
            }
        ],
    }  # fmt: skip


def _pod(
    options: KubeRay, container: str, resources: dict[str, str], env: list[dict[str, Any]], *, study: bool
) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "checkpoints", "persistentVolumeClaim": {"claimName": options.claim}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = [
        {"name": "checkpoints", "mountPath": "/checkpoints"},
        {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - for Ray's object store
    ]
    if study:
        volumes.append({"name": "study", "configMap": {"name": f"{options.name}-study"}})
        mounts.append({"name": "study", "mountPath": "/study"})
    return {
        "containers": [
            {
                "name": container, "image": options.image,
                "env": [{"name": "RAY_USAGE_STATS_ENABLED", "value": "0"}, *env],
                "resources": {"requests": dict(resources), "limits": dict(resources)},
                "securityContext": {"allowPrivilegeEscalation": False},
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }  # fmt: skip


# --- Ray's cluster launcher ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What a Ray cluster of rented machines is made of."""

    name: str
    provider: str
    """``aws`` or ``gcp``."""
    region: str
    """Such as ``us-east-1``, or of GCP with its zone, ``us-central1-a``."""
    project: str | None = None
    """Of GCP."""
    machine: str | None = None
    """Kind of a worker; by default one with one GPU."""
    cpus: int = 8
    """Of a worker, as its kind has them."""
    gpus: int = 1
    """Of a worker, as its kind has them; may be 0."""
    workers: int = 0
    """The fewest."""
    max_workers: int = 8
    spot: bool = False
    """Cheaper machines that may be taken away at any time; studies lose nothing by it but the epoch in work."""
    install: str = "python3 -m pip install asha-nas"
    """Shell line that installs asha-nas and Ray on a machine."""


_MACHINES = {"aws": ("m6i.large", "g5.2xlarge"), "gcp": ("n2-standard-2", "g2-standard-8")}
"""Of head and workers."""

_CLOUD_HEAD = """\
# A Ray cluster of rented machines. Make a token once, then start it, and stop it when you are done:
#
#     ray get-auth-token --generate
#     ray up {file}
#     ray attach {file}       # and there: asha-nas run STUDY.toml, with address = "auto"
#     ray down {file}
#
# Only SSH is open to the world; `ray dashboard {file}` brings the dashboard here. Checkpoints must go to a bucket
# (checkpoints = "s3://..." or "gs://..."); for a store other than a file on the head, set ASHA_NAS_STORE there.
"""


def cloud(options: Cloud) -> Files:
    """A file for ``ray up``.

    Raises:
        UnknownName: there is no such provider.
        InvalidValue: a name or number cannot be part of one.
    """
    if options.provider not in _MACHINES:
        raise UnknownName("provider", options.provider, _MACHINES)
    _check_word("--name", options.name)
    _check_word("--region", options.region)
    _check_counts(cpus=(options.cpus, 1), gpus=(options.gpus, 0), workers=(options.workers, 0))
    if options.max_workers < max(1, options.workers):
        rule = f"must be at least --workers ({options.workers}) and 1"
        raise InvalidValue("--max-workers", options.max_workers, rule)
    head, usual = _MACHINES[options.provider]
    start = "RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start"
    resources = {"CPU": options.cpus, **({"GPU": options.gpus} if options.gpus else {})}
    file = f"{options.name}.yaml"
    values = {
        "cluster_name": options.name, "max_workers": options.max_workers, "idle_timeout_minutes": 10,
        "provider": _provider(options), "auth": {"ssh_user": "ubuntu"},
        "head_node_type": "head",
        "available_node_types": {
            # No trial runs on the head, which is never taken away.
            "head": {"resources": {"CPU": 0}, "node_config": _node(options.provider, head, spot=False)},
            "worker": {
                "min_workers": options.workers, "max_workers": options.max_workers, "resources": resources,
                "node_config": _node(options.provider, options.machine or usual, spot=options.spot),
            },
        },
        "file_mounts": {"~/.ray/auth_token": "~/.ray/auth_token"},
        "setup_commands": ["chmod 600 ~/.ray/auth_token", options.install],
        "head_start_ray_commands": [
            "ray stop",
            f"{start} --head --port=6379 --autoscaling-config=~/ray_bootstrap_config.yaml",
            "grep -q RAY_AUTH_MODE ~/.bashrc || echo 'export RAY_AUTH_MODE=token' >> ~/.bashrc",
        ],
        "worker_start_ray_commands": ["ray stop", f"{start} --address=$RAY_HEAD_IP:6379"],
    }  # fmt: skip
    return {file: _CLOUD_HEAD.format(file=file) + _yaml(values)}


def _provider(options: Cloud) -> dict[str, Any]:
    if options.provider == "aws":
        return {"type": "aws", "region": options.region}
    region, dash, zone = options.region.rpartition("-")
    if not dash or len(zone) != 1:
        raise InvalidValue("--region", options.region, "must end in a zone with GCP", "For example us-central1-a.")
    if options.project is None:
        raise InvalidValue("--project", options.project, "is needed with GCP")
    _check_word("--project", options.project)
    return {"type": "gcp", "region": region, "availability_zone": options.region, "project_id": options.project}


def _node(provider: str, machine: str, *, spot: bool) -> dict[str, Any]:
    _check_word("--machine", machine)
    if provider == "aws":
        disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
        return {"InstanceType": machine, "BlockDeviceMappings": [disk], **market}
    image = "projects/deeplearning-platform-release/global/images/family/common-cu124-ubuntu-2204"
    disk = {
        "boot": True,
        "autoDelete": True,
        "type": "PERSISTENT",
        "initializeParams": {"diskSizeGb": 100, "sourceImage": image},
    }
    scheduling = [{"preemptible": True}] if spot else [{"onHostMaintenance": "TERMINATE"}]
    return {"machineType": machine, "disks": [disk], "scheduling": scheduling}


# --- what they share -------------------------------------------------------------------------------


def _yaml(value: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(value), sort_keys=False, width=120)
    return text


def _check_word(option: str, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise InvalidValue(
            option, value, "must be letters, digits, '.', '_' and '-', beginning with one of the first two"
        )


def _check_kubernetes_name(option: str, value: str) -> None:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", value):
        rule = "must be up to 40 lower-case letters, digits and '-', beginning with a letter and not ending in '-'"
        raise InvalidValue(option, value, rule)


def _check_counts(**counts: tuple[int, int]) -> None:
    for name, (value, least) in counts.items():
        if value < least:
            raise InvalidValue(f"--{name.replace('_', '-')}", value, f"must be at least {least}")
