"""KubeRay's forms (`ray.io/v1`, operator 1.6), as far as our files may use them; names that are not listed are refused.

Written down from the operator's API reference: the fields of RayCluster and RayJob in full, those of pods as needed.
"""

COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string", "minLength": 1}
NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?([KMGT]i?|m)?$"}
WORDS = {"type": "object", "additionalProperties": {"type": "string"}}


def fields(required, **optional):
    """An object of exactly these fields."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


ANY, FLAG = {}, {"type": "boolean"}
KEY = fields({"name": NAME, "key": TEXT})
VARIABLE = fields({"name": TEXT}, value={"type": "string"}, valueFrom=fields({"secretKeyRef": KEY}))
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
CONTAINER = fields(
    {"name": NAME, "image": TEXT, "resources": fields({"limits": QUANTITIES, "requests": QUANTITIES})},
    env={"type": "array", "items": VARIABLE},
    securityContext=fields({}, allowPrivilegeEscalation=FLAG),
    volumeMounts={"type": "array", "items": fields({"name": NAME, "mountPath": TEXT})},
)
VOLUME = fields(
    {"name": NAME},
    persistentVolumeClaim=fields({"claimName": NAME}),
    emptyDir=fields({}, medium={"const": "Memory"}),
    configMap=fields({"name": NAME}),
)
POD = fields(
    {"containers": {"type": "array", "minItems": 1, "items": CONTAINER}},
    volumes={"type": "array", "items": VOLUME},
    automountServiceAccountToken=FLAG,
)
TEMPLATE = fields({"spec": POD}, metadata=ANY)
HEAD = fields(
    {"template": TEMPLATE},
    rayStartParams=WORDS, enableIngress=FLAG, headService=ANY, labels=WORDS, resources=WORDS, serviceType=TEXT,
)  # fmt: skip
GROUP = fields(
    {"groupName": TEXT, "template": TEMPLATE, "maxReplicas": COUNT, "minReplicas": COUNT},
    rayStartParams=WORDS, replicas=COUNT, idleTimeoutSeconds=COUNT, labels=WORDS, numOfHosts=COUNT, resources=WORDS,
    scaleStrategy=ANY, suspend=FLAG,
)  # fmt: skip
CLUSTER_SPEC = fields(
    {"headGroupSpec": HEAD},
    authOptions=fields({}, mode={"enum": ["disabled", "token"]}, secretName=NAME, enableK8sTokenAuth=FLAG),
    autoscalerOptions=ANY, enableInTreeAutoscaling=FLAG, gcsFaultToleranceOptions=ANY, headServiceAnnotations=WORDS,
    managedBy=TEXT, rayVersion=TEXT, suspend=FLAG, upgradeStrategy=ANY,
    workerGroupSpecs={"type": "array", "items": GROUP},
)  # fmt: skip
JOB_SPEC = fields(
    {"entrypoint": TEXT, "rayClusterSpec": CLUSTER_SPEC},
    activeDeadlineSeconds=COUNT, backoffLimit=COUNT, clusterSelector=WORDS, deletionStrategy=ANY,
    entrypointNumCpus=ANY, entrypointNumGpus=ANY, entrypointResources=TEXT, jobId=TEXT, managedBy=TEXT, metadata=WORDS,
    runtimeEnvYAML=TEXT, shutdownAfterJobFinishes=FLAG, submissionMode=TEXT, submitterConfig=ANY,
    submitterPodTemplate=ANY, suspend=FLAG, ttlSecondsAfterFinished=COUNT,
)  # fmt: skip


def _kind(kind, spec):
    return fields({"apiVersion": {"const": "ray.io/v1"}, "kind": {"const": kind},
                   "metadata": fields({"name": NAME}, namespace=NAME, labels=WORDS), "spec": spec})  # fmt: skip


RAY_CLUSTER, RAY_JOB = _kind("RayCluster", CLUSTER_SPEC), _kind("RayJob", JOB_SPEC)
