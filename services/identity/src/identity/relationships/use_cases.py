"""What a caller can ask for about relationships: say what holds, enter a contact, ask for a referral, note who was sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.errors import Stale
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from common.moments import check_occurred
from identity.contact.domain import UseRestricted
from identity.contact.use_cases import is_restricted
from identity.customers.domain import Customer, UnknownCustomer
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import STAFF, entered_before, make_customer, own_trace
from identity.knowledge.domain import Put
from identity.reach import held, visible
from identity.relationships.domain import (
    OWN_WAYS,
    REFERRAL,
    REFERRED,
    WORKS_FOR,
    KindHasItsOwnWay,
    RelatedToHimself,
    Relationship,
    UnknownContact,
    check_ends,
    check_referral_request,
    of_pair,
)
from identity.uow import CUSTOMERS, IdentityUnitOfWork


@dataclass(frozen=True)
class Tools:
    """What every act needs beside its own arguments."""

    who: Principal
    uow: IdentityUnitOfWork
    clock: Clock
    company: Company
    secret: bytes


@dataclass(frozen=True)
class Newcomer:
    """Somebody who may be known already (`customer_id`), or of whom we have a name at least."""

    customer_id: UUID | None
    profile: Mapping[str, str]
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What is said of two parties, before it is on record."""

    kind: str
    body: Mapping[str, Any]
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None


async def relate(*, from_id: UUID, to_id: UUID, said: Said, attempt: Attempt | None, tools: Tools) -> Relationship:
    """One more entry of the series of these two. Raises KindHasItsOwnWay, RelatedToHimself, WrongKindOfParty."""
    if said.kind in OWN_WAYS:
        raise KindHasItsOwnWay(pointer="/kind")
    async with tools.uow as uow:
        if (known := await _said_before(attempt, tools)) is not None:
            return known
        one, other = await both(from_id, to_id, tools, near="/from_id")
        entry = await _say(one, other, said, tools)
        await _tell(one, other, tools)
        await remember(uow, attempt, tools.who, {"relationship_id": str(entry.relationship_id)}, at=tools.clock())
        await uow.commit()
    return entry


async def _said_before(attempt: Attempt | None, tools: Tools) -> Relationship | None:
    """What was answered when this was sent first."""
    answer = await recall(tools.uow, attempt, tools.who)
    return None if answer is None else await tools.uow.relationships.get(UUID(answer["relationship_id"]))


async def both(
    one: UUID, other: UUID, tools: Tools, *, pointer: str = "/to_id", near: str | None = None
) -> tuple[Customer, Customer]:
    """Both parties, or whoever absorbed them, locked in one order. `near`, `pointer`: where they were named; no `near`: in the path.

    Raises UnknownCustomer, and RelatedToHimself at `pointer`.
    """
    found = [await _named(each, where, tools) for each, where in ((one, near), (other, pointer))]
    await tools.uow.lock(sorted(each.customer_id for each in found), space=CUSTOMERS)
    first, second = await tools.uow.hold(one), await tools.uow.hold(other)
    if first.customer_id == second.customer_id:
        raise RelatedToHimself(pointer=pointer)
    return first, second


async def _named(customer_id: UUID, pointer: str | None, tools: Tools) -> Customer:
    try:
        return await visible(customer_id, tools.who, tools.uow)
    except UnknownCustomer:
        raise UnknownCustomer(pointer=pointer) from None


async def _say(
    one: Customer,
    other: Customer,
    said: Said,
    tools: Tools,
    *,
    pointer: str = "/to_id",
) -> Relationship:
    uow, now, by = tools.uow, tools.clock(), tools.who.known_as
    since = said.since or await _since_when(one, other, said.kind, tools)
    check_occurred(since, now=now, pointer="/at" if said.kind == REFERRED else "/since")
    check_ends(said.kind, leads_to=other.kind, since=since, until=said.until, pointer=pointer)
    ends = [await own_trace(each, uow=uow, secret=tools.secret, by=by, now=now) for each in (one, other)]
    entry = Relationship(
        new_id(), ends[0], ends[1], said.kind,
        {key: value for key, value in said.body.items() if value is not None}, since, said.until,
        said.source or tools.who.source or STAFF, by, now, one.customer_id, other.customer_id,
    )  # fmt: skip
    await uow.relationships.add(entry)
    return entry


async def _since_when(one: Customer, other: Customer, kind: str, tools: Tools) -> datetime:
    """Now; said again of whom it is said already, since then: a confirmation or another status begins nothing anew."""
    now = tools.clock()
    traces = [info.trace_id for info in await tools.uow.customers.traces_of([one.customer_id])]
    said = of_pair(one.customer_id, other.customer_id, kind, await tools.uow.relationships.of(traces))
    return said.since if said is not None and said.holds(now) else now


