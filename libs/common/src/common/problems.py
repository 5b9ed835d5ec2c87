"""Every refusal leaves as the same small document, problem+json of RFC 9457; what the caller sent is never repeated in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy import exc as database_errors
from starlette.exceptions import HTTPException
from starlette.responses import Response

from common.db import is_transient
from common.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Stale,
    TooMany,
    Transient,
    Unauthenticated,
    Unavailable,
    VersionMissing,
)
from common.events import correlation_id

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2
LONGEST_POINTER = 200
MOST_ERRORS = 50

log = structlog.get_logger()


class Malformed(Invalid):
    """Not readable at all: broken JSON, a cursor that was never given out."""

    code = "malformed"
    title = "The request cannot be read"


class TooLarge(Invalid):
    code = "body-too-large"
    title = "The body is larger than is taken here"


class FieldProblem(BaseModel):
    """Where it went wrong, what went wrong, and words for people."""

    pointer: str = Field(
        description="JSON pointer into the body; `/query/...`, `/path/...` or `/header/...` outside of it"
    )
    code: str = Field(description="kebab-case, stable")
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457). `code` is stable and meant for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem]
    instance: str | None = Field(description="The correlation id, also in the header X-Correlation-ID")


# The one place where refusals meet HTTP; the nearest ancestor counts.
_STATUS: dict[type[Exception], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    TooLarge: 413,
    Invalid: 422,
    VersionMissing: 428,
    TooMany: 429,
    Unavailable: 503,
    Refusal: 422,
}
_ROUTER: dict[int, tuple[str, str]] = {
    400: ("malformed", "The request cannot be read"),
    404: ("not-found", "Nothing here under that name"),
    405: ("method-not-allowed", "This method is not offered here"),
    413: (TooLarge.code, TooLarge.title),
    415: ("unsupported-media-type", "This kind of body is not taken here"),
    503: ("overloaded", "More is asked than can be answered in time; come back more slowly"),
}
_UNSTORABLE_STATES = re.compile(r"22...")


def status_of(refusal: Refusal | type[Refusal]) -> int:
    kind = refusal if isinstance(refusal, type) else type(refusal)
    return next(_STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in _STATUS)


def problem_of(refusal: Refusal) -> dict[str, Any]:
    """The document for a refusal, as it stands in an answer, in a row of a batch and in the parked store."""
    return _document(status_of(refusal), refusal.code, refusal.title, refusal.detail, refusal.errors)


def problem_response(refusal: Refusal) -> Response:
    """The answer to the caller, with the headers that its status asks for."""
    return _response(problem_of(refusal), _headers_of(refusal))


def unexpected_response() -> Response:
    """What the caller hears of a fault of ours: its correlation id and nothing else."""
    return _response(
        _document(500, "unexpected", "Something went wrong on our side", "It has been logged under the correlation id.")
    )


def field_errors_of(errors: Iterable[Mapping[str, Any]], body: object = None) -> list[FieldError]:
    """Pydantic's errors as ours: pointers into `body`, codes in kebab-case, and no input in the words."""
    return [
        FieldError(_pointer(error, body), str(error["type"]).replace("_", "-"), _words(error))
        for error in list(errors)[:MOST_ERRORS]
    ]


def nul_in(document: object) -> list[FieldError]:
    """Where the first text or key of a parsed body is that holds NUL, which PostgreSQL cannot keep; nothing where none is."""
    pointer = _nul_below(document, "")
    return [] if pointer is None else [FieldError(pointer, "bad-characters", "NUL cannot be kept")]


def _nul_below(value: object, pointer: str) -> str | None:
    if isinstance(value, str):
        return pointer if "\x00" in value else None
    if isinstance(value, dict):
        steps = [(f"{pointer}/{str(k).replace('~', '~0').replace('/', '~1')}", v) for k, v in value.items()]
        if any("\x00" in str(key) for key in value):
            return pointer
    elif isinstance(value, list):
        steps = [(f"{pointer}/{place}", item) for place, item in enumerate(value)]
    else:
        return None
    return next((found for where, item in steps if (found := _nul_below(item, where)) is not None), None)


