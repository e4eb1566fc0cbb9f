"""What the server counts, for Prometheus: no label holds anything of a request but its route and status."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from brain_tumor.serving.study import Study

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SCORES = (-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50)
"""Bounds of OOD scores; above 0 an image is rejected."""


class Metrics:
    """Counts of one server.

    Args:
        requests: Function that returns how many requests are worked on or wait.
    """

    def __init__(self, requests: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector("brain_tumor", registry=registry)
        labels = ["route", "status"]
        self._requests = Counter("brain_tumor_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "brain_tumor_request_seconds",
            "Time from a request's headers to the end of its answer, seconds.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        waiting = Gauge("brain_tumor_requests_in_progress", "Requests worked on or waiting.", registry=registry)
        waiting.set_function(requests)
        self._images = Counter("brain_tumor_images", "Images and slices predicted.", registry=registry)
        self._rejected = Counter(
            "brain_tumor_images_rejected", "Images that the OOD detector rejected.", registry=registry
        )
        self._abstained = Counter(
            "brain_tumor_images_abstained", "Images that the model left to a person.", registry=registry
        )
        self._left_out = Counter("brain_tumor_files_left_out", "Files without an answer.", registry=registry)
        self._scores = Histogram(
            "brain_tumor_ood_score",
            "Distance of images above the limit of the OOD detector; above 0 is rejected.",
            buckets=_SCORES,
            registry=registry,
        )

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route, str(status)).observe(seconds)

    def count_answers(self, study: Study) -> None:
        """Count what was answered."""
        self._images.inc(len(study.images))
        self._left_out.inc(len(study.left_out))
        for answer in study.images:
            self._rejected.inc(bool(answer.rejected))
            self._abstained.inc(answer.abstain)
            if answer.ood_score is not None:
                self._scores.observe(answer.ood_score)

    def text(self) -> bytes:
        """Return all counts in the text format of Prometheus."""
        return generate_latest(self._registry)
