"""Imports point down, and each heavy library has one home. Imports inside functions count too."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("asha_nas", "trials", "spaces", "cluster")
MODULES = sorted(file for package in OURS for file in (ROOT / package).rglob("*.py"))

MAY_IMPORT = {
    "asha_nas": {"asha_nas", "trials", "spaces", "cluster"},
    "trials": {"trials", "spaces"},
    "cluster": {"cluster", "spaces"},
    "spaces": {"spaces"},
}
HOMES = {  # library: places (module prefixes) that may import it
    "torch": ("trials",),
    "torchvision": (),
    "ray": ("asha_nas.engines.ray_tune", "cluster"),
    "grpc": ("cluster.connection",),
    "sqlalchemy": ("asha_nas.store",),
    "alembic": ("asha_nas.store",),
    "psycopg": ("asha_nas.store",),
    "matplotlib": (
        "spaces.drawing",
        "spaces.picture",
        "asha_nas.analysis.curves",
        "asha_nas.analysis.correlation_plot",
        "asha_nas.analysis.comparison_plot",
    ),
    "fsspec": ("trials.storage", "cluster.survey"),  # the latter runs on every node, and may not import trials
    "hpbandster": ("asha_nas.samplers.hpbandster",),
    "optuna": ("asha_nas.samplers.tpe",),
    "smac": ("asha_nas.samplers.smac",),
}


def name_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file, tree=None):
    """The full names of everything a module imports, wherever in it: `a.b` for import a.b and from a import b."""
    package = name_of(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in ast.walk(tree or ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in ("import_module", "__import__"):
                found.add(str(node.args[0].value))
    return found


def within(name, *prefixes):
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def outside(file):
    """Top-level names a module imports that are neither ours nor of Python itself."""
    tops = {name.split(".")[0] for name in imports(file)}
    return tops - set(OURS) - set(sys.stdlib_module_names)


each_module = pytest.mark.parametrize("file", MODULES, ids=name_of)


def test_there_is_something_to_check():
    assert {name_of(file).split(".")[0] for file in MODULES} == set(OURS)
    assert len(MODULES) > 40


@each_module
def test_imports_point_down(file):
    package = name_of(file).split(".")[0]
    up = {name for name in imports(file) if within(name, *(set(OURS) - MAY_IMPORT[package]))}
    assert not up


@each_module
def test_cluster_knows_of_spaces_only_the_errors(file):
    if name_of(file).startswith("cluster"):
        assert all(within(name, "spaces.errors") for name in imports(file) if within(name, "spaces"))


@each_module
def test_cluster_needs_ray_and_little_else(file):
    if within(name_of(file), "cluster"):
        assert outside(file) <= {"ray", "grpc", "yaml", "fsspec"}


@each_module
def test_each_heavy_library_has_one_home(file):
    for library, homes in HOMES.items():
        if any(within(name, library) for name in imports(file)):
            assert within(name_of(file), *homes), f"{library} may be imported in {homes} only"


@each_module
def test_spaces_need_only_numpy_and_configspace(file):
    if within(name_of(file), "spaces"):
        allowed = {"numpy", "ConfigSpace"} | ({"matplotlib"} if file.stem in {"drawing", "picture"} else set())
        assert outside(file) <= allowed


@each_module
def test_scheduler_cores_are_plain_python(file):
    if within(name_of(file), "asha_nas.schedulers"):
        assert outside(file) <= {"numpy", "sortedcontainers"}
        ours = {name for name in imports(file) if within(name, *OURS)}
        assert all(within(name, "asha_nas.schedulers", "spaces.errors") for name in ours)


@each_module
def test_nothing_imports_the_tests(file):
    assert not any(within(name, "tests", "benchmarks", "pytest", "hypothesis") for name in imports(file))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import torch.nn as nn", {"torch.nn"}),
        ("from torch import nn", {"torch.nn"}),
        ("def f():\n    from ray import tune", {"ray.tune"}),
        ("from . import events", {"asha_nas.store.events"}),
        ("from ..errors import UserError", {"asha_nas.errors.UserError"}),
        ("import importlib\nimportlib.import_module('torch')", {"importlib", "torch"}),
    ],
)
def test_the_check_sees_every_kind_of_import(text, found):
    assert imports(ROOT / "asha_nas" / "store" / "log.py", ast.parse(text)) == found
