"""What the documents say works: commands parse, Python runs, study files are valid, links lead somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from asha_nas.cli.app import app
from asha_nas.study import make_spec, read_spec
from trials.contract import Task

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document, language):
    """The fenced blocks of exactly this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)


COMMANDS = sorted(
    {
        line.removeprefix("$ ").strip()
        for document in DOCUMENTS
        for block in blocks(document, "console")
        for line in block.splitlines()
        if line.startswith("$ asha-nas")
    }
)


def test_the_readme_begins_with_the_two_commands():
    [first, *_] = blocks(ROOT / "README.md", "console")
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["$ make run", "$ make test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_documented_commands_exist(command):
    words = shlex.split(command, comments=True)[1:]
    group = typer.main.get_command(app)
    context = click.Context(group, info_name="asha-nas")
    while isinstance(group, click.Group | typer.core.TyperGroup):
        name, group, words = group.resolve_command(context, words)
        context = click.Context(group, info_name=name, parent=context)
    group.make_context(group.name, list(words), parent=context.parent)  # raises for what does not parse


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("ASHA_NAS_STORE", raising=False)
    [code] = blocks(ROOT / "README.md", "python")
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert "'x': 0." in capsys.readouterr().out


def test_the_objective_of_the_guide_goes_on_where_it_stopped(tmp_path):
    [code] = blocks(ROOT / "docs/guide.md", "python")
    names = {"__name__": "guide"}
    exec(compile(code, "guide.md", "exec"), names)
    task = Task(trial=0, config={"x": 6.0}, start=0, stop=2, seed=0, folder=str(tmp_path))
    first = list(names["objective"](task))
    more = Task(
        trial=0, config={"x": 6.0}, start=2, stop=3, seed=0, folder=str(tmp_path), checkpoints=(first[-1].checkpoint,)
    )
    [last] = names["objective"](more)
    assert (last.epoch, last.metrics["loss"]) == (3, 6.0 + 3.0 + 2.0)


def test_the_python_about_tables_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path))
    [code] = blocks(ROOT / "docs/tables.md", "python")
    exec(compile(code, "tables.md", "exec"), {"__name__": "tables"})
    assert capsys.readouterr().out.splitlines()[-1].startswith("2685 ")


# Commands that read a study, such as one of this name, need it to be there.
ALONE = [each for each in COMMANDS if "s1-digits" in each and each.split()[1] in ("table", "run", "simulate")]


@pytest.mark.parametrize("command", ALONE)
def test_commands_about_the_embedded_table_run(command, tmp_path, monkeypatch):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)  # where examples/ is
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, done.output


def test_study_files_are_valid(tmp_path):
    import tomllib

    files = sorted([*(ROOT / "examples").glob("*.toml"), *(ROOT / "spaces").rglob("*.toml")])
    assert files
    for file in files:
        assert read_spec(file).name == file.stem
    for document in DOCUMENTS:
        for block in blocks(document, "toml"):
            make_spec({"name": "block", **tomllib.loads(block)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target
