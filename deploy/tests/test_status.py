"""`hilo status`: one table that says who is not well, and why."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from common.testing import FakeClock
from hilo.cli import app
from hilo.embedded import embedded_app
from hilo.status import Place, Standing, as_json, look, places, table

READY = {"status": "ready", "version": "0.9.9", "checks": {"database": "ok", "lag": "ok"}, "concerns": []}
FIGURES = (
    'hilo_outbox_age_seconds{reader="relay"} 75.0\nhilo_outbox_waiting_events{reader="relay"} 12.0\n'
    'hilo_consumer_lag_events{consumer="scoring",topic="identity.v1"} 3.0\n'
    'hilo_consumer_lag_events{consumer="scoring",topic="interactions.v1"} 4.0\n'
    'hilo_consumer_lag_seconds{consumer="scoring",topic="interactions.v1"} 9.0\n'
    'hilo_parked{code="bad-json",kind="event"} 2.0\nhilo_timers_overdue 5.0\n'
)


def answering(ready: dict[str, object], figures: str = FIGURES) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/identity/"):
            raise httpx.ConnectError("nobody there")
        if request.url.path.endswith("/readyz"):
            return httpx.Response(503 if ready["status"] == "not-ready" else 200, json=ready)
        return httpx.Response(200, text=figures)

    return httpx.Client(transport=httpx.MockTransport(answer))


def test_figures_of_a_process_stand_in_one_row_and_what_is_parked_below() -> None:
    [standing] = look([Place("scoring", "worker", "http://test/scoring")], client=answering(READY))
    assert standing == Standing(
        service="scoring", role="worker", state="ready", version="0.9.9", outbox={"relay": 12}, outbox_seconds=75.0,
        lag={"identity.v1": 3, "interactions.v1": 4}, lag_seconds=9.0, parked={"event/bad-json": 2}, timers_overdue=5,
    )  # fmt: skip
    heads, row, parked = table([standing]).splitlines()
    assert heads.split()[:3] == ["service", "role", "state"]
    assert row.split() == ["scoring", "worker", "ready", "0.9.9", "12", "75", "s", "7", "9", "s", "2", "5"]
    assert parked == "parked in scoring: 2 event/bad-json"


def test_who_is_not_well_says_why_and_who_does_not_answer_is_told_as_such() -> None:
    sick = {**READY, "status": "degraded", "checks": {"lag": "7 events before scoring"}, "concerns": ["lag"]}
    asked = [Place("scoring", "worker", "http://test/scoring"), Place("identity", "api", "http://test/identity")]
    late, gone = look(asked, client=answering(sick))
    assert (late.state, late.is_well, late.concerns) == ("degraded", False, {"lag": "7 events before scoring"})
    assert (gone.state, gone.is_well) == ("unreachable", False)
    lines = table([late, gone]).splitlines()
    assert "! scoring worker: lag: 7 events before scoring" in lines
    assert "! identity api: process: ConnectError" in lines
    assert json.loads(json.dumps(as_json([late])))[0]["concerns"] == {"lag": "7 events before scoring"}


def test_an_origin_behind_which_no_worker_answers_is_shown_as_the_api_that_it_is() -> None:
    every = places("http://test")[2:3]
    [api] = look(every, client=answering(READY))
    [whole] = look(every, client=answering({**READY, "checks": {"consumer": "ok", "lag": "ok"}}))
    assert (every[0].service, api.role, whole.role) == ("scoring", "api", "all")


def test_without_its_database_a_process_says_why_once_and_tells_no_figures() -> None:
    why = "ConnectionRefusedError"
    sick = {**READY, "status": "not-ready", "checks": {"database": why, "lag": why}, "concerns": ["database", "lag"]}
    [standing] = look(
        [Place("scoring", "worker", "http://test/scoring")], client=answering(sick, "hilo_timers_overdue NaN\n")
    )
    _, row, reason = table([standing]).splitlines()
    assert row.split() == ["scoring", "worker", "not-ready", "0.9.9", "-", "-", "-", "-", "-", "-"]
    assert reason == f"! scoring worker: database, lag: {why}"


def test_the_distributed_stack_is_asked_at_its_apis_and_at_the_doors_of_its_workers() -> None:
    urls = {(place.service, place.role): place.url for place in places("up")}
    assert len(urls) == 8
    assert urls["scoring", "api"] == "http://127.0.0.1:8003/scoring"
    assert urls["scoring", "worker"] == "http://127.0.0.1:8013/scoring"


def test_the_command_ends_with_one_where_nobody_answers() -> None:
    done = CliRunner().invoke(app, ["status", "--to", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert done.output.count("unreachable") == 4


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The embedded system with an event that was told long ago, by a clock that stands still."""
    clock = FakeClock()
    system = embedded_app(tmp_path, clock=clock)
    async with system._lifespan(None):  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app=system)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def test_the_embedded_system_tells_of_its_consumers_and_of_those_who_read_its_outboxes(
    running: httpx.AsyncClient,
) -> None:
    ready = (await running.get("/scoring/readyz")).json()
    assert ready["status"] == "ready"
    assert {"outbox", "lag", "consumer", "parked", "timers"} <= set(ready["checks"])
    figures = (await running.get("/identity/metrics")).text
    for consumer in ("interactions", "scoring", "service-audit"):
        assert f'hilo_outbox_waiting_events{{reader="{consumer}"}} 0.0' in figures
