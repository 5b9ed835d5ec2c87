"""HTTP in, HTTP out: touchpoints taken one by one and in batches, read, corrected, retracted, redacted."""

import json
from collections import Counter
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response

from common.auth import Principal, needs
from common.behind import by_slices
from common.company import Company
from common.errors import Invalid
from common.http import DatabaseOf, body_of, clock_of, company_of, database_of, made_once, metrics_of
from common.identifiers import InvalidIdentifier
from common.moments import OccurredInFuture
from common.problems import MEDIA_TYPE, Malformed, problem_of, problems_of
from interactions.readers import reader_now
from interactions.resume.domain import PROVEN, Reader, came_through
from interactions.settings import InteractionsSettings
from interactions.touchpoints.domain import (
    DifferentBody,
    Draft,
    ForeignSource,
    KnownTrace,
    NotForCustomers,
    PersonErased,
    Speaker,
    UnknownCaseNumber,
    UnknownPromise,
    UnknownThread,
    UnknownTouchpoint,
    Unreadable,
)
from interactions.touchpoints.schemas import (
    BATCH_BODY,
    TOUCHPOINT_BODY,
    BatchRead,
    TouchpointRead,
    TouchpointRecordedRead,
    read_body,
    read_document,
    shown,
)
from interactions.touchpoints.use_cases import Desk, Outcome, Recorder, Refused
from interactions.uow import InteractionsUnitOfWork

MOST_ROWS = 1_000
NDJSON = "application/x-ndjson"

router = APIRouter(prefix="/interactions/v1/touchpoints", tags=["touchpoints (puntos de contacto)"])

CanRecord = Annotated[Principal, needs("touchpoints:write")]
CanRead = Annotated[Principal, needs("touchpoints:read")]


class BatchTooLarge(Invalid):
    code = "batch-too-large"
    title = f"A batch has at most {MOST_ROWS} rows"


async def desk_of(request: Request) -> Desk:
    """What recording needs, from the application."""
    return _desk(request)


def _desk(request: Request) -> Desk:
    settings: InteractionsSettings = request.app.state.settings
    return made_once(
        request,
        "desk",
        lambda: Desk(database_of(request), clock_of(request), company_of(request), settings.identifier_secret),
    )


DeskOf = Annotated[Desk, Depends(desk_of)]


def _recorder(request: Request) -> Recorder:
    """The application's group commit. Called, not injected: that would cost more than all it does."""
    return made_once(request, "recorder", lambda: Recorder(_desk(request)))


def speaker_of(who: Principal) -> Speaker:
    """Whoever may do everything may speak for any source; others for their own, where they have one. A customer proves himself alone."""
    return Speaker(
        by=who.known_as,
        source=who.source,
        bound=who.source is not None and not who.may("*"),
        attests=who.attests if who.customer_id is None else frozenset({"customer"}),
        customer_id=who.customer_id,
        partner=who.partner,
    )


@router.post(
    "",
    status_code=201,
    summary="Record a touchpoint",
    response_model=TouchpointRecordedRead,
    openapi_extra=TOUCHPOINT_BODY,
    responses={
        200: {"model": TouchpointRecordedRead, "description": "It was known already: the first answer again"},
        **problems_of(
            Malformed,
            Invalid,
            InvalidIdentifier,
            OccurredInFuture,
            UnknownThread,
            UnknownCaseNumber,
            UnknownPromise,
            ForeignSource,
            NotForCustomers,
            DifferentBody,
            PersonErased,
        ),
    },
)
async def record_touchpoint(request: Request, who: CanRecord) -> Response:
    """Take one contact (registrar un punto de contacto): it is in the resume when this has answered.

    Resend blindly: the same source and external id count once and get the first answer. What is refused is kept in the
    parked store under `parked_id`. A customer's own credential tells of himself, under no source but its own: sales, answers of
    ours and what the company promised are not his to record.
    """
    given = read_body(await body_of(request), speaker=speaker_of(who), company=company_of(request))
    (outcome,) = await _recorder(request).record([given])
    _count(request, _fate(outcome), 1)
    return _answered(outcome)


