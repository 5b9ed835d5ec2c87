"""The rights of a person over his data, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from common.auth import Principal, needs
from common.http import ClockOf, CompanyOf
from common.pagination import InvalidCursor, Paging
from common.problems import problems_of
from identity.callers import Reading, Secret, Writing
from identity.customers.domain import UnknownCustomer
from identity.privacy.domain import UnknownErasure
from identity.privacy.schemas import ErasureCreate, ErasureListed, ErasurePage, ErasureRead
from identity.privacy.use_cases import certificate_of, erase_customer
from identity.reach import ForStaffOnly, for_staff

TAG = "privacy (datos personales)"
router = APIRouter(prefix="/identity/v1", tags=[TAG])
CanErase = Annotated[Principal, needs("customers:erase")]


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
) -> ErasureRead:
    """Forget him in all four services (supresión, derecho al olvido): content, identifiers, before-images, parked bodies.

    Sums stay under a random key, receipts stay, and his traces go on a list: what occurred before is refused if it is sent
    later. It cannot be undone. Asked again it answers with the same certificate, as it is by now.
    """
    for_staff(who)
    return ErasureRead.of(
        await erase_customer(
            customer_id=customer_id, reason=body.reason, who=who, uow=uow, clock=clock, company=company, secret=secret
        )
    )


@router.get("/erasures", summary="List erasures", responses=problems_of(InvalidCursor, ForStaffOnly))
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
