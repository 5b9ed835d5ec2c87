"""Where the talk stopped and what comes first, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from interactions.resume.domain import Thread
from interactions.resume.talk import days_left, suggested_thread

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def thread(topic: str | None, state: str, *, hours: int = 1, **said: Any) -> Thread:
    at = NOW - timedelta(hours=hours)
    return Thread(uuid4(), topic, state, at, at, "whatsapp", None, None, None, None, **said)


def suggested(threads: list[Thread], topic: str | None = None) -> str | None:
    found: UUID | None = suggested_thread(threads, topic)
    return next((t.topic for t in threads if t.conversation_id == found), None)


def test_the_thread_of_the_topic_is_suggested_even_where_it_is_parked():
    threads = [thread("billing", "waiting-us"), thread("delivery", "parked")]
    assert suggested(threads, "delivery") == "delivery"


def test_else_the_most_recent_that_waits_for_us_then_for_him():
    threads = [thread("a", "waiting-customer"), thread("b", "waiting-us", hours=9), thread("c", "waiting-us", hours=5)]
    assert suggested(threads, "unheard-of") == "c"
    assert suggested(threads[:1]) == "a"


def test_a_parked_thread_is_not_suggested_by_itself():
    assert suggested_thread([thread("a", "parked")], None) is None


@pytest.mark.parametrize(
    ("deadline", "days"),
    [
        (NOW + timedelta(days=30), 30),
        (NOW + timedelta(hours=1), 1),
        (NOW, 0),
        (NOW - timedelta(days=3), 0),
        (None, None),
    ],
)
def test_a_begun_day_of_the_recovery_window_counts(deadline, days):
    assert days_left(deadline, NOW) == days
