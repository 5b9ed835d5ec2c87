"""Preferences and consents over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from common.auth import Principal, needs
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.moments import OccurredInFuture
from common.pagination import Paging
from common.problems import problems_of
from identity.callers import Reading, Secret, Writing
from identity.contact.domain import PROCESSING, Consent, UnknownChannel, check_channel, check_ranking
from identity.contact.schemas import ConsentPage, ConsentRead, ConsentRecord, ContactRead, Preferences
from identity.contact.use_cases import holding_of, prefer, record_consent
from identity.customers.domain import UnknownCustomer
from identity.customers.use_cases import STAFF
from identity.reach import ForStaffOnly, for_staff, visible
from identity.uow import IdentityUnitOfWork

router = APIRouter(prefix="/identity/v1/customers/{customer_id}", tags=["contact (cómo contactarlo)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanRecord = Annotated[Principal, needs("consents:write")]


@router.post(
    "/consents",
    status_code=201,
    summary="Record a consent",
    responses=problems_of(UnknownCustomer, UnknownChannel, OccurredInFuture, ForStaffOnly, KeyReused),
)
async def consent(
    customer_id: UUID,
    body: ConsentRecord,
    who: CanRecord,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> ConsentRead:
    """Given or withdrawn (autorización, revocatoria), with its evidence: one more entry of a ledger that only grows.

    Granting `processing` lifts a restriction, which staff does.
    """
    if body.purpose == PROCESSING and body.granted:
        for_staff(who)
    check_channel(body.channel, company.channels)
    source = "customer" if who.customer_id is not None else body.source or who.source or STAFF
    now = clock()
    entry = Consent(
        customer_id,
        customer_id,
        body.purpose,
        body.channel,
        body.granted,
        body.at or now,
        now,
        source,
        body.evidence,
        "",
    )
    return ConsentRead.of(
        await record_consent(
            customer_id=customer_id, entry=entry, who=who, attempt=attempt, uow=uow, clock=clock, secret=secret
        )
    )


@router.get("/consents", summary="Read the ledger of consents", responses=problems_of(UnknownCustomer))
async def list_consents(customer_id: UUID, who: CanRead, uow: Reading, page: Paging) -> ConsentPage:
    """Every entry, the newest first. What holds by now is in the preferences. Why staff restricted the use of his data he does not read."""
    after = page.after(UUID)
    async with uow:
        traces = await _traces(customer_id, who, uow)
        found = await uow.contact.ledger(traces, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda entry: (entry.consent_id,))
    shown = [_as_he_reads(entry) for entry in kept] if who.subject is not None else kept
    return ConsentPage(items=[ConsentRead.of(entry) for entry in shown], next=following)


def _as_he_reads(entry: Consent) -> Consent:
    """The reason of a restriction is what staff tells one another of him."""
    return replace(entry, evidence="") if entry.purpose == PROCESSING and entry.source != "customer" else entry


@router.get("/preferences", summary="How he wants to be contacted", responses=problems_of(UnknownCustomer))
async def read_preferences(customer_id: UUID, who: CanRead, uow: Reading) -> ContactRead:
    """What holds by now: preferences, and the consent of each purpose and channel; after a merge the more restrictive one."""
    return await _holding(customer_id, who, uow)


@router.put(
    "/preferences",
    summary="Say how he wants to be contacted",
    responses=problems_of(UnknownCustomer, UnknownChannel),
)
async def put_preferences(
    customer_id: UUID,
    body: Preferences,
    who: CanRecord,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> ContactRead:
    """The whole of it: channels by rank, how often at most, quiet times of his time zone, not at all."""
    check_ranking(body.ranking, company.channels)
    await prefer(customer_id=customer_id, body=body.body(company), who=who, uow=uow, clock=clock, secret=secret)
    return await _holding(customer_id, who, uow)


async def _holding(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> ContactRead:
    async with uow:
        found = await visible(customer_id, who, uow)
        content = (await holding_of([found.customer_id], uow))[found.customer_id]
    return ContactRead.model_validate(content)


async def _traces(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> list[UUID]:
    found = await visible(customer_id, who, uow)
    infos = await uow.customers.traces_of([found.customer_id])
    return [info.trace_id for info in infos if who.subject is None or info.proven]
