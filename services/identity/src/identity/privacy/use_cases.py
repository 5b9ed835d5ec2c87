"""Forgetting a person: taken out here in one transaction, told to the others, and certified when all of them have confirmed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.contracts.erasure import ErasureDone
from common.contracts.identity import PEOPLE, CustomerErased, Move
from common.contracts.interactions import CustomerForgotten as ByInteractions
from common.contracts.interactions import PersonSeen, PersonUnseen
from common.contracts.scoring import CustomerForgotten as ByScoring
from common.contracts.service_audit import CustomerForgotten as ByAudit
from common.erasure import empty_parked, empty_people_events, erased_among, forget_answers, list_erased, naming
from common.identifiers import Identifier, customer_trace, is_shared, traces_alone
from common.ids import new_id
from identity.access_keys.repository import AccessKeyRows
from identity.access_keys.use_cases import revoke
from identity.customers.domain import Customer
from identity.customers.telling import PROFILE_STALE, changed, tell_profiles, tell_those_beside
from identity.linking.domain import Trail, next_revision
from identity.linking.use_cases import CHUNK, tell_moves
from identity.privacy.domain import OWN, Erasure, Line, UnknownErasure, awaited
from identity.relationships.domain import employers_of
from identity.sightings.domain import sighting_of
from identity.sightings.use_cases import unsee
from identity.uow import IdentityUnitOfWork

CONFIRMATIONS: Mapping[type[ErasureDone], str] = {
    ByInteractions: "interactions", ByScoring: "scoring", ByAudit: "service-audit",
}  # fmt: skip
LONGEST_WORD = 6  # a shorter one stands by chance in the body of somebody else


@dataclass(frozen=True)
class Certificate:
    """An erasure with what each service has confirmed of it."""

    erasure: Erasure
    lines: Sequence[Line]

    @property
    def awaited(self) -> list[str]:
        return awaited(self.erasure, self.lines)


async def erase_customer(
    *,
    customer_id: UUID,
    reason: str,
    who: Principal,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> Certificate:
    """Forget the customer, those whom he absorbed included. Asked again, it answers with the same erasure. Raises UnknownCustomer."""
    async with uow:
        await uow.lock_decisions()
        if (known := await _erasure_of(customer_id, uow)) is not None:
            return Certificate(known, await uow.erasures.lines([known.erasure_id]))
        customer = await uow.hold(customer_id)
        now = clock()
        erasure = Erasure(new_id(), customer.customer_id, reason, who.known_as, now, parts=1)
        await uow.erasures.add(erasure)
        trails = await uow.links.trails_of_customers([customer.customer_id])
        customers = {customer.customer_id, *await uow.erasures.absorbed_by(customer.customer_id)}
        # what was told of an organisation names its people; what was told of whom he was merged with once, told of both
        named = employers_of(customer.customer_id, await uow.relationships.of(trails))
        named |= await uow.erasures.once_one_with(customers, trails.keys())
        await tell_those_beside(trails, uow=uow, now=now)
        erasure = await _forget(erasure, trails, customers, uow=uow, company=company, secret=secret, now=now)
        await empty_people_events(uow.session, PEOPLE, named)
        await tell_profiles(named, uow=uow, company=company, now=now, anew=True)
        lines = await uow.erasures.lines([erasure.erasure_id])
        await uow.commit()
    return Certificate(erasure, lines)


async def _erasure_of(customer_id: UUID, uow: IdentityUnitOfWork) -> Erasure | None:
    """By which he was erased; whoever had been absorbed, by that of whoever had absorbed him."""
    if (known := await uow.erasures.of_customer(customer_id)) is not None:
        return known
    moments = (await erased_among(uow.session, [customer_id])).values()
    return next(iter((await uow.erasures.of_moments(list(moments))).values()), None) if moments else None


async def _forget(
    erasure: Erasure,
    trails: Mapping[UUID, Trail],
    customers: Collection[UUID],
    *,
    uow: IdentityUnitOfWork,
    company: Company,
    secret: bytes,
    now: datetime,
) -> Erasure:
    """Take out the trails and the customers, put them on the list, and tell the others."""
    possible = await _possible_traces(trails, uow=uow, company=company, secret=secret)
    possible |= {customer_trace(each, secret) for each in customers}
    erased = sorted({*trails, *possible})
    await list_erased(uow.session, [*erased, *customers], at=erasure.at)
    removed = await _take_out(trails, customers, uow=uow, now=now)
    moves = [
        Move(trace_id=trail.trace_id, customer_id=None, revision=next_revision(trail.revision, now))
        for _, trail in sorted(trails.items())
    ]
    tell_moves(erasure.erasure_id, "erase", moves, uow=uow, now=now)
    await _blank(customers, uow=uow, now=now)
    return await _tell(erasure, erased, sorted(customers), removed, uow=uow, now=now)


async def _possible_traces(
    trails: Mapping[UUID, Trail], *, uow: IdentityUnitOfWork, company: Company, secret: bytes
) -> set[UUID]:
    """The traces that his identifiers would make, whatever name stood beside them: history that is loaded later finds them listed.

    An identifier that somebody else carries as well makes a trace of his only together with one of his names.
    """
    names = sorted({name for trail in trails.values() for name in trail.names})
    possible: set[UUID] = set()
    for row in await uow.erasures.identifiers_of(trails.keys()):
        identifier = Identifier(scheme=row.scheme, value=row.value, given="")
        shared = is_shared(identifier, company.identifiers.shared_account_issuers)
        for name in ([None] if not row.elsewhere else []) + (list(names) if shared else []):
            possible |= traces_alone(
                [identifier], name=name, secret=secret,
                shared_account_issuers=company.identifiers.shared_account_issuers,
            )  # fmt: skip
    others = await uow.erasures.known_traces(possible)
    return possible - (others - trails.keys())


async def _take_out(
    trails: Mapping[UUID, Trail], customers: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime
) -> dict[str, int]:
    traces = set(trails)
    rows = await uow.erasures.identifiers_of(traces)
    words = _words(trails, rows, customers)
    alone = [row.identifier_id for row in rows if not row.elsewhere]
    # whose visits on it were nobody could tell while he was known there; now it would seem to be the other's alone
    await uow.sightings.share([row.identifier_id for row in rows if row.elsewhere and row.scheme == "device"])
    removed = await uow.erasures.take_out_decisions(customers, traces)
    removed |= await uow.erasures.take_out(traces, customers, alone)
    removed["people_events"] = await empty_people_events(uow.session, PEOPLE, customers)
    removed["parked"] = await empty_parked(uow.session, naming(words), at=now)
    removed["answers"] = await forget_answers(uow.session, words)
    removed["access_key"] = await _revoke_keys(customers, uow=uow, now=now)
    for customer_id in sorted(customers):
        await uow.timers.cancel(PROFILE_STALE, customer_id)
    return removed


async def _revoke_keys(customers: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime) -> int:
    """His own credentials speak for nobody any more; what they are called may be his name."""
    keys = await AccessKeyRows(uow.session).of_subjects([f"customer:{each}" for each in sorted(customers)])
    await revoke([key.model_copy(update={"name": ""}) for key in keys], uow=uow, now=now)
    return len(keys)


def _words(trails: Mapping[UUID, Trail], identifiers: Sequence[Any], customers: Collection[UUID]) -> set[str]:
    """What a body or an answer that speaks of him would name: ids of his, and identifiers that nobody else carries."""
    values = {row.value for row in identifiers if len(row.value) >= LONGEST_WORD and not row.elsewhere}
    ids = [row.identifier_id for row in identifiers if not row.elsewhere]
    return values | {str(each) for each in (*trails, *customers, *ids)}


async def _blank(customers: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime) -> None:
    found = await uow.customers.get_all(customers)
    gone: list[Customer] = [
        replace(each, state="erased", merged_into=None, key_account=False, revision=next_revision(each.revision, now))
        for _, each in sorted(found.items())
    ]
    await uow.erasures.blank_customers({each.customer_id: each.revision for each in gone})
    uow.outbox.add_all(map(changed, gone), at=now)


async def _tell(
    erasure: Erasure, traces: Sequence[UUID], customers: list[UUID], removed: Mapping[str, int],
    *, uow: IdentityUnitOfWork, now: datetime, first: int = 0,
) -> Erasure:  # fmt: skip
    """Tell the others, in as many parts as it needs, and write down what was taken out here."""
    chunks = [traces[start : start + CHUNK] for start in range(0, len(traces), CHUNK)] or [[]]
    for part, chunk in enumerate(chunks, start=first):
        uow.outbox.add(
            CustomerErased(
                erasure_id=erasure.erasure_id, part=part, customer_id=erasure.customer_id, customers=customers,
                traces=list(chunk), erased_at=erasure.at,
            ),
            at=now,
        )  # fmt: skip
    parts = first + len(chunks)
    own = [
        Line(erasure.erasure_id, OWN, part, removed if part == first else {}, {"customers": len(customers)} if part == 0 else {}, now)
        for part in range(first, parts)
    ]  # fmt: skip
    await uow.erasures.add_lines(own)
    await uow.erasures.change(erasure.erasure_id, parts=parts)
    return replace(erasure, parts=parts)


async def note_confirmations(
    confirmed: Sequence[ErasureDone], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> None:
    """The others' lines of the certificates. Traces that only they knew of are erased as well. Does not commit."""
    for done in confirmed:
        erasure = await uow.erasures.get(done.erasure_id, locked=True)
        if erasure is None:
            continue  # of a backup that is older than the erasure
        line = Line(done.erasure_id, CONFIRMATIONS[type(done)], done.part, done.removed, done.kept, done.at)
        await uow.erasures.add_lines([line])
        if done.found:
            erasure = await _follow_up(erasure, done.found, uow=uow, company=company, now=now)
        if erasure.completed_at is None and not awaited(erasure, await uow.erasures.lines([erasure.erasure_id])):
            await uow.erasures.change(erasure.erasure_id, completed_at=now)


