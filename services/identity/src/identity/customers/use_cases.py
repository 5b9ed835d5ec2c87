"""What a caller can ask for about customers: make one, put values on record, link an identifier by hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.contracts.identity import Move
from common.errors import FieldError, Invalid, Stale
from common.idempotency import Attempt, recall, remember
from common.identifiers import (
    Identifier,
    InvalidIdentifier,
    blocked,
    customer_trace,
    identifier_id,
    is_shared,
    parse_identifier,
)
from common.ids import new_id
from identity.customers.domain import (
    Customer,
    IdentifierTaken,
    NothingToEnter,
    display_name,
    may_be_one,
    survivors,
)
from identity.customers.golden import Golden, golden_of
from identity.customers.telling import changed, tell_profiles
from identity.guards.domain import BlockedIdentifier
from identity.linking.domain import Carried, Trail, World, devices_of, next_revision
from identity.linking.repository import Decision
from identity.linking.use_cases import followers, tell_moves
from identity.reach import held
from identity.reviews.domain import ENTERED_AGAIN, Review
from identity.sightings.domain import clean_profile, name_in, with_name
from identity.uow import CUSTOMERS, IdentityUnitOfWork

STAFF = "staff"


class NotByHand(Invalid):
    code = "not-by-hand"
    title = "A customer's id is not linked by hand; merge the two customers"


async def own_trace(
    customer: Customer, *, uow: IdentityUnitOfWork, secret: bytes, by: str, now: datetime, himself: UUID | None = None
) -> UUID:
    """The trace of `customer:<id>`, under which all that is written to him is kept, so that merge and undo move it along.

    `himself`: the id that his own credential is bound to. He may have been absorbed, and an undo gives back what he said.
    """
    named = himself or customer.customer_id
    trace_id = customer_trace(named, secret)
    if trace_id in await uow.links.owners_of_traces([trace_id]):
        return trace_id
    decision = Decision(new_id(), "link", by, "named by his id", now)
    revision = next_revision(0, now)
    row = {
        "trace_id": trace_id, "customer_id": customer.customer_id, "revision": revision, "proof": "person", "via": None,
        "scheme": "customer", "names": [], "decision_id": decision.decision_id, "came_at": now, "first_seen": now,
        "last_seen": now,
    }  # fmt: skip
    await uow.links.save([row])
    carried = Carried(identifier_id(f"customer:{named}", secret), "customer", str(named), attested=True)
    await uow.sightings.carry(trace_id, carried, source=STAFF, at=now)
    await uow.links.record([decision])
    move = Move(trace_id=trace_id, customer_id=customer.customer_id, revision=revision, proof="person")
    tell_moves(decision.decision_id, "link", [move], uow=uow, now=now)
    return trace_id


def identified(given: str, *, pointer: str, company: Company, source: str | None) -> Identifier:
    """The identifier in normal form. Raises InvalidIdentifier, which points at its field."""
    try:
        return parse_identifier(given, default_region=company.phone_region, source=source)
    except InvalidIdentifier as refusal:
        where = FieldError(pointer, refusal.reason, refusal.detail)
        raise InvalidIdentifier(refusal.detail, reason=refusal.reason, errors=[where]) from None


async def entered_before(
    name: str | None,
    identifiers: Sequence[str],
    *,
    who: Principal,
    uow: IdentityUnitOfWork,
    company: Company,
    secret: bytes,
) -> list[UUID]:
    """Customers who carry one of the identifiers under a name that fits in full: perhaps they are he. Those seen last first."""
    if name is None or not identifiers:
        return []
    read = [
        identified(text, pointer=f"/identifiers/{place}", company=company, source=who.source)
        for place, text in enumerate(identifiers)
    ]
    ids, _ = await uow.customers.carrying([identifier_id(each.text, secret) for each in read])
    dossiers = await uow.customers.dossiers(ids)
    names = {each: display_name(survivors(dossiers[each].values, company.survivorship)) for each in ids}
    return [each for each in ids if may_be_one(name, names[each])]


async def create_customer(
    *,
    kind: str,
    profile: Mapping[str, str],
    identifiers: Sequence[str],
    key_account: bool,
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> tuple[UUID, list[UUID]]:
    """A customer whom staff enters, and who may be the same, entered before: these pairs wait for a person to decide.

    Raises NothingToEnter, and IdentifierTaken where somebody else is known by one of the identifiers.
    """
    async with uow:
        if (answer := await recall(uow, attempt, who)) is not None:
            return UUID(answer["customer_id"]), [UUID(each) for each in answer.get("alike", [])]
        if not profile and not identifiers:
            raise NothingToEnter(pointer="/profile")
        await uow.lock_decisions()
        now = clock()
        alike = await entered_before(
            name_in(clean_profile(profile)), identifiers, who=who, uow=uow, company=company, secret=secret
        )
        customer = await make_customer(
            kind=kind, profile=profile, identifiers=identifiers, key_account=key_account, reason=reason, who=who,
            uow=uow, company=company, secret=secret, now=now,
        )  # fmt: skip
        await _ask_whether_one(customer, alike, uow=uow, secret=secret, now=now)
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        answer = {"customer_id": str(customer.customer_id), "alike": [str(each) for each in alike]}
        await remember(uow, attempt, who, answer, at=now)
        await uow.commit()
    return customer.customer_id, alike


async def _ask_whether_one(
    entered: Customer, alike: Collection[UUID], *, uow: IdentityUnitOfWork, secret: bytes, now: datetime
) -> None:
    """A pair in doubt with each of those who may be he, by what both of them carry."""
    if not alike:
        return
    own = customer_trace(entered.customer_id, secret)
    dossiers = await uow.customers.dossiers([entered.customer_id, *alike])
    mine = {each.identifier_id for each in dossiers[entered.customer_id].identifiers}
    reviews = []
    for their_id in alike:
        both = next(each for each in dossiers[their_id].identifiers if each.identifier_id in mine)
        left, right = sorted((own, both.trace_id))
        told = {"shares": both.scheme, "reasons": [ENTERED_AGAIN]}
        reviews.append(Review(new_id(), left, right, told, "open", now))
    await uow.reviews.open(reviews)


async def make_customer(
    *,
    kind: str,
    profile: Mapping[str, str],
    identifiers: Sequence[str],
    key_account: bool,
    reason: str,
    who: Principal,
    uow: IdentityUnitOfWork,
    company: Company,
    secret: bytes,
    now: datetime,
) -> Customer:
    """The customer, within a transaction that holds the decisions; telling his profile is the caller's."""
    by = who.known_as
    customer = Customer(new_id(), kind, "active", None, key_account, now, by, next_revision(0, now))  # type: ignore[arg-type]
    await uow.customers.add([customer])
    uow.outbox.add(changed(customer), at=now)
    own = await own_trace(customer, uow=uow, secret=secret, by=by, now=now)
    await write_profile(own, profile, uow=uow, source=STAFF, now=now)
    for place, text in enumerate(identifiers):
        pointer = f"/identifiers/{place}"
        identifier = identified(text, pointer=pointer, company=company, source=who.source)
        await _link(
            customer, identifier, own, reason=reason, by=by, pointer=pointer, uow=uow,
            company=company, secret=secret, now=now,
        )  # fmt: skip
    return customer


