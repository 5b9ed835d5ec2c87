"""Relationships, contacts of organisations and referrals over HTTP."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from common.auth import Principal, needs
from common.errors import Stale, VersionMissing
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.identifiers import InvalidIdentifier
from common.moments import OccurredInFuture
from common.pagination import PageQuery, Paging
from common.problems import problems_of
from common.versions import ExpectedVersion, etag_of
from identity.callers import Reading, Secret, Writing
from identity.contact.domain import UseRestricted
from identity.contact.use_cases import is_restricted
from identity.customers.domain import (
    IdentifierTaken,
    UnknownCustomer,
    display_name,
    preferred_name,
    survivors,
)
from identity.customers.use_cases import NotByHand
from identity.guards.domain import BlockedIdentifier
from identity.knowledge.domain import current_facts
from identity.reach import ForStaffOnly, for_staff, visible
from identity.relationships.domain import (
    REFERRAL_DAYS,
    REFERRED,
    WORKS_FOR,
    ComplaintOpen,
    EndsBeforeItBegan,
    KindHasItsOwnWay,
    ReferralTooSoon,
    RelatedToHimself,
    Relationship,
    UnknownContact,
    WrongKindOfParty,
    contacts_of,
    counterparts,
    latest_of_each,
    of_kind,
    referral_allowed_at,
)
from identity.relationships.schemas import (
    ContactEnter,
    ContactEntered,
    ContactPage,
    ContactRead,
    CounterpartRead,
    Counterparts,
    Position,
    ReferralRead,
    ReferralRegister,
    ReferralRequested,
    Referrals,
    Relate,
    RelationshipPage,
    RelationshipRead,
)
from identity.relationships.use_cases import (
    Tools,
    add_contact,
    change_contact,
    register_referral,
    relate,
    request_referral,
)
from identity.uow import IdentityUnitOfWork

TAG = "relationships (relaciones)"
router = APIRouter(prefix="/identity/v1", tags=[TAG])
CanRead = Annotated[Principal, needs("customers:read")]
CanWrite = Annotated[Principal, needs("customers:write")]
_SOMEONE = (InvalidIdentifier, BlockedIdentifier, IdentifierTaken, NotByHand)


async def _tools(who: CanWrite, uow: Writing, clock: ClockOf, company: CompanyOf, secret: Secret) -> Tools:
    for_staff(who)
    return Tools(who, uow, clock, company, secret)


With = Annotated[Tools, Depends(_tools)]


@router.post(
    "/relationships",
    status_code=201,
    summary="Say what holds between two parties",
    responses=problems_of(
        UnknownCustomer,
        RelatedToHimself,
        WrongKindOfParty,
        KindHasItsOwnWay,
        OccurredInFuture,
        EndsBeforeItBegan,
        ForStaffOnly,
        KeyReused,
    ),
)
async def post_relationship(body: Relate, attempt: AttemptOf, tools: With) -> RelationshipRead:
    """One more entry of a dated series (relación): household, work, ownership, through whom he buys. The latest of a pair and kind holds.

    Sent again with `until`, it has ended. A merge brings the relationships along, and its undo takes them back.
    """
    said = await relate(from_id=body.from_id, to_id=body.to_id, said=body.said(), attempt=attempt, tools=tools)
    return RelationshipRead.of(said, holds=said.holds(tools.clock()))


@router.get(
    "/customers/{customer_id}/relationships",
    summary="How he stands to others",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def list_relationships(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    page: Paging,
    kind: Annotated[str | None, Query(max_length=40, description="One kind only")] = None,
    history: Annotated[bool, Query(description="Whatever was ever said, not only the latest of each")] = False,
) -> RelationshipPage:
    """His network (red de relaciones), in both directions, the newest first; with `history` the whole series."""
    for_staff(who)
    _, said = await _said_of(customer_id, who, uow)
    chosen = sorted(said, key=lambda r: (r.at, r.relationship_id), reverse=True) if history else latest_of_each(said)
    kept, following = _cut([r for r in chosen if kind in (None, r.kind)], page)
    now = clock()
    return RelationshipPage(items=[RelationshipRead.of(r, holds=r.holds(now)) for r in kept], next=following)


# --- contacts of an organisation ----------------------------------------------------------------------------------------


@router.post(
    "/customers/{customer_id}/contacts",
    status_code=201,
    summary="Enter a contact of an organisation",
    responses=problems_of(
        UnknownCustomer,
        *_SOMEONE,
        RelatedToHimself,
        WrongKindOfParty,
        OccurredInFuture,
        EndsBeforeItBegan,
        ForStaffOnly,
        KeyReused,
    ),
)
async def post_contact(customer_id: UUID, body: ContactEnter, attempt: AttemptOf, tools: With) -> ContactEntered:
    """Somebody who works there (persona de contacto): his function, his rank, whether he decides. A name is enough to begin with.

    He is a customer of his own, so that his channels and his memory go with him when he leaves.
    """
    said = await add_contact(
        organisation_id=customer_id, person=body.newcomer(), said=body.said(now=tools.clock()), attempt=attempt,
        tools=tools,
    )  # fmt: skip
    return ContactEntered(person_id=said.from_customer, version=str(said.version))


@router.put(
    "/customers/{customer_id}/contacts/{person_id}",
    summary="Confirm a contact, or say that he left",
    responses=problems_of(
        UnknownCustomer, UnknownContact, WrongKindOfParty, OccurredInFuture, EndsBeforeItBegan, RelatedToHimself, Stale, VersionMissing, ForStaffOnly
    ),
)  # fmt: skip
async def put_contact(
    customer_id: UUID,
    person_id: UUID,
    body: Position,
    tools: With,
    version: ExpectedVersion,
    response: Response,
) -> ContactEntered:
    """Still there (¿sigue ahí?), whole: what is left out is no longer known. Send If-Match with the `version` that was read."""
    said = await change_contact(
        organisation_id=customer_id,
        person_id=person_id,
        version=version,
        said=body.said(now=tools.clock()),
        tools=tools,
    )
    response.headers["ETag"] = etag_of(said.version)
    return ContactEntered(person_id=said.from_customer, version=str(said.version))


@router.get(
    "/customers/{customer_id}/contacts",
    summary="Who works there",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def list_contacts(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    company: CompanyOf,
    page: Paging,
    former: Annotated[bool, Query(description="Those who left as well")] = False,
) -> ContactPage:
    """The organisation's people (personas de contacto), the one confirmed last first."""
    for_staff(who)
    now = clock()
    async with uow:
        him, said = await _said_within(customer_id, who, uow)
        people = [r for r in latest_of_each(said) if r.kind == WORKS_FOR and r.to_customer == him]
        kept, following = _cut([r for r in people if former or r.holds(now)], page)
        dossiers = await uow.customers.dossiers({r.from_customer for r in kept if r.from_customer is not None})
    items = []
    for each in kept:
        dossier = dossiers[each.from_customer] if each.from_customer is not None else None
        values = survivors(dossier.values, company.survivorship) if dossier else {}
        called = preferred_name(values, current_facts(dossier.facts), dossier.customer.kind) if dossier else None
        items.append(ContactRead.of(each, name=display_name(values), preferred_name=called, holds=each.holds(now)))
    return ContactPage(items=items, next=following)


