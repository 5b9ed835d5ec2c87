"""Where the talk stopped and what comes first, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.company import Company
from interactions.resume.domain import Memory, Question, Reader, Thread, Touchpoint, Who
from interactions.resume.scene import Scene
from interactions.resume.talk import days_left, suggested_thread, work_in_progress

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


def page_left(payload: dict[str, Any], *, hours: int) -> Touchpoint:
    told = {"touchpoint_id": str(uuid4()), "trace_id": "t", "kind": "web", "channel": "web", "direction": "inbound"}
    at = dict.fromkeys(("occurred_at", "recorded_at"), NOW - timedelta(hours=hours))
    rest = {name: None for name in Touchpoint._fields if name not in told | at}
    return Touchpoint(**{**rest, **told, **at, "outcome": "abandoned", "payload": payload})


@pytest.mark.parametrize("told", [["refund", 2], {"name": "refund"}, [], {}])
def test_a_form_that_a_page_tells_of_in_its_own_shape_does_not_hide_the_others(told):
    own = page_left({"form": told, "step": told, "draft": {"a": 1}}, hours=1)
    memory = Memory(touchpoints=(own, page_left({"form": "x"}, hours=2)))
    scene = Scene(Who("unknown"), memory, Question(), Reader("agent"), Company.load(), NOW)
    found = [(w["form"], w["step"], w["draft"]) for w in work_in_progress(scene)]
    assert found == [(None, None, {"a": 1}), ("x", None, {})]
