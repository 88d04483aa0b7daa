"""Rented machines: a file for Ray's cluster launcher, ``ray up``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cluster import health
from cluster.files.parts import Files, check_counts, check_word, to_yaml
from spaces.errors import InvalidValue, UnknownName


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
    image: str | None = None
    """That machines boot: an AMI, or of GCP the path of an image or of a family. By default Ray's own choice, which of
    GCP is one for machines without GPUs."""
    spot: bool = False
    """Cheaper machines that may be taken away at any time; studies lose nothing by it but the epoch in work."""
    install: str = "python3 -m pip install asha-nas"
    """Shell line that installs asha-nas and Ray on a machine."""


_MACHINES = {"aws": ("m6i.large", "g5.2xlarge"), "gcp": ("n2-standard-2", "g2-standard-8")}
"""Of head and workers."""

_GCP_IMAGE = "projects/deeplearning-platform-release/global/images/family/common-cpu"
"""That Ray's own examples have; without drivers for GPUs."""

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
    check_word("--name", options.name)
    check_word("--region", options.region)
    check_counts(cpus=(options.cpus, 1), gpus=(options.gpus, 0), workers=(options.workers, 0))
    if options.max_workers < max(1, options.workers):
        rule = f"must be at least --workers ({options.workers}) and 1"
        raise InvalidValue("--max-workers", options.max_workers, rule)
    if options.image is None and options.provider == "gcp" and options.gpus:
        raise InvalidValue("--image", None, "is needed with GCP and GPUs", "Name an image that has NVIDIA's drivers.")
    if options.image is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", options.image):
        raise InvalidValue("--image", options.image, "is no name of an image")
    head, usual = _MACHINES[options.provider]
    start = f"RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 {health.for_shells()} ray start"
    resources = {"CPU": options.cpus, **({"GPU": options.gpus} if options.gpus else {})}
    file = f"{options.name}.yaml"
    values = {
        "cluster_name": options.name, "max_workers": options.max_workers, "idle_timeout_minutes": 10,
        "provider": _provider(options), "auth": {"ssh_user": "ubuntu"},
        "head_node_type": "head",
        "available_node_types": {
            # No trial runs on the head, which is never taken away.
            "head": {"resources": {"CPU": 0}, "node_config": _node(options, head, spot=False)},
            "worker": {
                "min_workers": options.workers, "max_workers": options.max_workers, "resources": resources,
                "node_config": _node(options, options.machine or usual, spot=options.spot),
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
    return {file: _CLOUD_HEAD.format(file=file) + to_yaml(values)}


def _provider(options: Cloud) -> dict[str, Any]:
    if options.provider == "aws":
        return {"type": "aws", "region": options.region}
    region, dash, zone = options.region.rpartition("-")
    if not dash or len(zone) != 1:
        raise InvalidValue("--region", options.region, "must end in a zone with GCP", "For example us-central1-a.")
    if options.project is None:
        raise InvalidValue("--project", options.project, "is needed with GCP")
    check_word("--project", options.project)
    return {"type": "gcp", "region": region, "availability_zone": options.region, "project_id": options.project}


def _node(options: Cloud, machine: str, *, spot: bool) -> dict[str, Any]:
    check_word("--machine", machine)
    if options.provider == "aws":
        disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}
        image = {"ImageId": options.image} if options.image else {}
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
        return {"InstanceType": machine, **image, "BlockDeviceMappings": [disk], **market}
    boot = {"diskSizeGb": 100, "sourceImage": options.image or _GCP_IMAGE}
    return {
        "machineType": machine,
        "disks": [{"boot": True, "autoDelete": True, "type": "PERSISTENT", "initializeParams": boot}],
        "scheduling": [{"onHostMaintenance": "TERMINATE"}, *([{"preemptible": True}] if spot else [])],
    }
