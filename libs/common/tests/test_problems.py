"""Every refusal leaves as a problem; nothing that was sent comes back in it."""

from typing import Annotated, Literal

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator
from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common import errors, problems
from common.db import Database, misfits
from common.errors import FieldError
from common.events import correlation_id

PERSONAL = "Ana María 3001234567"


class DifferentBody(errors.Conflict):
    code = "different-body"
    title = "It was recorded with another body"


class Purchase(BaseModel):
    kind: Literal["purchase"]
    amount: int


class Call(BaseModel):
    kind: Literal["call"]
    seconds: int


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    phones: list[Annotated[str, StringConstraints(max_length=5)]] = []
    payload: Annotated[Purchase | Call, Field(discriminator="kind")] | None = None
    age: int = 0

    @field_validator("age")
    @classmethod
    def _grown_up(cls, age: int) -> int:
        if age < 0:
            raise ValueError("must not be negative")
        return age


def app_that(handler):
    app = FastAPI()
    problems.install(app)
    app.post("/call")(handler)
    return app


async def answer_of(error, **request):
    async def handler() -> None:
        raise error

    return await call(app_that(handler), **request)


async def call(app, **request):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/call", **request)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (problems.Malformed, 400),
        (errors.Unauthenticated, 401),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (DifferentBody, 409),
        (errors.Stale, 412),
        (problems.TooLarge, 413),
        (errors.Invalid, 422),
        (errors.VersionMissing, 428),
        (errors.TooMany, 429),
        (errors.Unavailable, 503),
    ],
)
async def test_each_family_has_its_status(refusal, status):
    answer = await answer_of(refusal("In words.", pointer="/identifiers/0"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"urn:hilo:problem:{refusal.code}",
        "title": refusal.title,
        "status": status,
        "detail": "In words.",
        "code": refusal.code,
        "errors": [{"pointer": "/identifiers/0", "code": refusal.code, "detail": "In words."}],
        "instance": None,
    }


async def test_headers_say_how_to_go_on():
    assert (await answer_of(errors.Unauthenticated())).headers["www-authenticate"].startswith("Bearer")
    assert int((await answer_of(errors.Unavailable())).headers["retry-after"]) > 0
    assert int((await answer_of(errors.TooMany())).headers["retry-after"]) > 0


def test_the_instance_is_the_correlation_id():
    token = correlation_id.set("abc-1")
    try:
        assert problems.problem_of(errors.NotFound())["instance"] == "abc-1"
    finally:
        correlation_id.reset(token)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"phones": ["1", PERSONAL]}, "/phones/1", "string-too-long"),
        ({"payload": {"kind": PERSONAL}}, "/payload", "union-tag-invalid"),
        ({"payload": {"kind": "purchase", "amount": PERSONAL}}, "/payload/amount", "int-parsing"),
        ({"payload": {"kind": "purchase"}}, "/payload/amount", "missing"),
        ({"payload": {}}, "/payload", "union-tag-not-found"),
        ({"age": -1}, "/age", "value-error"),
        ({"age": PERSONAL}, "/age", "int-parsing"),
        ({"a/b~c": 1}, "/a~1b~0c", "extra-forbidden"),
        ([PERSONAL], "", "model-attributes-type"),
    ],
)
async def test_a_body_that_is_not_as_declared_points_at_the_place(body, pointer, code):
    async def handler(body: Body) -> None: ...

    answer = await call(app_that(handler), json=body)
    assert answer.status_code == 422
    document = answer.json()
    assert [(e["pointer"], e["code"]) for e in document["errors"]] == [(pointer, code)]
    assert "Ana" not in answer.text
    assert "3001234567" not in answer.text
    assert "Value error" not in answer.text


async def test_a_parameter_points_outside_of_the_body():
    async def handler(limit: int) -> None: ...

    document = (await call(app_that(handler), params={"limit": PERSONAL})).json()
    assert document["errors"][0]["pointer"] == "/query/limit"


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'{"age": 1e400000000}x'])
async def test_what_is_no_json_is_unreadable(body):
    async def handler(body: Body) -> None: ...

    answer = await call(app_that(handler), content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {"malformed", "invalid"}


async def test_a_hundred_errors_are_told_in_fifty():
    async def handler(body: Body) -> None: ...

    document = (await call(app_that(handler), json={"phones": ["too long"] * 100})).json()
    assert len(document["errors"]) == 50


def test_errors_of_a_row_are_told_in_the_same_form():
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Body).validate_python({"age": "x"})
    found = problems.field_errors_of(error.value.errors(), {"age": "x"})
    assert found[0].pointer == "/age"
    row = problems.problem_of(errors.Invalid("See errors.", errors=found))
    assert row["errors"][0]["code"] == "int-parsing"


