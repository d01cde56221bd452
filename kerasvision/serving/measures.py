"""The metrics that a server offers Prometheus at /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Measures:
    """Counts and times of one server.

    >>> measures = Measures()
    >>> measures.requests.labels(route="predict", status="200").inc()
    >>> 'kerasvision_requests_total{route="predict",status="200"} 1.0' in measures.text().decode()
    True
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("kerasvision_requests", "Requests.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "kerasvision_request_seconds",
            "From a request's head to its reply.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_rows = Histogram("kerasvision_batch_rows", "Rows per call of the model.", buckets=ROWS, registry=registry)
        self.waiting_rows = Gauge("kerasvision_waiting_rows", "Rows that wait for the model.", registry=registry)
        self.version = Gauge("kerasvision_model_version", "The version that is served.", registry=registry)
        self.load_failures = Counter("kerasvision_load_failures", "Versions that could not be loaded.", registry=registry)

    def text(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        return generate_latest(self._registry)
