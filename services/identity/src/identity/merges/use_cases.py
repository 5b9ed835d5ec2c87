"""Merge and preview: one transaction each; a merge costs what it moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company, Survivorship
from common.contracts.identity import Move
from common.errors import FieldError, Refusal
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from identity.contact.domain import contact_of
from identity.customers.domain import (
    Assigned,
    Customer,
    CustomerGone,
    Dossier,
    TraceInfo,
    UnknownCustomer,
    as_one,
    people_around,
    reason_of,
    survivors,
)
from identity.customers.telling import tell_contact, tell_profiles, tell_those_beside
from identity.knowledge.domain import Fact, current_facts
from identity.linking.domain import Trail, World, devices_of, next_revision, together_by
from identity.linking.repository import Decision
from identity.linking.use_cases import absorb, before_image, followers, tell_moves
from identity.merges.domain import (
    GuardObjects,
    KeptApart,
    Lost,
    NotKeptApart,
    SameCustomer,
    lost,
    objections,
    representative,
)
from identity.sightings.domain import ProfileValue
from identity.uow import CUSTOMERS, IdentityUnitOfWork


@dataclass(frozen=True)
class Wins:
    """The value that would stand for a key, by which rule, and what each of the two has."""

    key: str
    wins: ProfileValue
    rule: str
    survivor_has: str | None
    absorbed_has: str | None


@dataclass(frozen=True)
class FactWins:
    """The fact that would stand for a key, and what each of the two has."""

    wins: Fact
    survivor_has: Any
    absorbed_has: Any


@dataclass(frozen=True)
class Preview:
    """What a merge would do; nothing is changed by looking."""

    survivor: Customer
    absorbed: Customer
    moves: Sequence[TraceInfo]
    identifiers: list[str]
    touchpoints: int  # of which we heard who it was: as many contacts change hands
    reviews_closed: int
    values: list[Wins]
    facts: list[FactWins]
    people: list[Assigned]  # who of ours would look after him
    consents: list[Lost]
    do_not_contact: bool
    restricted: bool
    key_account: bool
    objections: list[str]
    kept_apart: list[tuple[UUID, UUID]]  # the traces by which people keep them apart


async def preview_merge(
    *, survivor: UUID, absorbed: UUID, uow: IdentityUnitOfWork, clock: Clock, company: Company
) -> Preview:
    """What would move, which values would win and why, which consents would tighten, what objects."""
    async with uow:
        winner, loser = await _pair(survivor, absorbed, uow)
        world = await _world(winner.customer_id, loser.customer_id, uow)
        dossiers = await uow.customers.dossiers([survivor, absorbed])
        consents, contact = await _tightened(dossiers, uow, clock())
        stays, goes = dossiers[survivor], dossiers[absorbed]
        touchpoints = await uow.sightings.count_of([t.trace_id for t in goes.traces])
        closed = await uow.reviews.open_within({t.trace_id for each in dossiers.values() for t in each.traces})
    return Preview(
        winner, loser, goes.traces,
        sorted({i.text for i in goes.identifiers} - {i.text for i in stays.identifiers}), touchpoints, closed,
        _values_of(stays, goes, company.survivorship), _facts_of(stays, goes),
        people_around([*stays.assigned, *goes.assigned]), consents, contact["do_not_contact"], contact["restricted"],
        as_one(winner, loser).key_account, _objections(winner, loser, world), world.kept_apart(survivor, absorbed),
    )  # fmt: skip


def _objections(winner: Customer, loser: Customer, world: World) -> list[str]:
    """What `objections` says of the two, and that a person is no organisation: other-kind."""
    found = objections(winner.customer_id, loser.customer_id, world)
    return [*found, "other-kind"] if winner.kind != loser.kind else found


def _values_of(winner: Dossier, loser: Dossier, rules: Survivorship) -> list[Wins]:
    mine, theirs = survivors(winner.values, rules), survivors(loser.values, rules)
    both = survivors([*winner.values, *loser.values], rules)
    return [
        Wins(
            key, value, reason_of(value, rules), mine[key].value if key in mine else None,
            theirs[key].value if key in theirs else None,
        )
        for key, value in sorted(both.items())
    ]  # fmt: skip


def _facts_of(winner: Dossier, loser: Dossier) -> list[FactWins]:
    mine, theirs = current_facts(winner.facts), current_facts(loser.facts)
    both = current_facts([*winner.facts, *loser.facts])
    has = [{key: fact.value for key, fact in each.items()} for each in (mine, theirs)]
    return [FactWins(fact, has[0].get(key), has[1].get(key)) for key, fact in sorted(both.items())]


async def _tightened(
    dossiers: dict[UUID, Dossier], uow: IdentityUnitOfWork, now: datetime
) -> tuple[list[Lost], dict[str, Any]]:
    """The consents of either that would not hold until he grants again, and what would hold of contact."""
    traces = {t.trace_id: customer_id for customer_id, dossier in dossiers.items() for t in dossier.traces}
    so_far = together_by(await uow.links.merges_beneath(dossiers))
    entries = await uow.contact.consents_of(traces)
    preferences = await uow.contact.preferences_of(traces)
    together = contact_of(preferences, entries, together=lambda a, b: so_far(a, b) if traces[a] == traces[b] else now)
    alone = [
        contact_of([], [e for e in entries if traces[e.trace_id] == each], together=so_far)["consents"]
        for each in dossiers
    ]
    return lost(entries, alone=alone, together=together["consents"]), together


async def merge_customers(
    *,
    survivor: UUID,
    absorbed: UUID,
    reason: str,
    force: bool,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
) -> UUID:
    """Make the two one, by a person's decision. Raises KeptApart, and GuardObjects unless forced."""
    async with uow:
        if (answer := await recall(uow, attempt, who)) is not None:
            return UUID(answer["merge_id"])
        await uow.lock_decisions()
        merge_id = await merge_now(
            survivor=survivor, absorbed=absorbed, reason=reason, force=force, by=who.known_as, uow=uow,
            company=company, now=clock(),
        )  # fmt: skip
        await remember(uow, attempt, who, {"merge_id": str(merge_id)}, at=clock())
        await uow.commit()
    return merge_id


