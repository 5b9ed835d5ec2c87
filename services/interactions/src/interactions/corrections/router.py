"""HTTP in, HTTP out: touchpoints retracted, corrected, redacted by staff."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from common.auth import Principal, needs
from common.errors import Forbidden, Invalid
from common.http import CompanyOf
from common.problems import Malformed, problems_of
from interactions.corrections import use_cases
from interactions.corrections.schemas import ReasonBody, RedactBody
from interactions.touchpoints.domain import (
    AnotherExternalId,
    ForeignSource,
    NotRedactable,
    PersonErased,
    TouchpointNotLive,
    UnknownTouchpoint,
    Unreadable,
)
from interactions.touchpoints.router import DeskOf, read_touchpoint, speaker_of
from interactions.touchpoints.schemas import TOUCHPOINT_BODY, TouchpointRead, TouchpointRecordedRead, read_body
from interactions.touchpoints.use_cases import Desk

router = APIRouter(prefix="/interactions/v1/touchpoints", tags=["touchpoints (puntos de contacto)"])

CanRecord = Annotated[Principal, needs("touchpoints:write")]
WhyCorrected = Annotated[str, Query(min_length=1, max_length=500, description="Why it is corrected (motivo)")]


class StaffOnly(Forbidden):
    code = "staff-only"
    title = "A customer's or a partner's credential cannot change the log"


@router.post(
    "/{touchpoint_id}:retract",
    summary="Take a touchpoint's effects back",
    responses=problems_of(UnknownTouchpoint, TouchpointNotLive, StaffOnly),
)
async def retract_touchpoint(touchpoint_id: UUID, body: ReasonBody, who: CanRecord, desk: DeskOf) -> TouchpointRead:
    """It was recorded wrongly (retractar): value, threads, promises and cases become as if it had not been; it stays in the log, marked."""
    await _only_staff(who, touchpoint_id, desk)
    await use_cases.retract(touchpoint_id, reason=body.reason, by=who.known_as, desk=desk)
    return await read_touchpoint(touchpoint_id, who, desk.database)


@router.post(
    "/{touchpoint_id}:redact",
    summary="Empty some of it for good",
    responses=problems_of(UnknownTouchpoint, NotRedactable, StaffOnly),
)
async def redact_touchpoint(touchpoint_id: UUID, body: RedactBody, who: CanRecord, desk: DeskOf) -> TouchpointRead:
    """What the pointers name is gone for good (suprimir contenido), in the log, in threads and in parked bodies; that it was, stays.

    An item of a list (`/references/0`) is taken out of it, and those behind it move up: the pointers of one request name the
    places before that. Read the contact before you name another. What identity has learnt from it, facts and profile, is told
    until it is put right there (`POST /identity/v1/customers/{id}:rectify`).
    """
    await _only_staff(who, touchpoint_id, desk)
    by = who.known_as
    await use_cases.redact(touchpoint_id, body.pointers, reason=body.reason, by=by, desk=desk)
    return await read_touchpoint(touchpoint_id, who, desk.database)


@router.post(
    "/{touchpoint_id}:correct",
    summary="Put a corrected version beside it",
    status_code=201,
    response_model=TouchpointRecordedRead,
    openapi_extra=TOUCHPOINT_BODY,
    responses={
        200: {"model": TouchpointRecordedRead, "description": "It was corrected so already: the first answer again"},
        **problems_of(
            UnknownTouchpoint,
            TouchpointNotLive,
            AnotherExternalId,
            ForeignSource,
            PersonErased,
            Invalid,
            Malformed,
            StaffOnly,
        ),
    },
)
async def correct_touchpoint(
    touchpoint_id: UUID,
    request: Request,
    response: Response,
    who: CanRecord,
    company: CompanyOf,
    desk: DeskOf,
    reason: WhyCorrected = "corrected",
) -> dict[str, Any]:
    """The whole new body, with the same source and external id (corregir). The old version's effects are taken back.

    Of the same person a case goes on under its number, and a promise told of in the same words under its id, with what was
    done on them since. Send it again blindly: the same body counts once.

    What was proved in the contact, and the partner through whom it came, stay as they were: your credential attests the
    identifiers that you bring, none that was there before. `attests` may say that less was proved.

    What occurred before somebody's erasure is not brought under his identifiers either: 409 `erased`, and the old version stands.
    """
    await _only_staff(who, touchpoint_id, desk)
    given = read_body(await request.body(), speaker=speaker_of(who), company=company)
    if isinstance(given, Unreadable):
        raise given.refusal
    by = who.known_as
    corrected = await use_cases.correct(touchpoint_id, given, by=by, reason=reason, desk=desk)
    if corrected.status == "duplicate":
        response.status_code = 200
    return corrected.as_body()


async def _only_staff(who: Principal, touchpoint_id: UUID, desk: Desk) -> None:
    if who.subject is None:
        return
    await read_touchpoint(touchpoint_id, who, desk.database)  # a foreign one is unknown to him
    raise StaffOnly