async def _tell(one: Customer, other: Customer, tools: Tools) -> None:
    await tell_profiles([one.customer_id, other.customer_id], uow=tools.uow, company=tools.company, now=tools.clock())


async def _whoever(person: Newcomer, reason: str, tools: Tools) -> UUID:
    """Whom we know already, by his id or by an identifier and a name that fits; else a new customer. The caller holds the decisions."""
    if person.customer_id is not None:
        return person.customer_id
    known = await entered_before(
        person.profile.get("full_name"), person.identifiers, who=tools.who, uow=tools.uow, company=tools.company,
        secret=tools.secret,
    )  # fmt: skip
    if len(known) == 1:
        return known[0]
    made = await make_customer(
        kind="person", profile=person.profile, identifiers=person.identifiers, key_account=False, reason=reason,
        who=tools.who, uow=tools.uow, company=tools.company, secret=tools.secret, now=tools.clock(),
    )  # fmt: skip
    return made.customer_id


# --- contacts of an organisation ----------------------------------------------------------------------------------------


async def add_contact(
    *, organisation_id: UUID, person: Newcomer, said: Said, attempt: Attempt | None, tools: Tools
) -> Relationship:
    """Somebody works for the organisation; with a name alone he becomes a customer of his own."""
    return await _bring(organisation_id, person, replace(said, kind=WORKS_FOR), attempt, tools, towards=True)


async def change_contact(
    *, organisation_id: UUID, person_id: UUID, version: int, said: Said, tools: Tools
) -> Relationship:
    """He is still there, or has another function, or has left. Raises UnknownContact, Stale."""
    async with tools.uow as uow:
        person, organisation = await both(
            person_id, organisation_id, tools, pointer="/path/customer_id", near="/path/person_id"
        )
        present = await _contact(person, organisation, uow)
        if present.version != version:
            raise Stale
        entry = await _say(
            person, organisation, replace(said, kind=WORKS_FOR, since=said.since or present.since), tools
        )
        await _tell(person, organisation, tools)
        await uow.commit()
    return entry


async def _contact(person: Customer, organisation: Customer, uow: IdentityUnitOfWork) -> Relationship:
    traces = [info.trace_id for info in await uow.customers.traces_of([person.customer_id])]
    said = await uow.relationships.of(traces)
    contact = of_pair(person.customer_id, organisation.customer_id, WORKS_FOR, said)
    if contact is None:
        raise UnknownContact
    return contact


async def _bring(
    customer_id: UUID, person: Newcomer, said: Said, attempt: Attempt | None, tools: Tools, *, towards: bool
) -> Relationship:
    """Relate the customer with somebody who may have to be entered first. `towards`: the relationship leads to the customer."""
    async with tools.uow as uow:
        if (known := await _said_before(attempt, tools)) is not None:
            return known
        await uow.lock_decisions()
        await visible(customer_id, tools.who, uow)
        his = await _whoever(person, said.kind, tools)
        ends = (his, customer_id) if towards else (customer_id, his)
        one, other = await both(*ends, tools, pointer="/customer_id", near="/customer_id" if towards else None)
        far = "/path/customer_id" if towards else "/customer_id"
        entry = await _say(one, other, said, tools, pointer=far)
        await _tell(one, other, tools)
        answer = {"person_id": str(his), "relationship_id": str(entry.relationship_id)}
        await remember(uow, attempt, tools.who, answer, at=tools.clock())
        await uow.commit()
    return entry


# --- referrals ----------------------------------------------------------------------------------------------------------


async def request_referral(*, customer_id: UUID, attempt: Attempt | None, tools: Tools) -> datetime:
    """He is asked for a referral now; gives the moment. Raises UseRestricted, ReferralTooSoon, ComplaintOpen (S0-42)."""
    now = tools.clock()
    async with tools.uow as uow:
        if (known := await recall(uow, attempt, tools.who)) is not None:
            return datetime.fromisoformat(known["asked_at"])
        customer = await held(customer_id, tools.who, uow)
        own = await own_trace(customer, uow=uow, secret=tools.secret, by=tools.who.known_as, now=now)
        traces = [info.trace_id for info in await uow.customers.traces_of([customer.customer_id])]
        complains = await uow.knowledge.has_open_case(traces)
        if await is_restricted(customer.customer_id, uow):
            raise UseRestricted
        check_referral_request(await uow.knowledge.puts_of(traces), complains=complains, now=now)
        await uow.knowledge.put([(Put(own, REFERRAL, "asked", now), None)])
        await remember(uow, attempt, tools.who, {"asked_at": now.isoformat()}, at=now)
        await uow.commit()
    return now


async def register_referral(
    *, referrer_id: UUID, person: Newcomer, said: Said, attempt: Attempt | None, tools: Tools
) -> Relationship:
    """He sent us somebody; with a name alone that one becomes a customer of his own. Said again, it has another status."""
    return await _bring(referrer_id, person, replace(said, kind=REFERRED), attempt, tools, towards=False)