@router.get(
    "/customers/{customer_id}/executive-counterparts",
    summary="Who of ours should call whom of theirs",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def propose_counterparts(customer_id: UUID, who: CanRead, uow: Reading, clock: ClockOf) -> Counterparts:
    """Executives for executives (ejecutivo homólogo): our systems manager to theirs, our general manager to theirs.

    By equal function and rank of their contacts and our active staff. To assign one, give the contact the role `executive_counterpart`.
    """
    for_staff(who)
    async with uow:
        him, said = await _said_within(customer_id, who, uow)
        staff = [each for each in await uow.parties.entries("staff") if each.active]
    names = {each.code: each.body.get("name") for each in staff}
    found = counterparts(contacts_of(him, said, now=clock()), [(each.code, each.body) for each in staff])
    items = [
        CounterpartRead(
            person_id=c.contact.from_customer, function=c.contact.body["function"],
            seniority=c.contact.body["seniority"], staff_id=c.staff_id, staff_name=names.get(c.staff_id or ""),
        )
        for c in found
    ]  # fmt: skip
    return Counterparts(items=items, unmatched=sum(each.staff_id is None for each in items))


# --- referrals ----------------------------------------------------------------------------------------------------------


@router.get(
    "/customers/{customer_id}/referrals",
    summary="Whom he sent us, and whether to ask for more",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def read_referrals(customer_id: UUID, who: CanRead, uow: Reading, clock: ClockOf) -> Referrals:
    """Referrals (referidos) given and received, and when he may be asked again without adding stress."""
    for_staff(who)
    async with uow:
        him, said = await _said_within(customer_id, who, uow)
        traces = [info.trace_id for info in await uow.customers.traces_of([him])]
        allowed_at = referral_allowed_at(await uow.knowledge.puts_of(traces))
        complains = await uow.knowledge.has_open_case(traces)
        restricted = await is_restricted(him, uow)
    soon = allowed_at is not None and allowed_at > clock()
    return Referrals(
        given=[ReferralRead.of(r, r.to_customer) for r in of_kind(him, REFERRED, said, given=True)],
        received=[ReferralRead.of(r, r.from_customer) for r in of_kind(him, REFERRED, said, given=False)],
        may_ask=not (soon or complains or restricted),
        why_not="use-restricted" if restricted else "open-case" if complains else "referral-limit" if soon else None,
        next_allowed_at=allowed_at if soon else None,
    )


@router.post(
    "/customers/{customer_id}/referral-requests",
    status_code=201,
    summary="Ask him for a referral",
    responses=problems_of(UnknownCustomer, UseRestricted, ReferralTooSoon, ComplaintOpen, ForStaffOnly, KeyReused),
)
async def ask_for_referral(customer_id: UUID, attempt: AttemptOf, tools: With) -> ReferralRequested:
    """Notes that we ask (solicitud de referidos), before we do: once in 180 days at most, and never while a complaint is open.

    Refused, it says from when on he may be asked. A channel that asked says so with the question id `referral`.
    """
    asked_at = await request_referral(customer_id=customer_id, attempt=attempt, tools=tools)
    return ReferralRequested(asked_at=asked_at, next_allowed_at=asked_at + timedelta(days=REFERRAL_DAYS))


@router.post(
    "/customers/{customer_id}/referrals",
    status_code=201,
    summary="Note whom he sent us",
    responses=problems_of(UnknownCustomer, *_SOMEONE, OccurredInFuture, RelatedToHimself, ForStaffOnly, KeyReused),
)
async def post_referral(customer_id: UUID, body: ReferralRegister, attempt: AttemptOf, tools: With) -> RelationshipRead:
    """He sent us somebody (referido): known already, or a name. Sent again with another status, the series goes on."""
    said = await register_referral(
        referrer_id=customer_id, person=body.newcomer(), said=body.said(), attempt=attempt, tools=tools
    )
    return RelationshipRead.of(said, holds=True)


# --- reading ------------------------------------------------------------------------------------------------------------


async def _said_of(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> tuple[UUID, list[Relationship]]:
    async with uow:
        return await _said_within(customer_id, who, uow)


async def _said_within(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> tuple[UUID, list[Relationship]]:
    found = await visible(customer_id, who, uow)
    infos = await uow.customers.traces_of([found.customer_id])
    said = await uow.relationships.of([info.trace_id for info in infos])
    return found.customer_id, said


def _cut(said: Sequence[Relationship], page: PageQuery) -> tuple[Sequence[Relationship], str | None]:
    """One page of what is sorted by when it was said, the newest first: the series of one party fits into memory."""
    after = page.after(datetime, UUID)
    rest = [r for r in said if after is None or (r.at, r.relationship_id) < after]
    return page.cut(rest[: page.fetch], key=lambda r: (r.at, r.relationship_id))
