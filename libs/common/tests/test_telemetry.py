"""What leaves in logs and figures, and what never does."""

import json
import logging

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from common.auth import dev_token, make_key
from common.events import correlation_id
from common.telemetry import Metrics, configure_logging, failure_of, scrub

SECRET = "a secret that only tests use, long enough"


@pytest.fixture
def logged(capsys):
    """Configures logging for one test, and gives its lines as JSON."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    structlog_config = structlog.get_config()
    configure_logging("info")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.configure(**structlog_config)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_a_line_is_json_with_level_time_and_correlation(logged):
    token = correlation_id.set("call-17")
    structlog.get_logger().info("touchpoint_recorded", count=3)
    correlation_id.reset(token)
    line = logged()[0]
    assert (line["event"], line["level"], line["count"], line["correlation_id"]) == (
        "touchpoint_recorded",
        "info",
        3,
        "call-17",
    )
    assert line["at"].endswith("Z")


def test_what_is_below_the_level_is_not_written(logged):
    structlog.get_logger().debug("too_fine")
    assert logged() == []


def test_libraries_write_the_same_form_and_their_chatter_is_left_out(logged):
    logging.getLogger("aiokafka").warning("broker %s is away", "b1")
    logging.getLogger("aiokafka").info("chatter")
    (line,) = logged()
    assert (line["event"], line["logger"], line["level"]) == ("broker b1 is away", "aiokafka", "warning")


def test_an_exception_is_its_type_and_place_without_its_words(logged):
    try:
        int("3001234567x")
    except ValueError:
        structlog.get_logger().exception("consumer_failed")
        logging.getLogger("sqlalchemy").exception("it failed")
    ours, theirs = logged()
    for line in (ours, theirs):
        assert line["error"] == "ValueError"
        assert "test_an_exception" in line["frames"][-1]
        assert "3001234567" not in json.dumps(line)


@pytest.mark.parametrize(
    "fields",
    [
        {"secret": "s3cret-value"},
        {"Authorization": "Bearer s3cret-value"},
        {"database_url": "s3cret-value"},
        {"nested": {"api_key": "s3cret-value"}},
        {"words": f"key {make_key(SECRET)[1]}"},
        {"words": [f"token {dev_token(SECRET, subject='me', scopes=['*'])}"]},
        {"words": "postgresql://hilo:s3cret-value@db/hilo"},
    ],
)
def test_secrets_are_scrubbed_wherever_they_stand(fields):
    text = json.dumps(scrub(None, "info", {"event": "x", **fields}))
    for secret in ("s3cret-value", "eyJ", "hilo_"):
        assert secret not in text
    assert "***" in text


def test_what_only_looks_similar_stays():
    fields = {"event": "x", "key_id": "0123456789ab", "tokens": 4, "key": "best_hour", "at": "https://host/path:1@x"}
    assert scrub(None, "info", dict(fields)) == fields


def test_a_failure_names_the_innermost_frames():
    def deep(n):
        if n == 0:
            raise KeyError("x")
        deep(n - 1)

    with pytest.raises(KeyError) as error:
        deep(30)
    assert len(failure_of(error.value)["frames"]) == 12


def test_figures_render_in_the_form_of_prometheus():
    metrics = Metrics()
    metrics.ingested.labels("recorded", "http").inc(98)
    metrics.consumer_lag.labels("scoring", "interactions.v1").set(7)
    metrics.consumed.labels("scoring", "handled").inc()
    metrics.resume.observe(0.004)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    assert samples["hilo_touchpoints_total", "http", "recorded"] == 98
    assert samples["hilo_consumer_lag_events", "interactions.v1", "scoring"] == 7
    assert samples["hilo_resume_seconds_bucket", "0.005"] == 1
    assert samples["hilo_resume_seconds_bucket", "0.0025"] == 0
