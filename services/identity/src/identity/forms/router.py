"""Forms over HTTP: what need not be asked again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf, CompanyOf
from common.problems import problems_of
from identity.callers import Reading
from identity.contact.domain import UseRestricted
from identity.contact.use_cases import is_restricted
from identity.customers.domain import UnknownCustomer
from identity.forms.domain import UnknownForm, form_of, prefilled
from identity.forms.schemas import FieldRead, PrefillRead
from identity.reach import visible

router = APIRouter(prefix="/identity/v1/customers/{customer_id}", tags=["facts (lo que sabemos)"])
CanRead = Annotated[Principal, needs("customers:read")]


@router.get(
    "/prefill",
    summary="Fill in a form with what we know",
    responses=problems_of(UnknownCustomer, UnknownForm, UseRestricted),
)
async def prefill(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    company: CompanyOf,
    form: Annotated[str, Query(max_length=100, description="A form of the company's file", examples=["registration"])],
) -> PrefillRead:
    """Nobody likes to repeat what he has told us (S0-108): each field with its value, its date and its source, or to be asked.

    The customer himself has what is proved to be his and public; staff has all but while the use of his data is restricted.
    """
    asked = form_of(form, company)
    async with uow:
        found = await visible(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([found.customer_id]))[found.customer_id]
        if who.subject is None and await is_restricted(found.customer_id, uow):
            raise UseRestricted
    filled = prefilled(asked, dossier, company, now=clock(), himself=who.subject is not None)
    return PrefillRead(form=asked.id, label=asked.label, fields=[FieldRead.of(each) for each in filled])
