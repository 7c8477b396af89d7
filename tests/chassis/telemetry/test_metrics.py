"""Metrics live on a registry of one's own and are read as text by a Prometheus server."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from filewright.chassis.telemetry.metrics import Metrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.render().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_what_is_counted_can_be_read():
    metrics = Metrics()
    metrics.counter("attempts_finished", "Attempts", ["outcome"]).labels("succeeded").inc(2)
    metrics.gauge("queue_depth", "Waiting").set(7)
    metrics.histogram("attempt_seconds", "Durations", buckets=(1, 10)).observe(3)
    found = samples(metrics)
    assert found["filewright_attempts_finished_total", "succeeded"] == 2
    assert found["filewright_queue_depth",] == 7
    assert found["filewright_attempt_seconds_bucket", "1.0"] == 0
    assert found["filewright_attempt_seconds_bucket", "10.0"] == 1


def test_two_sets_of_metrics_do_not_meet():
    one, other = Metrics(), Metrics()
    one.counter("things", "Things").inc()
    other.counter("things", "Things")
    assert samples(one)["filewright_things_total",] == 1
    assert samples(other)["filewright_things_total",] == 0


def test_asking_twice_gives_the_same_metric_and_another_kind_is_a_defect():
    metrics = Metrics()
    assert metrics.counter("things", "Things") is metrics.counter("things", "Things")
    with pytest.raises(TypeError, match="exists already"):
        metrics.gauge("things", "Things")
    assert metrics.names() == ("things",)


def test_the_process_tells_of_itself_when_asked():
    assert samples(Metrics(process=True))["filewright_process_resident_memory_bytes",] > 0
