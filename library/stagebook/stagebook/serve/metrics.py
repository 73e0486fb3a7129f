"""Prometheus metrics: FastAPI's own of each route, and those of predictions, queue and log."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest

if TYPE_CHECKING:
    from .service import Answer, Service

__all__ = ["Metrics"]


class Metrics:
    """The metrics of one service; `telemetry` is for FastAPI.

    With OTEL_EXPORTER_OTLP_ENDPOINT set, FastAPI also sends traces and metrics there (OTLP over HTTP).
    """

    def __init__(self, service: "Service"):
        reader = PrometheusMetricReader()
        provider = MeterProvider([reader])
        meter = provider.get_meter("stagebook.serve")
        self.predictions = meter.create_counter("predictions", description="rows answered, by version and class")
        gauges = {
            "rows_waiting": lambda: service.batches.waiting,
            "log_waiting": lambda: service.log.waiting if service.log else 0,
            "log_lost": lambda: service.log.lost if service.log else 0,
            "model_reloads": lambda: service.reloads,
            "problems": lambda: len(service.problems()),
        }
        for name, read in gauges.items():
            meter.create_observable_gauge(f"stagebook_{name}", [_observer(read)])
        export = any(key.startswith("OTEL_EXPORTER_OTLP") for key in os.environ)
        self.telemetry = {"meter_provider": provider, "tracing": export, "logs": export, "auto_configure": export}

    def count(self, answers: Sequence["Answer"]) -> None:
        """Count the rows of one answer."""
        self.predictions.add(len(answers), {"version": answers[0].served.package.version})

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(REGISTRY)


def _observer(read):
    def observe(options: CallbackOptions):
        yield Observation(read())

    return observe
