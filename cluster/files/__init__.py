"""Files that put a study on machines of others: SLURM, Kubernetes (KubeRay) and Ray's cluster launcher.

Each function gives texts by file name and writes nothing. None of them holds a secret: tokens are made where the files
are used, and the store's URL, which may hold a password, comes from the environment or from a Kubernetes secret.
"""

from cluster.files.batch import Slurm, slurm
from cluster.files.kubernetes import KubeRay, kuberay
from cluster.files.launcher import Cloud, cloud
from cluster.files.parts import Files

__all__ = ["Cloud", "Files", "KubeRay", "Slurm", "cloud", "kuberay", "slurm"]