def problems_of(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: for each status the schema and an example for every refusal that leads to it."""
    responses: dict[int | str, dict[str, Any]] = {}
    for refusal in refusals:
        status = status_of(refusal)
        answer = responses.setdefault(status, _described(status))
        answer["content"][MEDIA_TYPE]["examples"][refusal.code] = {"summary": refusal.title, "value": _example(refusal)}
    return responses


def install(app: FastAPI) -> None:
    """Every exception that is an answer becomes a problem. What is none is left to the outermost middleware."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_unreadable_request)
    app.add_exception_handler(HTTPException, _on_router_refusal)
    for away in (Transient, ConnectionError, TimeoutError, database_errors.TimeoutError):
        app.add_exception_handler(away, _on_something_away)
    app.add_exception_handler(database_errors.DBAPIError, _on_database_error)
    app.add_exception_handler(
        OverflowError, _on_unstorable
    )  # a number too long for SQLite, a moment before the year 1 in UTC


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - the handler is registered for it
    return problem_response(error)


async def _on_unreadable_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for it
    errors = error.errors()
    if any(e["type"] == "json_invalid" for e in errors):
        return problem_response(Malformed("The body is no JSON.", pointer=""))
    return problem_response(Invalid("See errors.", errors=field_errors_of(errors, error.body)))


async def _on_router_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for it
    code, title = _ROUTER.get(error.status_code, ("refused", HTTPStatus(error.status_code).phrase))
    return _response(_document(error.status_code, code, title, title), error.headers)


async def _on_something_away(_: Request, error: Exception) -> Response:
    log.warning("part_away", error=type(error).__name__)
    return problem_response(Unavailable())


async def _on_database_error(request: Request, error: Exception) -> Response:
    if is_transient(error):
        return await _on_something_away(request, error)
    if _UNSTORABLE_STATES.fullmatch(_sqlstate(error)) or isinstance(error, database_errors.DataError):
        return await _on_unstorable(request, error)
    raise error


async def _on_unstorable(request: Request, error: Exception) -> Response:
    log.warning("value_unstorable", error=type(error).__name__)
    read = getattr(request, "_json", None)  # the body, where FastAPI has read it
    return problem_response(
        Invalid("A value in the request is too large, or of no use to a database.", errors=nul_in(read))
    )


def _sqlstate(error: BaseException) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _document(status: int, code: str, title: str, detail: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
    return {
        "type": f"urn:hilo:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in errors],
        "instance": correlation_id.get(),
    }


def _response(document: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(document), status_code=document["status"], media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def _headers_of(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="hilo"'}
    if isinstance(refusal, TooMany | Unavailable):
        return {"Retry-After": str(getattr(refusal, "retry_after", RETRY_SECONDS))}
    return {}


def _pointer(error: Mapping[str, Any], body: object) -> str:
    where, *parts = error["loc"] or ("body",)
    if where != "body":
        return _joined([where, *parts])
    # Pydantic puts the names of union members between the keys; only what exists in the body, or is missing there, is a step
    kept, value = [], body
    for part in parts:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            kept.append(part)
            value = value[part]
        elif error["type"] == "missing" and part == parts[-1]:
            kept.append(part)
    return _joined(kept)


def _joined(parts: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)[:LONGEST_POINTER]


def _words(error: Mapping[str, Any]) -> str:
    """Pydantic's message, but for those that quote the input."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "union_tag_invalid":
        return f"Must be one of {context.get('expected_tags')}"
    if kind == "uuid_parsing":
        return "Input should be a valid UUID"
    return str(error["msg"]).removeprefix("Value error, ")


def _described(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
    }


def _example(refusal: type[Refusal]) -> dict[str, Any]:
    document = _document(status_of(refusal), refusal.code, refusal.title, refusal.title)
    return document | {"instance": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"}
