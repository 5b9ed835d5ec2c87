"""The rights of a person over his data, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from common.auth import Principal, needs
from common.belonging import export_router
from common.clock import Clock
from common.http import ClockOf, CompanyOf
from common.idempotency import Attempt, AttemptOf, KeyReused
from common.pagination import Paging
from common.problems import problems_of
from identity import tables
from identity.callers import Reading, Secret, Writing
from identity.contact.domain import EVERY, PROCESSING, Consent
from identity.contact.use_cases import record_consent
from identity.customers.domain import UnknownCustomer
from identity.customers.use_cases import STAFF
from identity.privacy.domain import UnknownErasure
from identity.privacy.rectifying import NotText, UnknownKey, rectify
from identity.privacy.repository import OF_TWO_PERSONS, find_subjects, identifiers_and_decisions
from identity.privacy.schemas import (
    ErasureCreate,
    ErasureListed,
    ErasurePage,
    ErasureRead,
    Rectification,
    RectificationPage,
    RectificationRead,
    UseRead,
    UseReason,
)
from identity.privacy.use_cases import certificate_of, erase_customer
from identity.reach import ForStaffOnly, for_staff
from identity.uow import IdentityUnitOfWork

TAG = "privacy (datos personales)"
router = APIRouter(prefix="/identity/v1", tags=[TAG])
export = export_router(
    "identity", find_subjects, lambda: tables.METADATA, unknown=UnknownCustomer, leave_out=OF_TWO_PERSONS,
    more=identifiers_and_decisions,
)  # fmt: skip
CanErase = Annotated[Principal, needs("customers:erase")]
CanRead = Annotated[Principal, needs("customers:read")]
CanWrite = Annotated[Principal, needs("customers:write")]
CanRecord = Annotated[Principal, needs("consents:write")]


@router.post(
    "/customers/{customer_id}:erase",
    status_code=202,
    summary="Erase a customer",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def erase(
    customer_id: UUID,
    body: ErasureCreate,
    who: CanErase,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
    request: Request,
) -> ErasureRead:
    """Forget him in all four services (supresión, derecho al olvido): content, identifiers, before-images, parked bodies.

    His own credentials are revoked. Sums stay under a random key, receipts stay, and his traces go on a list: what occurred before is refused if it is sent
    later. It cannot be undone. Asked again it answers with the same certificate, as it is by now.
    """
    for_staff(who)
    certificate = await erase_customer(
        customer_id=customer_id, reason=body.reason, who=who, uow=uow, clock=clock, company=company, secret=secret
    )
    request.app.state.access_keys.forget()
    return ErasureRead.of(certificate)


@router.post(
    "/customers/{customer_id}:restrict",
    summary="Restrict the use of a customer's data",
    responses=problems_of(UnknownCustomer, ForStaffOnly, KeyReused),
)
async def restrict(
    customer_id: UUID, body: UseReason, who: CanRecord, attempt: AttemptOf, uow: Writing, clock: ClockOf, secret: Secret
) -> UseRead:
    """From now on they are stored and not used (limitación del tratamiento): no signal, no contact that we begin, no value shown.

    An entry of the ledger of consents, for the purpose `processing`: after a merge it holds for both until it is lifted.
    """
    return await _use(customer_id, body, allowed=False, who=who, attempt=attempt, uow=uow, clock=clock, secret=secret)


@router.post(
    "/customers/{customer_id}:lift",
    summary="Lift the restriction",
    responses=problems_of(UnknownCustomer, ForStaffOnly, KeyReused),
)
async def lift_restriction(
    customer_id: UUID, body: UseReason, who: CanRecord, attempt: AttemptOf, uow: Writing, clock: ClockOf, secret: Secret
) -> UseRead:
    """His data may be used again (levantar la limitación). Figures are as if they had never stood still."""
    return await _use(customer_id, body, allowed=True, who=who, attempt=attempt, uow=uow, clock=clock, secret=secret)


async def _use(
    customer_id: UUID,
    body: UseReason,
    *,
    allowed: bool,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    secret: bytes,
) -> UseRead:
    for_staff(who)
    now = clock()
    entry = Consent(
        customer_id, customer_id, PROCESSING, EVERY, allowed, now, now, who.source or STAFF, body.reason,
        who.known_as,
    )  # fmt: skip
    kept = await record_consent(
        customer_id=customer_id, entry=entry, who=who, attempt=attempt, uow=uow, clock=clock, secret=secret
    )
    return UseRead(customer_id=customer_id, restricted=not allowed, since=kept.given_at, entry_id=kept.consent_id)


@router.post(
    "/customers/{customer_id}:rectify",
    status_code=201,
    summary="Put a value right",
    responses=problems_of(UnknownCustomer, NotText, UnknownKey, ForStaffOnly, KeyReused),
)
async def rectify_value(
    customer_id: UUID,
    body: Rectification,
    who: CanWrite,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> RectificationRead:
    """A value or fact that is wrong (rectificación): what is right stands from now on; what stood stays in its dated series."""
    for_staff(who)
    return RectificationRead.of(
        await rectify(
            customer_id=customer_id, key=body.key, value=body.value, reason=body.reason, who=who, attempt=attempt,
            uow=uow, clock=clock, company=company, secret=secret,
        )
    )  # fmt: skip


@router.get(
    "/customers/{customer_id}/rectifications",
    summary="List what was put right",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def list_rectifications(customer_id: UUID, who: CanRead, uow: Reading, page: Paging) -> RectificationPage:
    """Which values were put right (rectificaciones), by whom and why, the newest first."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        his = await find_subjects(uow.session, customer_id)
        found = await uow.erasures.rectifications(his.customers, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda one: (one.decision_id,))
    return RectificationPage(items=[RectificationRead.of(one) for one in kept], next=following)


@router.get("/erasures", summary="List erasures", responses=problems_of(ForStaffOnly))
async def list_erasures(who: CanErase, uow: Reading, page: Paging) -> ErasurePage:
    """Every erasure that was asked for (supresiones), the newest first."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.erasures.page(after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda one: (one.erasure_id,))
    return ErasurePage(items=[ErasureListed.of(one) for one in kept], next=following)


@router.get(
    "/erasures/{erasure_id}",
    summary="Read the certificate of an erasure",
    responses=problems_of(UnknownErasure, ForStaffOnly),
)
async def read_erasure(erasure_id: UUID, who: CanErase, uow: Reading) -> ErasureRead:
    """Service by service: what was taken out and what is kept, in counts; complete when all four have confirmed."""
    for_staff(who)
    return ErasureRead.of(await certificate_of(erasure_id, uow=uow))
