"""The Grafana dashboard: up to date, sound, and of metrics that exist."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from cluster import dashboard
from cluster.metrics import METRICS, TAGS

TEXT = {"type": "string", "minLength": 1}
SOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
GRAFANA = {  # of Grafana's JSON model, the part without which it does not import or show a dashboard
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "title": TEXT,
        "schemaVersion": {"type": "integer", "minimum": 16},
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos", "datasource", "targets", "fieldConfig", "description"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"const": "timeseries"},
                    "title": TEXT,
                    "description": TEXT,
                    "datasource": SOURCE,
                    "gridPos": {
                        "type": "object",
                        "required": ["x", "y", "w", "h"],
                        "properties": {"x": {"minimum": 0, "maximum": 23}, "w": {"minimum": 1, "maximum": 24}},
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "legendFormat", "datasource"],
                            "properties": {"refId": TEXT, "expr": TEXT, "datasource": SOURCE},
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def made():
    return dashboard.dashboard()


def expressions(made):
    return [target["expr"] for panel in made["panels"] for target in panel["targets"]]


def test_the_file_is_up_to_date():
    assert dashboard.FILE.read_text() == dashboard.text(), "write it with: python -m cluster.dashboard"


def test_its_form_is_grafanas(made):
    jsonschema.validate(json.loads(dashboard.text()), GRAFANA)
    ids = [panel["id"] for panel in made["panels"]]
    assert len(set(ids)) == len(ids)


def test_panels_do_not_overlap(made):
    taken = set()
    for panel in made["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


def test_every_expression_names_a_metric_and_every_metric_is_shown(made):
    exported = {name: metric for metric in METRICS for name in metric.exported}
    shown = set()
    for expression in expressions(made):
        [name] = re.findall(r"ray_\w+", expression)
        shown.add(exported[name])
    assert shown == set(METRICS)
    [variable] = [each for each in made["templating"]["list"] if each["name"] == "study"]
    assert re.findall(r"ray_\w+", variable["definition"])[0] in exported


def test_expressions_are_balanced_and_group_by_tags_that_exist(made):
    tags = {name: {*TAGS, "le", *metric.tags} for metric in METRICS for name in metric.exported}
    for expression in expressions(made):
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing)
        [name] = re.findall(r"ray_\w+", expression)
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouped.split(", ")) <= tags[name]
    for panel in made["panels"]:
        for target in panel["targets"]:
            [name] = re.findall(r"ray_\w+", target["expr"])
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= tags[name]


def test_the_documents_list_every_metric():
    document = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    rows = [line for line in document.splitlines() if line.startswith("| `ray_")]
    expected = [
        (metric.exported[0].removesuffix("_bucket"), metric.kind, set(metric.tags), metric.description)
        for metric in METRICS
    ]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    found = [(name.strip("`"), kind, set(re.findall(r"`(\w+)`", tags)), said) for name, kind, tags, said in cells]
    assert found == expected
