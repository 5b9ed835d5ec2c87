"""Customers over HTTP: find, read, make, mend, link an identifier by hand."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from common.auth import Principal, needs
from common.errors import Stale, VersionMissing
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.identifiers import InvalidIdentifier
from common.pagination import InvalidCursor, PageQuery, Paging
from common.problems import problems_of
from common.versions import ExpectedVersion, etag_of
from identity.callers import Reading, Secret, Writing
from identity.customers.domain import IdentifierTaken, NothingToEnter, NothingToSearch, UnknownCustomer
from identity.customers.reading import by_identifier, by_name, read_customer
from identity.customers.schemas import (
    CustomerCreate,
    CustomerCreated,
    CustomerPatch,
    CustomerRead,
    CustomerSearch,
    CustomersFound,
    IdentifierLink,
    IdentifierLinked,
)
from identity.customers.use_cases import NotByHand, create_customer, link_identifier, patch_customer
from identity.guards.domain import BlockedIdentifier
from identity.reach import ForStaffOnly, for_staff

router = APIRouter(prefix="/identity/v1/customers", tags=["customers (clientes)"])
search_router = APIRouter(prefix="/identity/v1", tags=["customers (clientes)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanWrite = Annotated[Principal, needs("customers:write")]
_SEARCH_REFUSALS = problems_of(InvalidIdentifier, NothingToSearch, InvalidCursor, ForStaffOnly)


@router.get("", summary="Find customers", responses=_SEARCH_REFUSALS)
async def find_customers(
    who: CanRead,
    uow: Reading,
    company: CompanyOf,
    secret: Secret,
    page: Paging,
    identifier: Annotated[
        str | None, Query(max_length=256, description="`scheme:value`; a phone belongs into the POST twin")
    ] = None,
    q: Annotated[str | None, Query(max_length=100, description="Words of a name, or their beginnings")] = None,
) -> CustomersFound:
    """By an identifier: who carries it, the one seen last first. By `q`: whose names have words that begin so. For staff."""
    for_staff(who)
    if identifier is not None:
        return await by_identifier(identifier, uow=uow, company=company, source=who.source, secret=secret)
    return await by_name(q or "", page, uow=uow, company=company)


@search_router.post(
    "/customers:search", summary="Find customers, without a phone in the access log", responses=_SEARCH_REFUSALS
)
async def search_customers(
    body: CustomerSearch, who: CanRead, uow: Reading, company: CompanyOf, secret: Secret
) -> CustomersFound:
    """The same search with its fields in the body."""
    for_staff(who)
    if body.identifier is not None:
        return await by_identifier(body.identifier, uow=uow, company=company, source=who.source, secret=secret)
    return await by_name(body.q or "", PageQuery(body.cursor, body.limit), uow=uow, company=company)


@router.post(
    "",
    status_code=201,
    summary="Enter a customer",
    responses=problems_of(
        InvalidIdentifier, NothingToEnter, BlockedIdentifier, IdentifierTaken, ForStaffOnly, KeyReused
    ),
)
async def enter_customer(
    body: CustomerCreate,
    who: CanWrite,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> CustomerCreated:
    """A customer whom staff enters; his identifiers count as verified by a person. Refused where one is another customer's.

    A phone may be several people's: `alike` names those who have it under a name that fits.
    """
    for_staff(who)
    profile = {key: value for key, value in body.profile.values().items() if value is not None}
    customer_id, alike = await create_customer(
        kind=body.kind, profile=profile, identifiers=body.identifiers, key_account=body.key_account, reason=body.reason,
        who=who, attempt=attempt, uow=uow, clock=clock, company=company, secret=secret,
    )  # fmt: skip
    return CustomerCreated(customer_id=customer_id, alike=alike)


@router.get("/{customer_id}", summary="Read the golden record", responses=problems_of(UnknownCustomer))
async def get_customer(
    customer_id: UUID, who: CanRead, uow: Reading, company: CompanyOf, response: Response
) -> CustomerRead:
    """Who he is (registro dorado): names, identifiers, facts, who looks after him, each value with its source and date.

    Of several values the verified one stands, then the one that the attribute's rule chooses (`rule`). An absorbed id says in `merged_into` where it went.
    """
    golden = await read_customer(customer_id, who=who, uow=uow, company=company)
    response.headers["ETag"] = etag_of(golden.version)
    return CustomerRead.of(golden)


@router.patch(
    "/{customer_id}",
    summary="Put values on record",
    responses=problems_of(UnknownCustomer, Stale, VersionMissing, ForStaffOnly),
)
async def mend_customer(
    customer_id: UUID,
    body: CustomerPatch,
    who: CanWrite,
    version: ExpectedVersion,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
    response: Response,
) -> CustomerRead:
    """Verified values beside what the channels saw; nothing is overwritten, and null takes a value away.

    Send If-Match with the ETag that was read. Written to an absorbed id, it is the survivor's.
    """
    if who.subject is not None and body.flags():
        raise ForStaffOnly
    golden = await patch_customer(
        customer_id=customer_id, version=version, profile=body.values(), flags=body.flags(), who=who, uow=uow,
        clock=clock, company=company, secret=secret,
    )  # fmt: skip
    response.headers["ETag"] = etag_of(golden.version)
    return CustomerRead.of(golden)


@router.post(
    "/{customer_id}/identifiers",
    status_code=201,
    summary="Link an identifier by hand",
    responses=problems_of(
        UnknownCustomer, InvalidIdentifier, BlockedIdentifier, IdentifierTaken, NotByHand, ForStaffOnly, KeyReused
    ),
)
async def link_by_hand(
    customer_id: UUID,
    body: IdentifierLink,
    who: CanWrite,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> IdentifierLinked:
    """A person has verified that he is known by it. Traces of nobody that carry it become his; another customer's do not."""
    for_staff(who)
    found = await link_identifier(
        customer_id=customer_id, given=body.identifier, reason=body.reason, who=who, attempt=attempt, uow=uow,
        clock=clock, company=company, secret=secret,
    )  # fmt: skip
    return IdentifierLinked(customer_id=customer_id, given=body.identifier, normalised=found.text)
