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


def test_run_resume_begins_a_study_or_goes_on_with_it(cli, tmp_path):
    file = tmp_path / "first.toml"
    file.write_text(
        '[problem]\nkind = "table"\ntable = "s1-digits"\n'
        '[scheduler]\nkind = "random"\nR = 4\nconfigs = 2\n[engine]\nkind = "inline"\n'
    )
    command = ("run", str(file), "--resume", "--store", str(tmp_path / "studies.db"))
    code, said, err = cli(*command)
    assert code == 0 and "first is done" not in said, err
    code, said, _ = cli(*command)
    assert code == 0 and "first is done; nothing is left to do" in said
    assert cli("run", str(file), "--store", str(tmp_path / "studies.db"))[0] == 2  # it exists