@router.post(
    ":batch",
    summary="Record up to 1,000 touchpoints",
    response_model=BatchRead,
    openapi_extra=BATCH_BODY,
    responses=problems_of(Malformed, BatchTooLarge),
)
async def record_batch(request: Request, who: CanRecord) -> Response:
    """Take a JSON array, or lines of JSON (application/x-ndjson). One bad row is refused alone; the others are recorded."""
    speaker = speaker_of(who)
    body = await body_of(request)
    rows = _lines(body) if _is_lines(request) else _array(body)
    if len(rows) > MOST_ROWS:
        raise BatchTooLarge(pointer="")
    given = await by_slices(partial(_read, speaker=speaker, company=company_of(request)), rows)
    outcomes = await _recorder(request).record(given)
    counts = Counter(map(_fate, outcomes))
    for fate, count in counts.items():
        _count(request, fate, count)
    return _batch_answered(outcomes, counts)


@router.get(
    "/{touchpoint_id}",
    summary="Read a touchpoint",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownTouchpoint),
)
async def read_touchpoint(touchpoint_id: UUID, who: CanRead, database: DatabaseOf) -> TouchpointRead:
    """One touchpoint as it stands: its version, its thread, what was taken back or emptied and why."""
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader = await reader_now(who, uow=uow)
        row = await uow.touchpoints.get(touchpoint_id)
        held = (await uow.conversations.holding([touchpoint_id])).get(touchpoint_id)
        matched_by = await uow.conversations.matched_by(touchpoint_id)
        trace = (await uow.traces.known([row["trace_id"]])).get(row["trace_id"])
    if not reader_sees(reader, row, trace):
        raise UnknownTouchpoint
    conversation_id = held[0] if held else None
    return shown(row, trace=trace, conversation_id=conversation_id, matched_by=matched_by, internal=reader.internal)


def reader_sees(reader: Reader, row: Any, trace: KnownTrace | None) -> bool:
    """An agent all; a customer what proven traces of his own hold; a partner what came through himself. Neither what is internal.

    `row`: the contact; None once its year of the log is gone, which leaves nothing to judge by.
    """
    if reader.internal:
        return True
    if row is None or row["visibility"] == "internal" or row["state"] != "live":
        return False
    if reader.view == "partner":
        return came_through(reader, partner=row["partner"], source=row["source"])
    return trace is not None and trace.customer_id == reader.customer_id and trace.proof in PROVEN


def _is_lines(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON


def _lines(body: bytes) -> list[Any]:
    return [line for line in body.splitlines() if line.strip()]


def _array(body: bytes) -> list[Any]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _apart(body)
    if not isinstance(rows, list):
        raise Invalid("A batch is a JSON array.", pointer="")
    return rows


def _apart(body: bytes) -> list[bytes]:
    """The rows of an array that holds one which cannot be kept, such as a text cut off within a sign; each to be read alone."""
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise Malformed("The body is no JSON.", pointer="")
    return [json.dumps(row).encode() for row in rows]


def _read(row: Any, *, speaker: Speaker, company: Company) -> Draft | Unreadable:
    read = read_body if isinstance(row, bytes) else read_document
    return read(row, speaker=speaker, company=company)


def _answered(outcome: Outcome) -> Response:
    if isinstance(outcome, Refused):
        document = problem_of(outcome.refusal) | {"parked_id": outcome.parked_as}
        return Response(orjson.dumps(document), status_code=document["status"], media_type=MEDIA_TYPE)
    status = 201 if outcome.status == "recorded" else 200
    return Response(orjson.dumps(outcome.as_body()), status_code=status, media_type="application/json")


def _batch_answered(outcomes: list[Outcome], counts: Counter[str]) -> Response:
    body = {
        "recorded": counts["recorded"],
        "duplicate": counts["duplicate"],
        "refused": counts["refused"],
        "results": [{"index": place, **outcome.as_body()} for place, outcome in enumerate(outcomes)],
    }
    return Response(orjson.dumps(body), media_type="application/json")


def _fate(outcome: Outcome) -> str:
    return "refused" if isinstance(outcome, Refused) else outcome.status


def _count(request: Request, fate: str, count: int) -> None:
    metrics_of(request).ingested.labels(fate, "http").inc(count)