async def write_profile(
    trace_id: UUID, profile: Mapping[str, str | None], *, uow: IdentityUnitOfWork, source: str, now: datetime
) -> None:
    if not profile:
        return
    await uow.sightings.write_profile(trace_id, profile, source=source, at=now)
    told = clean_profile(profile)
    if (name := name_in(told)) is not None:
        # the rules compare what staff wrote as well
        trail = (await uow.links.trails([trace_id]))[trace_id]
        await uow.links.rename(trace_id, with_name(trail.names, name))


async def patch_customer(
    *,
    customer_id: UUID,
    version: int,
    profile: Mapping[str, str | None],
    flags: Mapping[str, Any],
    who: Principal,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> Golden:
    """Put verified values on record beside what the channels saw. Null takes a value away. Raises Stale."""
    async with uow:
        customer = await held(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([customer.customer_id]))[customer.customer_id]
        if golden_of(dossier, who, company.survivorship).version != version:
            raise Stale
        now, by = clock(), who.known_as
        if flags:
            customer = replace(customer, **flags, revision=next_revision(customer.revision, now))
            await uow.customers.change(customer.customer_id, **flags, revision=customer.revision)
            uow.outbox.add(changed(customer), at=now)
        if profile:
            own = await own_trace(customer, uow=uow, secret=secret, by=by, now=now, himself=who.customer_id)
            source = "customer" if who.customer_id is not None else STAFF
            await write_profile(own, profile, uow=uow, source=source, now=now)
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        dossier = (await uow.customers.dossiers([customer.customer_id]))[customer.customer_id]
        await uow.commit()
    return golden_of(dossier, who, company.survivorship)


async def link_identifier(
    *,
    customer_id: UUID,
    given: str,
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> Identifier:
    """A person has verified that the customer is known by the identifier. Raises IdentifierTaken."""
    identifier = identified(given, pointer="/identifier", company=company, source=who.source)
    if identifier.scheme == "customer":
        raise NotByHand(pointer="/identifier")
    async with uow:
        if await recall(uow, attempt, who) is not None:
            return identifier
        await uow.lock_decisions()
        customer = await held(customer_id, who, uow)
        now, by = clock(), who.known_as
        own = await own_trace(customer, uow=uow, secret=secret, by=by, now=now)
        await _link(
            customer, identifier, own, reason=reason, by=by, pointer="/identifier", uow=uow, company=company,
            secret=secret, now=now,
        )  # fmt: skip
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        await remember(uow, attempt, who, {"identifier": identifier.text}, at=now)
        await uow.commit()
    return identifier


async def _link(
    customer: Customer,
    identifier: Identifier,
    own: UUID,
    *,
    reason: str,
    by: str,
    pointer: str,
    uow: IdentityUnitOfWork,
    company: Company,
    secret: bytes,
    now: datetime,
) -> None:
    if blocked(identifier, company):
        raise BlockedIdentifier(pointer=pointer)
    carried = Carried(identifier_id(identifier.text, secret), identifier.scheme, identifier.value, attested=True)
    trails = await uow.links.carriers([carried.identifier_id])
    others = {t.customer_id for t in trails} - {None, customer.customer_id}
    if others and not is_shared(identifier, company.identifiers.shared_account_issuers):
        raise IdentifierTaken(pointer=pointer)
    await uow.sightings.carry(own, carried, source=STAFF, at=now)
    beside = await _take(customer, trails, carried, reason=reason, by=by, uow=uow, now=now)
    await uow.lock(beside, space=CUSTOMERS)
    await tell_profiles(beside, uow=uow, company=company, now=now)


async def _take(
    customer: Customer,
    trails: Sequence[Trail],
    carried: Carried,
    *,
    reason: str,
    by: str,
    uow: IdentityUnitOfWork,
    now: datetime,
) -> set[UUID]:
    """Traces of nobody that carry the identifier become his; those that are his by a claim are proved by this.

    Visitors follow anew whoever alone uses the devices; gives the other customers who had them or have them now.
    """
    taken = [
        replace(
            trail, customer_id=customer.customer_id, proof="person", revision=next_revision(trail.revision, now), via=None
        )
        for trail in trails
        if trail.customer_id is None
        or (trail.customer_id == customer.customer_id and trail.proof == "claimed" and trail.scheme == carried.scheme)
    ]  # fmt: skip
    world = World()
    for trail in taken:
        world.put(trail)
    devices = devices_of(taken) | ({carried.identifier_id} if carried.scheme == "device" else set())
    led = await followers(devices, world, uow=uow)
    beside = {each for trail in led for each in (trail.customer_id, world.owner(trail.trace_id)) if each is not None}
    taken += [trail.moved_at(next_revision(trail.revision, now)) for trail in led]
    decision = Decision(new_id(), "link", by, reason, now, customer.customer_id)
    await uow.links.record([decision])
    await uow.links.move(taken, decision_id=decision.decision_id)
    moves = [Move(trace_id=t.trace_id, customer_id=t.customer_id, revision=t.revision, proof=t.proof) for t in taken]
    tell_moves(decision.decision_id, "link", moves, uow=uow, now=now)
    return beside - {customer.customer_id}
