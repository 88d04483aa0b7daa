"""The wheel holds the four packages with what they need at run time, and nothing else."""

import email
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("asha_nas", "trials", "spaces", "cluster")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that no build folder lands in the checkout. Needs no network."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    skip = shutil.ignore_patterns("__pycache__", ".*", "dist", "build", "out")
    shutil.copytree(ROOT, source, ignore=skip)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def text(wheel, suffix):
    (name,) = [name for name in wheel.namelist() if name.endswith(suffix)]
    return wheel.read(name).decode()


def test_nothing_but_the_four_packages(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(OURS)
    assert len(tops) == len(OURS) + 1


def test_every_module_is_there(wheel):
    modules = {
        str(file.relative_to(ROOT))
        for package in OURS
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert modules <= set(wheel.namelist())
    assert "asha_nas/store/migrations/env.py" in modules
    assert "asha_nas/store/migrations/versions/0001_log.py" in modules


def test_the_packages_are_typed(wheel):
    assert {f"{package}/py.typed" for package in OURS} <= set(wheel.namelist())


def test_the_command(wheel):
    assert "asha-nas = asha_nas.cli:main" in text(wheel, "entry_points.txt")


def test_what_it_says_of_itself(wheel):
    about = email.message_from_string(text(wheel, ".dist-info/METADATA"))
    assert about["Name"] == "asha-nas"
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "Apache-2.0"
    assert len(about.get_payload()) > 500  # the README
    needed = {re.match(r"[\w.-]+", line)[0].lower() for line in about.get_all("Requires-Dist")}
    assert {"torch", "ray", "configspace", "numpy", "sqlalchemy", "sortedcontainers"} <= needed


def test_the_licence_comes_along(wheel):
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
