"""The commands `cluster files`: they write what `cluster.files` makes, and say where."""

import json

import pytest


def test_each_command_writes_its_files(cli, tmp_path):
    out = tmp_path / "made"
    code, written, _ = cli("cluster", "files", "slurm", str(tmp_path / "first.toml"), "--nodes", "2", "--out", str(out))
    assert (code, written.split()) == (0, [str(out / "first.sbatch")])
    assert f"study={tmp_path / 'first.toml'}" in (out / "first.sbatch").read_text()
    code, written, _ = cli("cluster", "files", "kuberay", "--image", "nas:1", "--name", "second", "--out", str(out))
    assert (code, written.split()) == (0, [str(out / f"second-{each}.yaml") for each in ("cluster", "job")])
    assert cli("cluster", "files", "cloud", "--name", "third", "--out", str(out))[0] == 0
    assert cli("cluster", "files", "grafana", "--out", str(out))[0] == 0
    assert json.loads((out / "asha-nas.json").read_text())["uid"] == "asha-nas"
    assert {path.name for path in out.iterdir()} == {
        "first.sbatch", "second-cluster.yaml", "second-job.yaml", "third.yaml", "asha-nas.json"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cloud", "--provider", "azur"), "unknown provider 'azur'"),
        (("slurm", "first.toml", "--hours", "0.01"), "--hours = 0.01"),
        (("grafana", "--out", "/proc/nowhere"), "cannot be written"),
    ],
)
def test_mistakes_are_told_plainly(cli, arguments, said):
    code, _, err = cli("cluster", "files", *arguments)
    assert code == 2 and said in err and "Traceback" not in err
