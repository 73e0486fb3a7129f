"""Prometheus metrics of requests, predictions, queue and log.

The metric of requests is named and labelled by OpenTelemetry's conventions for HTTP. FastAPI's own telemetry has it too,
but takes a quarter of a request's time: it is on only if OTEL_EXPORTER_OTLP_ENDPOINT says where traces and metrics go.
"""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from ...project.errors import StepError

if TYPE_CHECKING:
    from ..service import Answer, Service

__all__ = ["Metrics", "exports_telemetry"]

EXPORTER = "opentelemetry.exporter.otlp.proto.http"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LABELS = ("http_request_method", "http_route", "http_response_status_code")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


def exports_telemetry() -> bool:
    """Tell whether traces and metrics are sent to an OTLP address; StepError if what sends them is not installed."""
    if not any(key.startswith("OTEL_EXPORTER_OTLP") and os.environ[key] for key in os.environ):
        return False
    try:
        found = find_spec(EXPORTER)
    except ModuleNotFoundError:
        found = None
    if not found:
        raise StepError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is installed that sends there. "
            "Install the extra: pip install 'stagebook[otlp]', or unset the variable."
        )
    return True


class Metrics:
    """The metrics of one service; `telemetry` is for FastAPI."""

    def __init__(self, service: "Service"):
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        kept = {"registry": self.registry}
        about = "Time from a request's head to the end of its answer."
        self.seconds = Histogram("http_server_request_duration_seconds", about, LABELS, buckets=SECONDS, **kept)
        self.predictions = Counter("stagebook_predictions", "Rows answered, by version.", ["version"], **kept)
        self._series: dict[tuple, Histogram] = {}
        gauges: dict[str, Callable[[], float]] = {
            "rows_waiting": lambda: service.batches.waiting,
            "log_waiting": lambda: service.log.waiting if service.log else 0,
            "log_lost": lambda: service.log.lost if service.log else 0,
            "model_reloads": lambda: service.reloads,
            "problems": lambda: len(service.problems()),
        }
        for name, read in gauges.items():
            Gauge(f"stagebook_{name}", f"See {name.partition('_')[0]} in /ready.", **kept).set_function(read)
        export = exports_telemetry()
        self.telemetry = dict.fromkeys(("tracing", "metrics", "logs", "auto_configure"), export)

    def count(self, answers: Sequence["Answer"]) -> None:
        """Count the rows of one answer."""
        self.predictions.labels(answers[0].served.package.version).inc(len(answers))

    def time(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is the path as declared, so that ids in paths make no new series."""
        key = (method if method in METHODS else "_OTHER", route, status)
        if (series := self._series.get(key)) is None:
            series = self._series[key] = self.seconds.labels(*key)
        series.observe(seconds)

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
