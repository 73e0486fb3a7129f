"""The Grafana dashboard and the Prometheus files for the service's /metrics, to be copied where they are needed."""

import json
import shutil
from pathlib import Path

from ..project.files import replace_file

__all__ = ["build_dashboard", "write_dashboards"]

PROMETHEUS_FILES = ("rules.yaml", "scrape.yaml")
REQUESTS = "http_server_request_duration_seconds"
# Title, unit of Grafana, and by legend the expression; two panels in a row.
PANELS: list[tuple[str, str, dict[str, str]]] = [
    ("Requests per second", "reqps", {"{{http_route}}": f"sum by (http_route) (rate({REQUESTS}_count[5m]))"}),
    (
        "Answers with an error, share of all",
        "percentunit",
        {
            "{{http_response_status_code}}": (
                "sum by (http_response_status_code) "
                f'(rate({REQUESTS}_count{{http_response_status_code=~"[45].."}}[5m])) '
                f"/ scalar(sum(rate({REQUESTS}_count[5m])))"
            )
        },
    ),
    (
        "Latency of predictions",
        "s",
        {
            name: f'histogram_quantile({level}, sum by (le) (rate({REQUESTS}_bucket{{http_route=~"/predict.*"}}[5m])))'
            for name, level in (("half", 0.5), ("95 %", 0.95), ("99 %", 0.99))
        },
    ),
    (
        "Rows predicted per second",
        "short",
        {"version {{version}}": "sum by (version) (rate(stagebook_predictions_total[5m]))"},
    ),
    ("Rows waiting", "short", {"for a prediction": "stagebook_rows_waiting", "for the log": "stagebook_log_waiting"}),
    (
        "Problems, and predictions lost for the log",
        "short",
        {"problems": "stagebook_problems", "lost": "stagebook_log_lost"},
    ),
    ("CPU, cores", "short", {"{{instance}}": "rate(process_cpu_seconds_total[5m])"}),
    ("Memory", "bytes", {"{{instance}}": "process_resident_memory_bytes"}),
    ("Open files", "short", {"{{instance}}": "process_open_fds", "limit": "process_max_fds"}),
    ("Model reloads", "short", {"{{instance}}": "stagebook_model_reloads"}),
]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 12, 8  # of a panel, on Grafana's 24 columns


def build_dashboard() -> dict:
    """Return the dashboard as Grafana imports it (schema version 39); its data source is chosen in the page."""
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": "stagebook",
        "title": "Model service",
        "description": "What /metrics of `stagebook serve` says: load, errors, latency, queues, CPU, memory.",
        "tags": ["stagebook"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, title: str, unit: str, lines: dict[str, str]) -> dict:
    row, column = divmod(number, 24 // WIDTH)
    targets = [
        {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
        for place, (legend, expression) in enumerate(lines.items())
    ]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }


def write_dashboards(folder: Path) -> list[Path]:
    """Write dashboard.json, rules.yaml and scrape.yaml to a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    dashboard = folder / "dashboard.json"
    with replace_file(dashboard) as new:
        new.write_text(json.dumps(build_dashboard(), indent=2) + "\n", encoding="utf-8")
    copied = [Path(shutil.copyfile(Path(__file__).with_name(name), folder / name)) for name in PROMETHEUS_FILES]
    return [dashboard, *copied]
