"""A Grafana dashboard of the metrics in :mod:`cluster.metrics`, as a value; ``cluster/grafana/asha-nas.json`` is it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster import metrics
from cluster.metrics import Metric

FILE = Path(__file__).parent / "grafana" / "asha-nas.json"
"""Where it is kept; ``python -m cluster.dashboard`` writes it."""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_STUDY = 'study=~"$study"'
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 24


def dashboard() -> dict[str, Any]:
    """The dashboard in Grafana's form (JSON model, schema version 36)."""
    panels = [
        _panel("Jobs by state", metrics.JOBS, "{{owner}} {{study}} {{state}}"),
        _panel("Best value", metrics.BEST, "{{owner}} {{study}} {{metric}}"),
        _panel("Trials started", metrics.TRIALS, "{{owner}} {{study}}"),
        _panel("Results by rung", metrics.RESULTS, "{{owner}} {{study}} {{epochs}} epochs"),
        _panel("Promotions by rung", metrics.PROMOTIONS, "{{owner}} {{study}} from {{epochs}} epochs"),
        _panel("Failed attempts", metrics.FAILED_ATTEMPTS, "{{owner}} {{study}} {{failure}}"),
        _panel("Epochs trained", metrics.EPOCHS, "{{owner}} {{study}}"),
        _panel("Results reused", metrics.REUSED, "{{owner}} {{study}}"),
        _panel("Share of the cluster", metrics.SHARE, "{{owner}} {{study}}"),
        _quantiles("Seconds an epoch", metrics.EPOCH_SECONDS),
        _quantiles("Overhead of a job", metrics.JOB_OVERHEAD),
        _rate("Checkpoints written", metrics.CHECKPOINT_BYTES, "Bps"),
    ]
    return {
        "uid": "asha-nas", "title": "asha-nas studies", "tags": ["asha-nas", "ray"], "schemaVersion": 36, "version": 1,
        "editable": True, "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
        "annotations": {"list": []}, "templating": {"list": [_source_variable(), _study_variable()]},
        "panels": [{"id": number + 1, "gridPos": _place(number), **panel} for number, panel in enumerate(panels)],
    }  # fmt: skip


def text() -> str:
    """The dashboard as the file holds it."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _panel(title: str, metric: Metric, legend: str) -> dict[str, Any]:
    # A driver that was killed and resumed is another series of the same study for some seconds: take the newer total.
    by = ", ".join((*metrics.TAGS, *metric.tags))
    return _lines(title, metric, [(f"max by ({by}) ({metric.exported[0]}{{{_STUDY}}})", legend)])


def _quantiles(title: str, metric: Metric) -> dict[str, Any]:
    def quantile(q: float) -> str:
        rate = f"rate({metric.exported[0]}{{{_STUDY}}}[$__rate_interval])"
        return f"histogram_quantile({q}, sum by (owner, study, le) ({rate}))"

    named = ((0.5, "{{owner}} {{study}} median"), (0.95, "{{owner}} {{study}} 95 %"))
    return _lines(title, metric, [(quantile(q), legend) for q, legend in named], "s")


def _rate(title: str, metric: Metric, unit: str) -> dict[str, Any]:
    rate = f"sum by (owner, study) (rate({metric.exported[0]}{{{_STUDY}}}[$__rate_interval]))"
    return _lines(title, metric, [(rate, "{{owner}} {{study}}")], unit)


def _lines(title: str, metric: Metric, queries: Sequence[tuple[str, str]], unit: str = "short") -> dict[str, Any]:
    return {
        "type": "timeseries", "title": title, "description": metric.description, "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"spanNulls": True}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + k), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for k, (expression, legend) in enumerate(queries)
        ],
    }  # fmt: skip


def _place(number: int) -> dict[str, int]:
    row, column = divmod(number, _COLUMNS // _WIDTH)
    return {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _study_variable() -> dict[str, Any]:
    query = f"label_values({metrics.JOBS.exported[0]}, study)"
    return {
        "name": "study", "label": "Study", "type": "query", "datasource": _SOURCE, "definition": query,
        "query": {"query": query, "refId": "study"}, "refresh": 2, "multi": True, "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