async def merge_now(
    *,
    survivor: UUID,
    absorbed: UUID,
    reason: str,
    force: bool,
    by: str,
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
    pair: tuple[UUID, UUID] | None = None,
) -> UUID:
    """The merge itself, within a transaction that holds the decisions. `pair`: the two traces it was decided on."""
    winner, loser = await _pair(survivor, absorbed, uow)
    await uow.lock([survivor, absorbed], space=CUSTOMERS)
    world = await _world(survivor, absorbed, uow)
    _refuse(_objections(winner, loser, world), force=force)
    moved, kept = world.members(absorbed), world.members(survivor)
    left, right = pair or (representative(kept), representative(moved))
    decision = Decision(new_id(), "merge", by, reason, now, survivor, absorbed, left, right, before_image(moved, kept))
    await uow.links.record([decision])
    # whoever proved to be the absorbed one is, by a person's word, the survivor
    given = [_given(t, survivor, "claimed" if t.proof == "claimed" else "person", now) for t in moved]
    for trail in given:
        world.put(trail)
    given += [
        each.moved_at(next_revision(each.revision, now))
        for each in await followers(devices_of([*given, *kept]), world, uow=uow)
    ]
    await uow.links.move(given, decision_id=decision.decision_id)
    tell_moves(decision.decision_id, "merge", [_move(t) for t in given], uow=uow, now=now)
    await tell_those_beside([t.trace_id for t in given], uow=uow, now=now)
    await absorb(decision, uow=uow, now=now)
    traces = {t.trace_id for t in (*moved, *kept)}
    await uow.reviews.close_within(traces, by=by, reason=reason, at=now, decision_id=decision.decision_id)
    await tell_profiles([survivor], uow=uow, company=company, now=now)
    await tell_contact([survivor], uow=uow, now=now)
    return decision.decision_id


