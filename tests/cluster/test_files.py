"""Files for SLURM, KubeRay and Ray's launcher: of the right form, without secrets; and a batch job that is run."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from cluster import files
from spaces.errors import InvalidValue, UnknownName
from tests.cluster.kuberay_schema import RAY_CLUSTER, RAY_JOB

# --- SLURM -----------------------------------------------------------------------------------------


def batch(**more):
    options = {"name": "first", "study": "/home/me/my study.toml", "shared": "/home/me", "nodes": 3, **more}
    [(name, text)] = files.slurm(files.Slurm(**options)).items()
    assert name == "first.sbatch"
    return text


def directives(text):
    lines = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    return dict(line.partition("=")[::2] for line in lines)


def test_what_a_batch_script_asks_for():
    text = batch(hours=1.5, grace=120, partition="gpu", cpus=6, gpus=2)
    assert directives(text) == {
        "job-name": "first", "nodes": "3", "ntasks-per-node": "1", "cpus-per-task": "6", "gpus-per-node": "2",
        "time": "1:30:00", "signal": "B:TERM@120", "requeue": "", "open-mode": "append", "output": "%x-%j.log",
        "partition": "gpu",
    }  # fmt: skip
    before_code = text.split("set -euo")[0]
    assert before_code.count("#SBATCH") == text.count("#SBATCH")  # SLURM reads none after the first command
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert "@" not in text.replace("B:TERM@120", "")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "x; rm -rf ~"}, "--name"), ({"partition": "a b"}, "--partition"), ({"nodes": 0}, "--nodes"),
        ({"hours": 0.1}, "--hours"), ({"account": "a\n#SBATCH --x"}, "--account"), ({"hours": float("nan")}, "--hours"),
    ],
)  # fmt: skip
def test_a_batch_script_is_not_made_of_anything(change, complaint):
    with pytest.raises(InvalidValue, match=f"^{complaint} "):
        batch(**change)


COMMANDS = {  # what the script calls, for want of a SLURM; each writes down how it was called
    "scontrol": 'case "$1" in show) printf "n1\\nn2\\nn3\\n";; esac',
    "getent": 'echo "10.0.0.1 STREAM n1"',
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "ray": 'case "$1" in start) exec sleep 60;; esac',
    "asha-nas": """case "$1" in
    show) [ -e "$HOME/known" ];;
    *) trap 'exit 130' TERM
       touch "$HOME/running"; while [ ! -e "$HOME/done" ]; do sleep 0.05; done;;
