"""Ray on Kubernetes: objects for the KubeRay operator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cluster import health
from cluster.files.parts import Files, check_counts, check_kubernetes_name, to_yaml
from spaces.errors import InvalidValue


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
    check_kubernetes_name("--name", options.name)
    check_kubernetes_name("--claim", options.claim)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", options.image):
        raise InvalidValue("--image", options.image, "is no name of a container image")
    if not re.fullmatch(r"\d+(\.\d+)?([KMGT]i?)?", options.memory):
        raise InvalidValue("--memory", options.memory, "must be an amount as Kubernetes has it, such as 16Gi")
    most = options.workers if options.max_workers is None else options.max_workers
    check_counts(workers=(options.workers, 0), cpus=(options.cpus, 1), gpus=(options.gpus, 0))
    if most < max(1, options.workers):
        raise InvalidValue("--max-workers", most, f"must be at least --workers ({options.workers}) and 1")
    name, heading = options.name, {"name": options.name, "claim": options.claim}
    cluster = {
        "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": name},
        "spec": _cluster_spec(options, most, study=False),
    }  # fmt: skip
    job = {
        "apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": name},
        "spec": {
            # A plain command: KubeRay pastes it into a shell script of its own, on another pod.
            "entrypoint": f"asha-nas run /study/study.toml --name {name} --resume",
            # Should the cluster be lost, another is started and the study resumed.
            "backoffLimit": 5, "shutdownAfterJobFinishes": True, "ttlSecondsAfterFinished": 600,
            "rayClusterSpec": _cluster_spec(options, most, study=True),
        },
    }  # fmt: skip
    file = f"#     kubectl create configmap {name}-study --from-file=study.toml=STUDY.toml\n"
    return {
        f"{name}-cluster.yaml": _KUBERAY_HEAD.format(what="A Ray cluster for studies", more="", **heading)
        + to_yaml(cluster),
        f"{name}-job.yaml": _KUBERAY_HEAD.format(what="A study on a Ray cluster of its own", more=file, **heading)
        + to_yaml(job),
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
    variables = {"RAY_USAGE_STATS_ENABLED": "0", **health.CHECKS}
    return {
        "containers": [
            {
                "name": container, "image": options.image,
                "env": [{"name": name, "value": value} for name, value in variables.items()] + env,
                "resources": {"requests": dict(resources), "limits": dict(resources)},
                "securityContext": {"allowPrivilegeEscalation": False},
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }  # fmt: skip
