"""HTTP in, HTTP out: promises listed, read, kept, waived, put on another date."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.clock import Clock
from common.http import ClockOf, DatabaseOf
from common.pagination import Page, Paging
from common.problems import problems_of
from interactions.commitments import domain, use_cases
from interactions.commitments.domain import Commitment, CommitmentSettled, DueInPast, UnknownCommitment
from interactions.commitments.schemas import CommitmentDate, CommitmentRead, CommitmentReason
from interactions.readers import customer_now, reader_now, reader_of
from interactions.touchpoints.domain import KnownTrace, NotForCustomers
from interactions.touchpoints.router import reader_sees
from interactions.uow import InteractionsUnitOfWork

router = APIRouter(prefix="/interactions/v1/commitments", tags=["commitments (compromisos)"])

CanRead = Annotated[Principal, needs("timeline:read")]
CanWrite = Annotated[Principal, needs("commitments:write")]


@router.get("", summary="List promises")
async def list_commitments(
    who: CanRead,
    database: DatabaseOf,
    clock: ClockOf,
    page: Paging,
    customer_id: Annotated[UUID | None, Query(description="Of this customer only")] = None,
    state: Annotated[
        Literal["open", "late", "kept", "broken", "waived"] | None, Query(description="In this state only")
    ] = None,
    by: Annotated[Literal["company", "customer"] | None, Query(description="Who promised")] = None,
) -> Page[CommitmentRead]:
    """Who promised what by when (compromisos), the latest first. One whose time has passed is late by itself."""
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader, wanted = await reader_now(who, uow=uow), await customer_now(customer_id, uow=uow)
        found = await uow.commitments.page(
            reader,
            customer_id=wanted,
            state=state,
            by=by,
            now=clock(),
            after=page.after(datetime, UUID),
            limit=page.fetch,
        )
        known = await uow.traces.known({one.trace_id for one in found})
    rows, following = page.cut(found, lambda one: (one.made_at, one.commitment_id))
    return Page(items=[_read(one, known.get(one.trace_id), who, clock=clock) for one in rows], next=following)


@router.get("/{commitment_id}", summary="Read a promise", responses=problems_of(UnknownCommitment))
async def read_commitment(commitment_id: UUID, who: CanRead, database: DatabaseOf, clock: ClockOf) -> CommitmentRead:
    """One promise as it stands (compromiso), also after it was settled, with the dates that it had before."""
    found, trace = await _reached(commitment_id, who, database)
    return _read(found, trace, who, clock=clock)


@router.post(
    "/{commitment_id}:keep",
    summary="Say that a promise was kept",
    responses=problems_of(UnknownCommitment, CommitmentSettled),
)
async def keep_commitment(
    commitment_id: UUID, body: CommitmentReason, who: CanWrite, database: DatabaseOf, clock: ClockOf
) -> CommitmentRead:
    """It was done (cumplido), in time or late."""
    return await _settle(commitment_id, "keep", body, who, database, clock)


@router.post(
    "/{commitment_id}:waive",
    summary="Say that a promise need not be kept",
    responses=problems_of(UnknownCommitment, CommitmentSettled, NotForCustomers),
)
async def waive_commitment(
    commitment_id: UUID, body: CommitmentReason, who: CanWrite, database: DatabaseOf, clock: ClockOf
) -> CommitmentRead:
    """Whoever it was promised to does without (dispensado): of what he promised himself a customer cannot say so."""
    return await _settle(commitment_id, "waive", body, who, database, clock)


@router.post(
    "/{commitment_id}:reschedule",
    summary="Put a promise on another date",
    responses=problems_of(UnknownCommitment, CommitmentSettled, DueInPast, NotForCustomers),
)
async def reschedule_commitment(
    commitment_id: UUID, body: CommitmentDate, who: CanWrite, database: DatabaseOf, clock: ClockOf
) -> CommitmentRead:
    """Another date was agreed on (reprogramar): it is in time until then. The dates before stay visible; that it was late, where it was, stays told."""
    _, trace = await _reached(commitment_id, who, database)
    if who.customer_id is not None:
        raise NotForCustomers
    after = await use_cases.reschedule(
        commitment_id,
        body.due_at,
        reason=body.reason,
        agreed_with=body.agreed_with,
        by=who.known_as,
        uow=InteractionsUnitOfWork(database),
        clock=clock,
    )
    return _read(after, trace, who, clock=clock)


async def _settle(
    commitment_id: UUID,
    act: Literal["keep", "waive"],
    body: CommitmentReason,
    who: Principal,
    database: DatabaseOf,
    clock: Clock,
) -> CommitmentRead:
    found, trace = await _reached(commitment_id, who, database)
    if act == "waive" and found.by == "customer" and who.customer_id is not None:
        raise NotForCustomers
    after = await use_cases.settle(
        commitment_id,
        act,
        reason=body.reason,
        by=who.known_as,
        uow=InteractionsUnitOfWork(database),
        clock=clock,
    )
    return _read(after, trace, who, clock=clock)


async def _reached(commitment_id: UUID, who: Principal, database: DatabaseOf) -> tuple[Commitment, KnownTrace | None]:
    """The promise, and whose it is. Raises UnknownCommitment for what the caller does not see."""
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader = await reader_now(who, uow=uow)
        found = await uow.commitments.get(commitment_id)
        row = await uow.touchpoints.find(found.touchpoint_id)
        trace = (await uow.traces.known([found.trace_id])).get(found.trace_id)
    if not reader_sees(reader, row, trace):
        raise UnknownCommitment
    return found, trace


def _read(one: Commitment, trace: KnownTrace | None, who: Principal, *, clock: Clock) -> CommitmentRead:
    internal = reader_of(who, None).internal
    derived = {
        "owner": one.owner if internal else None,
        "reason": one.reason if internal else None,
        "state": one.state_at(clock()),
        "customer_id": trace.customer_id if trace else None,
        "earlier_dates": domain.earlier_dates(one.earlier_dates, internal=internal),
    }
    names = [name for name in CommitmentRead.model_fields if name not in derived]
    return CommitmentRead.model_validate({name: getattr(one, name) for name in names} | derived)