esac""",
}


@pytest.fixture
def slurm(tmp_path):
    """Runs a batch script in a home of its own; the fake commands log to ``calls``."""
    for name, body in COMMANDS.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/bash\necho "{name} $*" >> "$HOME/calls"\n{body}\n')
        command.chmod(0o755)
    (tmp_path / "job.sh").write_text(batch(study="/home/me/my study.toml", shared=str(tmp_path)))
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "SLURM_JOB_ID": "7123",
        "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3",
    }  # fmt: skip
    process = subprocess.Popen(
        ["bash", str(tmp_path / "job.sh")], env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    yield tmp_path, process
    process.stderr.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def test_a_batch_job_runs_a_study_on_all_its_nodes(slurm):
    home, process = slurm
    wait_until((home / "running").exists)
    token = home / ".asha-nas-token-7123"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    secret = token.read_text()
    assert len(secret) == 64 and int(secret, 16)
    (home / "done").touch()
    assert process.wait(30) == 0, process.stderr.read()
    calls = (home / "calls").read_text()
    assert secret not in calls and not token.exists()
    started = [line for line in calls.splitlines() if line.startswith("srun")]
    assert len(started) == 2
    head = next(line for line in started if "--head" in line)
    assert "--nodelist=n1" in head and "--node-ip-address=10.0.0.1 --port=27123" in head
    [workers] = [line for line in started if line is not head]
    assert "--nodes=2 --ntasks=2 --exclude=n1" in workers and "--address=10.0.0.1:27123" in workers
    assert "asha-nas run /home/me/my study.toml --name first" in calls
    assert "requeue" not in calls


def test_before_its_time_is_up_a_batch_job_interrupts_the_study_and_queues_again(slurm):
    home, process = slurm
    wait_until((home / "running").exists)
    os.kill(process.pid, signal.SIGTERM)  # as --signal=B:TERM: to the script alone
    assert process.wait(30) == 130
    calls = (home / "calls").read_text()
    assert calls.splitlines()[-1] == "scontrol requeue 7123"
    assert not (home / ".asha-nas-token-7123").exists()


def test_a_batch_job_that_starts_again_resumes(slurm):
    home, process = slurm
    (home / "known").touch()
    wait_until((home / "running").exists)
    (home / "done").touch()
    assert process.wait(30) == 0
    assert "asha-nas resume first" in (home / "calls").read_text()


# --- Kubernetes ------------------------------------------------------------------------------------


def kuberay(**more):
    made = files.kuberay(files.KubeRay(name="first", image="example.org/nas:1", ray_version="2.60.0", **more))
    assert list(made) == ["first-cluster.yaml", "first-job.yaml"]
    return made


@pytest.mark.parametrize("more", [{}, {"workers": 0, "max_workers": 9}, {"gpus": 0, "memory": "512Mi", "cpus": 1}])
def test_kuberay_takes_the_files(more):
    made = kuberay(**more)
    jsonschema.validate(yaml.safe_load(made["first-cluster.yaml"]), RAY_CLUSTER)
    jsonschema.validate(yaml.safe_load(made["first-job.yaml"]), RAY_JOB)


def pods(cluster):
    head = cluster["headGroupSpec"]["template"]["spec"]
    return head, [group["template"]["spec"] for group in cluster["workerGroupSpecs"]]


def test_secrets_come_from_secrets_and_the_store_is_the_heads_alone():
    for text in kuberay().values():
        spec = yaml.safe_load(text)["spec"]
        cluster = spec.get("rayClusterSpec", spec)
        assert cluster["authOptions"] == {"mode": "token", "secretName": "first-token"}
        head, workers = pods(cluster)
        stores = [each for each in head["containers"][0]["env"] if each["name"] == "ASHA_NAS_STORE"]
        reference = {"secretKeyRef": {"name": "first-store", "key": "url"}}
        assert stores == [{"name": "ASHA_NAS_STORE", "valueFrom": reference}]
        assert not any("STORE" in json.dumps(worker) for worker in workers)


def test_every_mount_has_its_volume_and_all_pods_see_the_checkpoints():
    spec = yaml.safe_load(kuberay()["first-job.yaml"])["spec"]
    head, workers = pods(spec["rayClusterSpec"])
    for pod in (head, *workers):
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
        assert mounts["checkpoints"] == "/checkpoints"
    assert "/study/study.toml" in spec["entrypoint"] and any(v["name"] == "study" for v in head["volumes"])


@pytest.mark.parametrize(("known", "expected"), [(True, "resume first"), (False, "run /study/study.toml --name first")])
def test_the_entrypoint_resumes_a_study_that_was_begun(known, expected, tmp_path):
    entrypoint = yaml.safe_load(kuberay()["first-job.yaml"])["spec"]["entrypoint"]
    command = tmp_path / "asha-nas"
    command.write_text(f'#!/bin/sh\n[ "$1" = show ] && exit {int(not known)}\necho "$@"\n')
    command.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", entrypoint], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_scaling_is_on_only_where_there_is_something_to_scale():
    def spec(**more):
        return yaml.safe_load(kuberay(**more)["first-cluster.yaml"])["spec"]

    assert "enableInTreeAutoscaling" not in spec(workers=3)
    scaled = spec(workers=1, max_workers=4)
    assert scaled["enableInTreeAutoscaling"] is True
    [group] = scaled["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (1, 4)
    assert group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "No_Such"}, "--name"), ({"image": "a b"}, "--image"), ({"memory": "many"}, "--memory"),
        ({"workers": 3, "max_workers": 2}, "--max-workers"), ({"workers": 0}, "--max-workers"), ({"cpus": 0}, "--cpus"),
    ],
)  # fmt: skip
def test_kubernetes_files_are_not_made_of_anything(change, complaint):
    with pytest.raises(InvalidValue, match=f"^{complaint} "):
        files.kuberay(files.KubeRay(**{"name": "first", "image": "nas", "ray_version": "2.60.0", **change}))


# --- Ray's cluster launcher ------------------------------------------------------------------------

AWS = {"name": "first", "provider": "aws", "region": "us-east-1"}
GCP = {"name": "first", "provider": "gcp", "region": "us-central1-a", "project": "mine", "image": "projects/p/i"}


@pytest.mark.parametrize("options", [AWS, GCP, {**AWS, "spot": True, "gpus": 0}, {**GCP, "spot": True, "workers": 2}])
def test_the_launcher_takes_the_file(options):
    import ray

    [(name, text)] = files.cloud(files.Cloud(**options)).items()
    assert name == "first.yaml"
    values = yaml.safe_load(text)
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(values, schema)
    assert values["head_node_type"] in values["available_node_types"]
    worker = values["available_node_types"]["worker"]
    assert worker["resources"].get("GPU", 0) == options.get("gpus", 1)
    assert ("spot" in json.dumps(worker) or "preemptible" in json.dumps(worker)) == options.get("spot", False)
    for command in (*values["head_start_ray_commands"], *values["worker_start_ray_commands"]):
        assert "ray start" not in command or "RAY_AUTH_MODE=token" in command
    assert "chmod 600 ~/.ray/auth_token" in values["setup_commands"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({**AWS, "provider": "azur"}, UnknownName), ({**GCP, "region": "us-central1"}, InvalidValue),
        ({**GCP, "project": None}, InvalidValue), ({**GCP, "image": None}, InvalidValue),
        ({**GCP, "image": "a b"}, InvalidValue), ({**AWS, "machine": "a b"}, InvalidValue),
        ({**AWS, "workers": 9}, InvalidValue),
    ],
)  # fmt: skip
def test_launcher_files_are_not_made_of_anything(options, error):
    with pytest.raises(error):
        files.cloud(files.Cloud(**options))
