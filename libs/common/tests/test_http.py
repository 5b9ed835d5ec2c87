"""The manners of every service: correlation, limits, documents, health, figures, scopes."""

import asyncio
import json
import random
import re
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, Request, Response
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, Field

from common import events, health, manners
from common.auth import Principal, dev_token, needs, undeclared_routes
from common.clock import Clock, utc_now
from common.contracts import scoring
from common.db import Database
from common.health import Degraded, NotReady
from common.http import ClockOf, DatabaseOf, create_service, threaded_dependencies
from common.idempotency import AttemptOf, recall, remember
from common.openapi import openapi_gaps
from common.pagination import Page, Paging
from common.parked import Parked
from common.problems import problems_of
from common.settings import Settings
from common.testing import FIRST_KEY, TEST_SECRET, FakeClock, client_for, settings_for
from common.uow import UnitOfWork
from common.versions import ExpectedVersion, etag_of, is_known

PHONE = "3001234567"


class Note(BaseModel):
    """A note."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"text": "He will call again"}})

    text: str = Field(max_length=20)


class Kept(BaseModel):
    number: int = Field(examples=[1])
    who: str = Field(examples=["first key"])


@pytest.fixture(autouse=True)
def a_slow_machine_is_no_fault(monkeypatch):
    """A first question to a new database takes seconds where twenty processes share a core; that is not what is looked at here."""
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 60.0)


def routes() -> APIRouter:
    router = APIRouter(prefix="/demo/v1/notes", tags=["notes"])
    kept: list[str] = []

    @router.get("", summary="List notes")
    async def list_notes(who: Annotated[Principal, needs("customers:read")], page: Paging) -> Page[Note]:
        """The notes (notas), the oldest first."""
        after = page.after(int)
        rows = [(n, text) for n, text in enumerate(kept) if after is None or n > after[0]][: page.fetch]
        items, following = page.cut(rows, key=lambda row: (row[0],))
        return Page(items=[Note(text=text) for _, text in items], next=following)

    @router.post("", status_code=201, summary="Keep a note", responses=problems_of())
    async def keep_note(
        note: Note,
        who: Annotated[Principal, needs("customers:write")],
        database: DatabaseOf,
        clock: ClockOf,
        attempt: AttemptOf,
    ) -> Kept:
        """Keeps a note (nota); under an Idempotency-Key once."""
        async with UnitOfWork(database) as uow:
            if (known := await recall(uow, attempt, who)) is not None:
                return Kept.model_validate(known)
            kept.append(note.text)
            answer = Kept(number=len(kept), who=who.name)
            await remember(uow, attempt, who, answer.model_dump(mode="json"), at=clock())
            await uow.commit()
        return answer

    @router.get("/{note_id}", summary="Read a note", responses={200: {"model": Note}})
    async def read_note(
        note_id: UUID, who: Annotated[Principal, needs("customers:read")], request: Request
    ) -> Response:
        """One note, with its ETag."""
        headers = {"ETag": etag_of(7)}
        return Response(status_code=304 if is_known(request, etag_of(7)) else 200, headers=headers)

    @router.put("/{note_id}", summary="Change a note")
    async def change_note(
        note_id: UUID, note: Note, version: ExpectedVersion, who: Annotated[Principal, needs("customers:write")]
    ) -> Kept:
        """Changes a note that was read before."""
        return Kept(number=version, who=who.name)

    @router.post("/{note_id}:lose", summary="Lose a note")
    async def lose_note(note_id: UUID, who: Annotated[Principal, needs("customers:write")]) -> Kept:
        """A fault of ours."""
        raise RuntimeError(f"secret {PHONE}")

    @router.post("/raw", summary="Count bytes")
    async def count_bytes(request: Request, who: Annotated[Principal, needs("customers:write")]) -> Kept:
        """Reads the body by itself."""
        return Kept(number=len(await request.body()), who=str(events.correlation_id.get()))

    return router


class Unlisted(BaseModel):
    plain: str


def unkempt_routes() -> APIRouter:
    router = APIRouter(prefix="/demo/v1/open")

    @router.get("")
    async def open_door() -> Unlisted:
        return Unlisted(plain="")

    return router


def make_app(
    database: Database | None = None,
    *,
    routers: list[APIRouter] | None = None,
    clock: Clock | None = None,
    **settings: Any,
):
    state: dict[str, Any] = {"clock": clock or FakeClock()}
    if database is not None:
        state["database"] = database
    return create_service(
        name="demo",
        title="Demo",
        description="Notes.",
        settings=settings_for(Settings, **{"max_body_bytes": 1000, **settings}),
        routers=[routes()] if routers is None else routers,
        publishes=[scoring.TOPIC],
        consumes=["identity.v1"],
        tags={"notes": "What was noted."},
        state=state,
    )


@pytest.fixture
async def client(database):
    async with client_for(make_app(database)) as client:
        yield client


@pytest.fixture
async def bare():
    """A client of the service without a database."""
    async with client_for(make_app()) as client:
        yield client


@pytest.fixture
def lines(monkeypatch):
    """What is logged, whatever level the tests are run at."""
    capture = structlog.testing.LogCapture()
    every_level = structlog.make_filtering_bound_logger(0)
    monkeypatch.setattr(manners, "log", structlog.wrap_logger(None, processors=[capture], wrapper_class=every_level))
    return capture.entries


# --- who may


async def test_without_a_credential_nothing_of_v1_answers(bare):
    answer = await bare.get("/demo/v1/notes", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_credential_is_asked_for_before_the_body_is_judged(bare):
    assert (await bare.post("/demo/v1/notes", json={"wrong": 1}, headers={"Authorization": ""})).status_code == 401


async def test_a_token_opens_what_its_scopes_say_and_no_more(bare):
    token = dev_token(TEST_SECRET, subject="me", scopes=["customers:read"])
    headers = {"Authorization": f"Bearer {token}"}
    assert (await bare.get("/demo/v1/notes", headers=headers)).status_code == 200
    refused = await bare.post("/demo/v1/notes", json={"text": "x"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")


async def test_too_many_requests_are_told_when_to_come_back():
    async with client_for(make_app(rate_limit=1)) as client:
        answers = [await client.get("/demo/v1/notes") for _ in range(4)]
    assert [a.status_code for a in answers[:2]] == [200, 200]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_no_route_is_without_a_scope_but_health_and_documents():
    assert undeclared_routes(make_app()) == []


def test_a_route_without_a_scope_is_found():
    assert undeclared_routes(make_app(routers=[routes(), unkempt_routes()])) == ["['GET'] /demo/v1/open"]


def test_nothing_on_the_way_of_a_request_waits_for_a_thread():
    assert threaded_dependencies(make_app()) == []


def test_a_dependency_that_would_wait_for_a_thread_is_found():
    def slow() -> int:
        return 1

    router = APIRouter(prefix="/demo/v1/slow")

    @router.get("")
    async def route(one: Annotated[int, Depends(slow)]) -> int:
        return one

    assert [found.partition(": ")[0] for found in threaded_dependencies(make_app(routers=[router]))] == [
        "/demo/v1/slow"
    ]


def test_a_scope_that_does_not_exist_cannot_be_asked_for():
    with pytest.raises(ValueError, match="no scope"):
        needs("notes:read")


# --- correlation, log, faults


async def test_a_correlation_id_is_taken_over_or_made(bare):
    given = await bare.post("/demo/v1/notes/raw", content=b"x", headers={"X-Correlation-ID": "call-17"})
    assert given.headers["x-correlation-id"] == given.json()["who"] == "call-17"
    made = await bare.get("/demo/healthz")
    assert UUID(made.headers["x-correlation-id"])
    odd = await bare.get("/demo/healthz", headers={"X-Correlation-ID": "a b<script>"})
    assert UUID(odd.headers["x-correlation-id"])


async def test_the_correlation_id_does_not_outlive_its_request(bare):
    await bare.get("/demo/healthz", headers={"X-Correlation-ID": "one"})
    assert (await bare.get("/demo/healthz")).headers["x-correlation-id"] != "one"


async def test_the_log_knows_the_route_and_not_the_query(bare, lines):
    await bare.get(f"/demo/v1/notes?identifier=phone:{PHONE}")
    line = lines[-1]
    assert (line["event"], line["route"], line["status"]) == ("request_answered", "/demo/v1/notes", 200)
    assert line["who"] == "0123456789ab"
    assert PHONE not in str(lines)


async def test_a_fault_of_ours_tells_nothing_but_its_correlation_id(bare, lines):
    answer = await bare.post(f"/demo/v1/notes/{UUID(int=1)}:lose", headers={"X-Correlation-ID": "call-18"})
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (500, "unexpected", "call-18")
    assert PHONE not in answer.text
    assert PHONE not in str(lines)
    fault = next(line for line in lines if line["event"] == "request_failed")
    assert fault["error"] == "RuntimeError"
    assert "lose_note" in fault["frames"][-1]


async def test_every_answer_carries_the_security_headers(bare):
    for path in ("/demo/healthz", "/demo/v1/notes", "/nowhere"):
        headers = (await bare.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "private, no-cache"


# --- limits


@pytest.mark.parametrize("path", ["/demo/v1/notes", "/demo/v1/notes/raw"])
async def test_a_body_over_the_limit_is_refused_declared_or_not(bare, path):
    async def pieces():
        for _ in range(20):
            yield b" " * 100

    headers = {"content-type": "application/json"}
    for content in (b" " * 1001, pieces()):
        answer = await bare.post(path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_body_of_exactly_the_limit_passes(bare):
    assert (await bare.post("/demo/v1/notes/raw", content=b"x" * 1000)).json()["number"] == 1000


async def test_an_absurd_length_is_refused(bare):
    answer = await bare.post("/demo/v1/notes/raw", content=b"x", headers={"content-length": "9" * 5000})
    assert answer.status_code == 413


async def test_no_bytes_that_are_sent_make_a_fault_of_ours(client):
    chance = random.Random(20261122)
    seeds = [
        b'{"text": "Buenas"}',
        b'{"text": "\\ud800"}',
        b'[{"a": 1e999}]',
        b'{"text": "\\u0000", "text": null}',
        b"",
    ]
    for _ in range(400):
        body = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(4)):
            body[chance.randrange(len(body) + 1) : chance.randrange(len(body) + 1)] = chance.randbytes(
                chance.randrange(3)
            )
        kind = chance.choice(
            [
                "application/json",
                "application/json; charset=latin-1",
                "text/plain",
                "",
                "a/b/c;=",
                "multipart/form-data",
            ]
        )
        path = chance.choice(["", "/%00", "/%ff%fe", "?limit=%ff", "?cursor=%00", "/..%2f", f"/{UUID(int=1)}"])
        method = chance.choice(["POST", "PUT", "GET"])
        answer = await client.request(
            method, f"/demo/v1/notes{path}", content=bytes(body), headers={"content-type": kind}
        )
        assert answer.status_code < 500, (method, path, kind, bytes(body))
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "value", [b"Bearer \xff\xfe", b"Bearer hilo_\xc3\xb1_x", b"Basic abc", b"Bearer", b"Bearer  a.b.c", b"\x80"]
)
async def test_an_odd_authorization_is_refused_and_no_fault(bare, value):
    answer = await bare.get("/demo/v1/notes", headers={"Authorization": value})
    assert answer.status_code == 401


# --- pages, versions, idempotency


async def test_pages_by_cursor_over_http(client):
    for text in "abc":
        assert (await client.post("/demo/v1/notes", json={"text": text})).status_code == 201
    first = (await client.get("/demo/v1/notes?limit=2")).json()
    second = (await client.get("/demo/v1/notes", params={"cursor": first["next"], "limit": 2})).json()
    assert [item["text"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "status"), [("cursor=x", 400), ("limit=0", 422), ("limit=201", 422), ("limit=x", 422)]
)
async def test_a_page_that_cannot_be_is_refused(bare, query, status):
    assert (await bare.get(f"/demo/v1/notes?{query}")).status_code == status


async def test_a_repeated_post_under_one_key_takes_effect_once(client):
    headers = {"Idempotency-Key": "k-1"}
    answers = [await client.post("/demo/v1/notes", json={"text": "once"}, headers=headers) for _ in range(3)]
    assert [a.json()["number"] for a in answers] == [1, 1, 1]
    assert (await client.post("/demo/v1/notes", json={"text": "once"})).json()["number"] == 2
    reused = await client.post("/demo/v1/notes", json={"text": "other"}, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")


async def test_the_same_key_of_another_caller_is_another_key(client):
    headers = {"Idempotency-Key": "k-1"}
    other = {
        **headers,
        "Authorization": f"Bearer {dev_token(TEST_SECRET, subject='other', scopes=['customers:write'])}",
    }
    await client.post("/demo/v1/notes", json={"text": "mine"}, headers=headers)
    assert (await client.post("/demo/v1/notes", json={"text": "his"}, headers=other)).json()["number"] == 2


async def test_twenty_at_once_under_one_key_take_effect_once(client):
    import asyncio

    sent = [client.post("/demo/v1/notes", json={"text": "x"}, headers={"Idempotency-Key": "k-2"}) for _ in range(20)]
    answers = await asyncio.gather(*sent)
    assert {a.status_code for a in answers} == {201}
    assert {a.json()["number"] for a in answers} == {1}


@pytest.mark.parametrize(
    ("given", "status"), [(None, 428), ("*", 412), ('"x"', 412), ('W/"5"', 200), ('"5"', 200), ("5" * 40, 412)]
)
async def test_a_change_names_the_version_that_was_read(bare, given, status):
    headers = {} if given is None else {"If-Match": given}
    answer = await bare.put(f"/demo/v1/notes/{UUID(int=1)}", json={"text": "x"}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(("given", "status"), [('"7"', 304), ('"6", W/"7"', 304), ('"6"', 200), ("", 200)])
async def test_who_has_the_newest_is_not_sent_it_again(bare, given, status):
    answer = await bare.get(f"/demo/v1/notes/{UUID(int=1)}", headers={"If-None-Match": given})
    assert answer.status_code == status


# --- health and figures


async def test_health_asks_nobody_and_readiness_asks_the_database(database):
    async with client_for(make_app(database, clock=utc_now), key=None) as client:
        assert (await client.get("/demo/healthz")).json() == {"status": "ok"}
        answer = await client.get("/demo/readyz")
    assert (answer.status_code, answer.json()["status"], answer.json()["concerns"]) == (200, "ready", [])
    assert answer.json()["checks"] == {"database": "ok", "clock": "ok", "parked": "ok", "timers": "ok"}


async def test_a_degraded_service_still_gets_work(database):
    async def late() -> str:
        raise Degraded("2,000 events behind")

    app = make_app(database, clock=utc_now)
    app.state.readings.add("consumer", late)
    async with client_for(app, key=None) as client:
        answer = await client.get("/demo/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["concerns"] == ["consumer"]


async def test_a_service_without_its_database_is_alive_and_not_ready():
    database = Database.connect("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with client_for(make_app(database)) as client:
        assert (await client.get("/demo/healthz")).status_code == 200
        answer = await client.get("/demo/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not-ready")
        assert (await client.get("/demo/metrics")).status_code == 200
        headers = {"Idempotency-Key": "k"}
        assert (await client.post("/demo/v1/notes", json={"text": "x"}, headers=headers)).status_code == 503
    await database.dispose()


async def test_a_check_says_why_it_is_not_ready_and_a_broken_one_tells_its_type_only(database):
    async def behind() -> str:
        raise NotReady("2,000 events behind")

    async def broken() -> str:
        raise RuntimeError(PHONE)

    app = make_app(database, clock=utc_now)
    app.state.readings.add("consumer", behind)
    app.state.readings.add("other", broken)
    async with client_for(app) as client:
        answer = await client.get("/demo/readyz")
    assert answer.status_code == 503
    checks, concerns = answer.json()["checks"], answer.json()["concerns"]
    assert (checks["consumer"], checks["other"]) == ("2,000 events behind", "RuntimeError")
    assert concerns == ["consumer", "other"]


async def test_an_unpublished_event_shows_in_readiness_and_figures(database):
    clock = utc_now
    app = make_app(database, clock=clock, kafka_bootstrap="127.0.0.1:1")
    change = scoring.TierChanged(customer_id=UUID(int=1), new="MVC", rules_version="1", at=clock())
    async with UnitOfWork(database) as uow:
        uow.outbox.add(change, at=clock())
        await Parked(uow.session).park(
            kind="event", origin="identity.v1", body="{}", code="bad-json", problem={}, at=clock()
        )
        await uow.commit()
    async with client_for(app) as client:
        checks = (await client.get("/demo/readyz")).json()
        figures = figures_of(await client.get("/demo/metrics"))
    assert checks["status"] == "ready"
    assert checks["checks"]["parked"] == "1 event/bad-json"
    assert checks["checks"]["outbox"].startswith("1 events before relay")
    assert figures["hilo_parked", ("bad-json", "event")] == 1
    assert figures["hilo_outbox_waiting_events", ("relay",)] == 1
    assert ("hilo_outbox_age_seconds", ("relay",)) in figures


async def test_requests_are_counted_by_route_template(bare):
    await bare.get(f"/demo/v1/notes/{UUID(int=1)}")
    await bare.get(f"/demo/v1/notes/{UUID(int=2)}")
    await bare.get("/demo/v1/nothing/of/the/kind")
    figures = figures_of(await bare.get("/demo/metrics"))
    assert figures["hilo_http_request_seconds_count", ("GET", "/demo/v1/notes/{note_id}", "200")] == 2
    assert figures["hilo_http_request_seconds_count", ("*", "unmatched", "404")] == 1


def test_two_services_of_one_process_count_by_themselves():
    assert make_app().state.metrics.registry is not make_app().state.metrics.registry


def figures_of(answer: httpx.Response) -> dict[tuple[str, tuple[str, ...]], float]:
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# --- documents


async def test_the_documents_page_runs_on_shipped_files_alone(bare):
    page = await bare.get("/demo/docs", headers={"Authorization": ""})
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    for source in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        file = await bare.get(source)
        assert file.status_code == 200
        assert len(file.content) > 100
    assert (await bare.get("/demo/static/secrets.txt")).status_code == 404
    assert (await bare.get("/demo/static/..%2Fsettings.py")).status_code == 404


async def test_documents_can_be_switched_off():
    async with client_for(make_app(docs=False)) as client:
        for path in ("docs", "openapi.json", "asyncapi.json", "static/docs.js"):
            assert (await client.get(f"/demo/{path}")).status_code == 404
        assert (await client.get("/demo/healthz")).status_code == 200


async def test_openapi_tells_scopes_refusals_and_the_form_of_a_problem(bare):
    document = (await bare.get("/demo/openapi.json")).json()
    operation = document["paths"]["/demo/v1/notes"]["post"]
    assert operation["operationId"] == "keep_note"
    assert operation["x-scope"] == "customers:write"
    assert operation["security"] == [{"Bearer": []}]
    assert "`customers:write`" in operation["description"]
    assert {"201", "400", "401", "403", "413", "422", "429", "503"} <= operation["responses"].keys()
    assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert "HTTPValidationError" not in json.dumps(document)
    assert document["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()
    assert "security" not in document["paths"]["/demo/healthz"]["get"]


def test_openapi_of_a_tended_service_has_no_gaps():
    assert openapi_gaps(make_app()) == []


def test_gaps_are_found():
    gaps = openapi_gaps(make_app(routers=[unkempt_routes()]))
    for gap in ("no description", "no tag", "no example of the answer 200"):
        assert any(gap in found for found in gaps), gap


async def test_schemas_of_events_hold_for_what_is_encoded(bare):
    change = scoring.TierChanged(customer_id=UUID(int=1), new="MVC", rules_version="1", at=FakeClock()())
    _, body = events.encode(change, at=FakeClock()())
    envelope = json.loads(body)
    assert envelope["dataschema"] == "/scoring/schemas/scoring.tier-changed.v1.json"
    schema = (await bare.get(envelope["dataschema"].replace("/scoring/", "/demo/", 1))).json()
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(envelope["data"])
    assert not Draft202012Validator(schema).is_valid({})
    assert (await bare.get("/demo/schemas/none.v1.json")).status_code == 404


# --- other origins


async def test_only_named_origins_may_call_from_a_browser():
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    async with client_for(make_app(cors_origins=["https://desk.example"]), key=None) as client:
        welcome = await client.options("/demo/v1/notes", headers={"Origin": "https://desk.example", **ask})
        stranger = await client.options("/demo/v1/notes", headers={"Origin": "https://other.example", **ask})
        answer = await client.get("/demo/v1/notes", headers={"Origin": "https://desk.example"})
    assert welcome.headers["access-control-allow-origin"] == "https://desk.example"
    assert "access-control-allow-origin" not in stranger.headers
    assert answer.status_code == 401
    assert "X-Correlation-ID" in answer.headers["access-control-expose-headers"]


async def test_the_first_key_of_tests_is_the_first_key():
    async with client_for(make_app(), key=FIRST_KEY) as client:
        assert (await client.get("/demo/v1/notes")).status_code == 200


async def test_more_than_can_be_worked_on_is_refused_with_retry_after_while_health_is_told(database):
    """One request hangs in its body; with room for one, the next is sent away and the operators are not."""
    app = make_app(database, most_requests=1)
    stuck, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        stuck.set()
        await go_on.wait()
        yield b'{"text": "late"}'

    async with client_for(app) as client:
        first = asyncio.create_task(
            client.post("/demo/v1/notes", content=slow(), headers={"Content-Type": "application/json"})
        )
        await stuck.wait()
        refused = await client.get("/demo/v1/notes")
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "overloaded", "1")
        assert "x-correlation-id" in refused.headers
        for name in ("healthz", "readyz", "metrics"):
            assert (await client.get(f"/demo/{name}")).status_code == 200
        assert 'hilo_requests_shed_total{reason="requests"} 1.0' in (await client.get("/demo/metrics")).text
        go_on.set()
        assert (await first).status_code == 201
        assert (await client.get("/demo/v1/notes")).status_code == 200


async def test_a_body_whose_length_was_not_announced_counts_as_it_comes(database):
    app = make_app(database, most_request_bytes=300)

    async def chunks():
        for _ in range(5):
            yield b"x" * 100

    async with client_for(app) as client:
        alone = await client.post("/demo/v1/notes/raw", content=chunks())
        assert alone.json()["number"] == 500
        go_on, stuck = asyncio.Event(), asyncio.Event()

        async def slow():
            yield b"x" * 250
            stuck.set()
            await go_on.wait()

        first = asyncio.create_task(client.post("/demo/v1/notes/raw", content=slow()))
        await stuck.wait()
        refused = await client.post("/demo/v1/notes/raw", content=chunks())
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        go_on.set()
        assert (await first).json()["number"] == 250