async def _follow_up(
    erasure: Erasure, found: Collection[UUID], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> Erasure:
    """Traces that another service had given to him before identity had heard of them: one more part, where they are news.

    Where identity has heard of them in the meantime, what was seen until the erasure is taken back.
    """
    found = set(found) - (await erased_among(uow.session, found)).keys()
    if not found:
        return erasure
    await list_erased(uow.session, found, at=erasure.at)
    touched: set[UUID] = set()
    old = await uow.erasures.seen_until(erasure.at, found)
    for touchpoint_id, trace_id in old:
        touched |= await unsee(PersonUnseen(touchpoint_id=touchpoint_id, trace_id=trace_id), uow, company, now)
    await tell_profiles(touched, uow=uow, company=company, now=now)
    return await _tell(erasure, sorted(found), [], {"sighting": len(old)}, uow=uow, now=now, first=erasure.parts)


async def list_late(
    seen: Sequence[PersonSeen], *, uow: IdentityUnitOfWork, company: Company, secret: bytes, now: datetime
) -> None:
    """What was recorded of an erased person before it, and is heard of since, on a trace that nobody knew: one more part.

    It is his by an identifier that alone would make a trace of his. Without this it would be taken for somebody's who is
    new. Does not commit; what is listed here is to be passed over.
    """
    newest = await uow.erasures.newest() if seen else None
    late = [each for each in seen if newest and each.recorded_at and each.recorded_at <= newest.at]
    if not late:
        return
    known = await uow.erasures.known_traces({each.trace_id for each in late})
    ways = {each.touchpoint_id: _ways_to(each, company, secret) for each in late if each.trace_id not in known}
    listed = await erased_among(uow.session, {way for some in ways.values() for way in some})
    his: dict[datetime, set[UUID]] = {}
    for each in late:
        moments = {listed[way] for way in ways.get(each.touchpoint_id, ()) if way in listed}
        if each.recorded_at and (after := [at for at in moments if each.recorded_at <= at]):
            his.setdefault(max(after), set()).add(each.trace_id)
    for at, erasure in sorted((await uow.erasures.of_moments(his)).items()):
        traces = sorted(his[at] - (await erased_among(uow.session, his[at])).keys())
        if traces:
            await list_erased(uow.session, traces, at=at)
            removed = await uow.erasures.take_out(traces, [], [])
            await _tell(erasure, traces, [], removed, uow=uow, now=now, first=erasure.parts)
            await uow.erasures.change(erasure.erasure_id, completed_at=None)


def _ways_to(seen: PersonSeen, company: Company, secret: bytes) -> set[UUID]:
    """The traces that it would have been on with each of its identifiers alone."""
    sighting = sighting_of(seen, company)
    carried = [Identifier(scheme=one.scheme, value=one.value, given="") for one in sighting.carried]
    issuers = company.identifiers.shared_account_issuers
    return traces_alone(carried, name=sighting.name, secret=secret, shared_account_issuers=issuers)


async def certificate_of(erasure_id: UUID, *, uow: IdentityUnitOfWork) -> Certificate:
    """Raises UnknownErasure."""
    async with uow:
        erasure = await uow.erasures.get(erasure_id)
        if erasure is None:
            raise UnknownErasure
        return Certificate(erasure, await uow.erasures.lines([erasure_id]))