def _refuse(found: list[str], *, force: bool) -> None:
    if "kept-apart" in found:
        raise KeptApart
    if found and not force:
        raise GuardObjects(errors=[FieldError("/absorbed", code, "The two records differ in this.") for code in found])


@dataclass(frozen=True)
class Row:
    """One line of a reviewed list."""

    survivor: UUID
    absorbed: UUID
    reason: str
    force: bool


@dataclass(frozen=True)
class Fate:
    """What became of a line: merged by this decision, known already (one customer by now), or refused, and why."""

    merge_id: UUID | None = None
    refusal: Refusal | None = None

    @property
    def status(self) -> Literal["merged", "known", "refused"]:
        if self.refusal is not None:
            return "refused"
        return "merged" if self.merge_id is not None else "known"


async def merge_list(
    rows: Sequence[Row], *, who: Principal, uow: IdentityUnitOfWork, clock: Clock, company: Company
) -> list[Fate]:
    """A list that people have reviewed, line by line, a transaction each: what is refused is said, the rest is kept.

    An id that was absorbed, by an earlier line for instance, stands for whoever absorbed it; so the list can be sent again.
    """
    return [await _fate_of(row, who=who, uow=uow, clock=clock, company=company) for row in rows]


async def _fate_of(row: Row, *, who: Principal, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> Fate:
    try:
        async with uow:
            await uow.lock_decisions()
            survivor, absorbed = await uow.customers.resolve(row.survivor), await uow.customers.resolve(row.absorbed)
            if survivor is None or absorbed is None:
                raise UnknownCustomer(pointer="/survivor" if survivor is None else "/absorbed")
            if survivor.customer_id == absorbed.customer_id and row.survivor != row.absorbed:
                return Fate()
            merge_id = await merge_now(
                survivor=survivor.customer_id, absorbed=absorbed.customer_id, reason=row.reason, force=row.force,
                by=who.known_as, uow=uow, company=company, now=clock(),
            )  # fmt: skip
            await uow.commit()
            return Fate(merge_id)
    except Refusal as refusal:
        return Fate(refusal=refusal)


async def lift(*, one: UUID, other: UUID, reason: str, who: Principal, uow: IdentityUnitOfWork, clock: Clock) -> None:
    """The two traces may be joined again; the log of decisions says so. Raises NotKeptApart.

    A pair in doubt that was decided by what is lifted is in doubt again: nobody else would look at it.
    """
    async with uow:
        await uow.lock_decisions()
        now, by = clock(), who.known_as
        lifted = await uow.links.lift(one, other, by=by, reason=reason, at=now)
        if lifted is None:
            raise NotKeptApart
        await uow.reviews.reopen(lifted)
        left, right = sorted((one, other))
        await uow.links.record([Decision(new_id(), "lift", by, reason, now, left_trace=left, right_trace=right)])
        await uow.commit()


# --- the pair ---------------------------------------------------------------------------------------------------------


async def _pair(survivor: UUID, absorbed: UUID, uow: IdentityUnitOfWork) -> tuple[Customer, Customer]:
    if survivor == absorbed:
        raise SameCustomer(pointer="/absorbed")
    found = await uow.customers.get_all([survivor, absorbed])
    for customer_id, pointer in ((survivor, "/survivor"), (absorbed, "/absorbed")):
        if customer_id not in found or found[customer_id].state == "erased":
            raise UnknownCustomer(pointer=pointer)
        if found[customer_id].state == "merged":
            raise CustomerGone(pointer=pointer)
    return found[survivor], found[absorbed]


async def _world(one: UUID, other: UUID, uow: IdentityUnitOfWork) -> World:
    world = World()
    await uow.links.add_customers(world, [one, other])
    for left, right in await uow.links.kept_apart(world.trails.keys()):
        world.keep_apart(left, right)
    return world


def _given(trail: Trail, customer_id: UUID, proof: Any, now: datetime) -> Trail:
    return replace(trail, customer_id=customer_id, proof=proof, revision=next_revision(trail.revision, now))


def _move(trail: Trail) -> Move:
    return Move(trace_id=trail.trace_id, customer_id=trail.customer_id, revision=trail.revision, proof=trail.proof)
