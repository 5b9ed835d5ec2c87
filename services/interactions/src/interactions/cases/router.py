"""HTTP in, HTTP out: cases listed, read, answered, verified, reopened, closed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, BaseModel

from common.auth import Principal, needs
from common.http import ClockOf, DatabaseOf
from common.pagination import Page, Paging
from common.problems import problems_of
from interactions.cases import use_cases
from interactions.cases.domain import Act, CaseFile, CaseNotThere, UnknownCase
from interactions.cases.schemas import (
    OF_STAFF,
    CaseRead,
    CaseReason,
    CaseText,
    CaseVerdict,
    CaseWithStepsRead,
    State,
    StepRead,
)
from interactions.readers import customer_now, reader_now
from interactions.resume.domain import Reader
from interactions.touchpoints.domain import KnownTrace, NotForCustomers
from interactions.touchpoints.router import DeskOf, reader_sees
from interactions.uow import InteractionsUnitOfWork

router = APIRouter(prefix="/interactions/v1/cases", tags=["cases (PQR)"])

CanRead = Annotated[Principal, needs("timeline:read")]
CanWrite = Annotated[Principal, needs("cases:write")]
Number = Annotated[
    str, AfterValidator(str.upper), Path(max_length=30, description="The case's number", examples=["PQR-2026-000123"])
]


@router.get("", summary="List cases", response_model_exclude_unset=True)
async def list_cases(
    who: CanRead,
    database: DatabaseOf,
    clock: ClockOf,
    page: Paging,
    customer_id: Annotated[UUID | None, Query(description="Of this customer only")] = None,
    state: Annotated[list[State] | None, Query(description="In one of these states")] = None,
    kind: Annotated[
        Literal["complaint", "claim", "petition", "suggestion", "compliment"] | None,
        Query(description="Of this kind only"),
    ] = None,
) -> Page[CaseRead]:
    """Complaints, claims, petitions, suggestions and compliments (PQR), the latest first."""
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader, wanted = await reader_now(who, uow=uow), await customer_now(customer_id, uow=uow)
        found = await uow.cases.page(
            reader,
            customer_id=wanted,
            states=state or (),
            kind=kind,
            after=page.after(datetime, str),
            limit=page.fetch,
        )
        known = await uow.traces.known({case.trace_id for case in found})
    rows, following = page.cut(found, lambda one: (one.opened_at, one.number))
    now = clock()
    return Page(items=[CaseRead(**_read(one, known, now, reader)) for one in rows], next=following)


@router.get("/{number}", summary="Read a case", response_model_exclude_unset=True, responses=problems_of(UnknownCase))
async def read_case(number: Number, who: CanRead, database: DatabaseOf, clock: ClockOf) -> CaseWithStepsRead:
    """A case with all that was done on it."""
    return await _shown(number, who, database, clock())


@router.post(
    "/{number}:answer",
    summary="Answer a case",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownCase, CaseNotThere, NotForCustomers),
)
async def answer_case(number: Number, body: CaseText, who: CanWrite, desk: DeskOf) -> CaseWithStepsRead:
    """A substantive answer went out (responder). An acknowledgement is none: record it as a touchpoint."""
    if who.customer_id is not None:
        await _shown(number, who, desk.database, desk.clock())  # a foreign one is unknown to him
        raise NotForCustomers
    return await _act(number, "answer", body.text, who, desk)


@router.post(
    "/{number}:verify",
    summary="Verify with the customer",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownCase, CaseNotThere),
)
async def verify_case(number: Number, body: CaseVerdict, who: CanWrite, desk: DeskOf) -> CaseWithStepsRead:
    """The customer was asked whether it is well again (verificar). Where it is not (`recovered` false), the resume goes on to show it."""
    return await _act(number, "verify", body.text, who, desk, recovered=body.recovered)


@router.post(
    "/{number}:reopen",
    summary="Reopen a case",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownCase, CaseNotThere),
)
async def reopen_case(number: Number, body: CaseReason, who: CanWrite, desk: DeskOf) -> CaseWithStepsRead:
    """The answer did not hold (reabrir)."""
    return await _act(number, "reopen", body.reason, who, desk)


@router.post(
    "/{number}:close",
    summary="Close a case",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownCase, CaseNotThere),
)
async def close_case(number: Number, body: CaseReason, who: CanWrite, desk: DeskOf) -> CaseWithStepsRead:
    """Nothing is left to do (cerrar). Only what was answered is closed."""
    return await _act(number, "close", body.reason, who, desk)


async def _act(
    number: str, act: Act, text: str, who: Principal, desk: DeskOf, *, recovered: bool = True
) -> CaseWithStepsRead:
    await _shown(number, who, desk.database, desk.clock())  # a foreign one is unknown to him
    await use_cases.act_on_case(
        number,
        act,
        text=text,
        by=who.known_as,
        recovered=recovered,
        uow=InteractionsUnitOfWork(desk.database),
        clock=desk.clock,
        company=desk.company,
    )
    return await _shown(number, who, desk.database, desk.clock())


async def _shown(number: str, who: Principal, database: DatabaseOf, now: datetime) -> CaseWithStepsRead:
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader = await reader_now(who, uow=uow)
        case = await uow.cases.get(number)
        known = await uow.traces.known([case.trace_id])
        row = await uow.touchpoints.find(case.touchpoint_id)
        steps = await uow.cases.steps(number)
    if not reader_sees(reader, row, known.get(case.trace_id)):
        raise UnknownCase
    return CaseWithStepsRead(
        **_read(case, known, now, reader), steps=[StepRead(**_told(StepRead, step, reader)) for step in steps]
    )


def _read(case: CaseFile, known: dict[UUID, KnownTrace], now: datetime, reader: Reader) -> dict[str, Any]:
    trace = known.get(case.trace_id)
    told = _told(CaseRead, vars(case), reader)
    return {**told, "customer_id": trace.customer_id if trace else None, "hours_open": case.hours_open(now)}


def _told(body: type[BaseModel], record: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """What of a record the body has and the reader may see."""
    names = body.model_fields.keys() if reader.internal else body.model_fields.keys() - OF_STAFF
    return {name: record[name] for name in names if name in record}