async def test_the_routers_own_refusals_are_problems_too():
    app = app_that(lambda: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        missing, method = await client.get("/nothing"), await client.get("/call")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    assert (method.status_code, method.json()["code"]) == (405, "method-not-allowed")
    assert method.headers["allow"] == "POST"


async def test_words_of_an_http_exception_are_not_passed_on():
    answer = await answer_of(HTTPException(418, detail=PERSONAL))
    assert answer.status_code == 418
    assert "Ana" not in answer.text


class DriverError(Exception):
    def __init__(self, words="", sqlstate=None):
        super().__init__(words)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("select", {}, DriverError("database is locked")),
        OperationalError("select", {}, DriverError(sqlstate="40P01")),
        OperationalError("select", {}, DriverError(sqlstate="57P01")),
        PoolTimeout(),
        ConnectionRefusedError(),
        TimeoutError(),
        errors.Transient(),
    ],
)
async def test_a_database_that_is_away_or_busy_is_503(error):
    answer = await answer_of(error)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "error",
    [
        ProgrammingError(f"insert {PERSONAL}", {}, DriverError(sqlstate="42P01")),
        IntegrityError(f"insert {PERSONAL}", {}, DriverError(sqlstate="23505")),
        OperationalError("select", {}, DriverError("no such table: x")),
        RuntimeError(PERSONAL),
    ],
)
async def test_a_fault_of_ours_is_not_taken_for_an_absence(error):
    answer = await answer_of(error)
    assert answer.status_code == 500
    assert "Ana" not in answer.text


def test_a_statement_that_does_not_fit_is_told_by_the_database_never_by_a_value_that_it_quotes():
    assert misfits(ProgrammingError("insert", {}, DriverError(sqlstate="42703")))
    assert misfits(OperationalError("insert", {}, DriverError("no such column: site")))
    assert not misfits(DataError("insert", {}, DriverError("no such column", sqlstate="22021")))
    assert not misfits(DBAPIError("insert", {}, ValueError("invalid input: 'no such table, syntax error'")))
    assert not misfits(RuntimeError("no such column"))


async def test_a_value_that_the_database_cannot_hold_is_the_callers():
    assert (await answer_of(DataError("insert", {}, DriverError(sqlstate="22021")))).status_code == 422


@pytest.mark.parametrize("value", ["zero \x00 byte", 2**70])
async def test_real_databases_refuse_unstorable_values_as_422_or_take_them(database, value):
    async def handler() -> None:
        async with database.session() as session:
            await session.execute(text("SELECT CAST(:value AS VARCHAR(50))"), {"value": value})

    answer = await call(app_that(handler))
    assert answer.status_code in {200, 422}


async def test_where_the_body_holds_nul_the_field_is_named():
    async def handler(body: dict[str, list[str]]) -> None:
        raise DataError("insert", {}, DriverError(sqlstate="22021"))

    answer = await call(app_that(handler), json={"names": ["Ana", "Lu\x00is"]})
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("/names/1", "bad-characters")]


async def test_a_real_database_that_is_away_is_503():
    database = Database.connect("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")

    async def handler() -> None:
        async with database.session() as session:
            await session.execute(text("SELECT 1"))

    assert (await call(app_that(handler))).status_code == 503
    await database.dispose()


def test_declared_refusals_of_one_status_stand_side_by_side():
    responses = problems.problems_of(DifferentBody, errors.Conflict, errors.NotFound)
    assert sorted(responses) == [404, 409]
    content = responses[409]["content"]["application/problem+json"]
    assert sorted(content["examples"]) == ["conflict", "different-body"]
    problems.Problem.model_validate(content["examples"]["different-body"]["value"])


def test_a_field_error_of_a_rule_is_kept():
    refusal = errors.Invalid("See errors.", errors=[FieldError("/a", "too-big", "At most 5.")])
    assert problems.problem_of(refusal)["errors"] == [{"pointer": "/a", "code": "too-big", "detail": "At most 5."}]
