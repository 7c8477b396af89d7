"""Counters, gauges and histograms on a registry of one's own, so that a test can make as many as it likes.

A metric is named as the log event beside it is (`attempts_finished`); the registry adds the prefix. Asking for the
same name twice gives the same metric, so parts that share one need not know each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound=MetricWrapperBase)

PREFIX = "filewright"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds for durations: from a status read to the longest conversion."""
BYTES = tuple(float(1 << power) for power in range(10, 33, 2))
"""Bounds for sizes: 1 KiB to 4 GiB."""

__all__ = ["BYTES", "CONTENT_TYPE_LATEST", "PREFIX", "SECONDS", "Counter", "Gauge", "Histogram", "Metrics"]


class Metrics:
    """One process's metrics. `process`: also its CPU time, memory and open files."""

    def __init__(self, *, process: bool = False) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._known: dict[str, MetricWrapperBase] = {}
        if process:
            ProcessCollector(namespace=PREFIX, registry=self._registry)
            PlatformCollector(registry=self._registry)

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        """What only ever grows; its exposed name ends in `_total`."""
        return self._once(
            name, Counter, lambda: Counter(name, help_text, labels, namespace=PREFIX, registry=self._registry)
        )

    def gauge(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        """What goes up and down."""
        return self._once(
            name, Gauge, lambda: Gauge(name, help_text, labels, namespace=PREFIX, registry=self._registry)
        )

    def histogram(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        """How values spread; `buckets` are upper bounds."""
        return self._once(
            name,
            Histogram,
            lambda: Histogram(name, help_text, labels, namespace=PREFIX, registry=self._registry, buckets=buckets),
        )

    def names(self) -> tuple[str, ...]:
        """Every metric's name without the prefix, for the docs."""
        return tuple(sorted(self._known))

    def render(self) -> bytes:
        """The text that a Prometheus server reads; its media type is `CONTENT_TYPE_LATEST`."""
        return generate_latest(self._registry)

    def _once(self, name: str, kind: type[M], make: Callable[[], M]) -> M:
        metric = self._known.setdefault(name, self._known.get(name) or make())
        if not isinstance(metric, kind):
            raise TypeError(f"the metric {name!r} exists already and is no {kind.__name__}")
        return metric
