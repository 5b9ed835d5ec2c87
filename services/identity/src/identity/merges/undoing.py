"""Undo: what a merge moved goes back, and all that came since is told again, as if the two had never been one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.contracts.identity import Move
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from identity.customers.domain import Customer, UnknownCustomer
from identity.customers.telling import changed, tell_contact, tell_profiles
from identity.linking.domain import (
    UNREACHING,
    Trail,
    adrift,
    devices_of,
    heirs,
    kept_by,
    moved_by,
    next_revision,
    own_key_account,
    unproved,
)
from identity.linking.repository import BY_RULES, Decision
from identity.linking.use_cases import Desk, archive_if_empty, before_image
from identity.matching.domain import BY_MATCHING
from identity.matching.use_cases import recall_likeness
from identity.merges.domain import (
    AlreadyUndone,
    Grounds,
    UnknownMerge,
    came_later,
    grounds_of,
    rewound,
)
from identity.sightings.domain import Sighting
from identity.uow import CUSTOMERS, IdentityUnitOfWork

BY_NOBODY = frozenset({BY_RULES, BY_MATCHING})  # not by a person: decided anew where its ground has changed
MOST_TOLD_AGAIN = 5_000  # traces; beyond them others' traces that came since stay where they are


async def undo_merge(
    *,
    merge_id: UUID,
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
) -> UUID:
    """The world as if the merge had not been: what it moved goes back, what came since is decided anew, the two stay apart."""
    async with uow:
        if (answer := await recall(uow, attempt, who)) is not None:
            return UUID(answer["decision_id"])
        await uow.lock_decisions()
        merge = await uow.links.decision(merge_id)
        if merge is None or merge.kind != "merge":
            raise UnknownMerge
        if merge.undone_by is not None:
            raise AlreadyUndone
        undo_id, touched = await _undo(
            merge, reason=reason, by=who.known_as, apart=True, uow=uow, company=company, now=clock()
        )
        await tell_profiles(touched, uow=uow, company=company, now=clock())
        await remember(uow, attempt, who, {"decision_id": str(undo_id)}, at=clock())
        await uow.commit()
    return undo_id


async def take_back(
    merge: Decision,
    *,
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
    by: str = BY_RULES,
    reason: str = "what it was decided on was retracted",
    was: Trail | None = None,
) -> set[UUID]:
    """A merge has lost its ground: undone without a verdict that the two differ.

    `was`: a trace as it was before something of it was retracted; what it proved then proves nothing on the way.
    """
    _, touched = await _undo(merge, reason=reason, by=by, apart=False, uow=uow, company=company, now=now, was=was)
    return touched


async def _undo(
    merge: Decision,
    *,
    reason: str,
    by: str,
    apart: bool,
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
    was: Trail | None = None,
) -> tuple[UUID, set[UUID]]:
    if merge.survivor is None or merge.absorbed is None:
        raise UnknownMerge
    chain = await _chain(merge.survivor, uow)
    await uow.lock([chain[-1], merge.absorbed], space=CUSTOMERS)
    past = await _past_of(merge, chain, uow)
    past.was = was
    undo_id: UUID = new_id()
    image = before_image(list(past.present.values()), []) | {"undoes": str(merge.decision_id)}
    undo = Decision(
        undo_id, "undo", by, reason, now, merge.survivor, merge.absorbed, merge.left_trace, merge.right_trace, image
    )
    await uow.links.record([undo])
    for undone in (merge, *past.by_rules):
        await uow.links.mark_undone(undone.decision_id, by=undo_id)
        await uow.reviews.reopen(undone.decision_id)
        await _restore(undone.absorbed, uow, now)
    if apart:
        await _keep_apart(merge, undo_id, by=by, reason=reason, uow=uow, now=now)
    desk = Desk(uow, company, now, kind="undo", decision_id=undo_id)
    await _tell_again(past, desk)
    await uow.reviews.drop_but(desk.doubted, within=past.later.keys() | past.grounds.keys(), since=merge.at)
    await desk.close()
    touched = desk.touched | {chain[-1]} | {undone.absorbed for undone in (merge, *past.by_rules) if undone.absorbed}
    await archive_if_empty(touched | past.young, uow=uow, now=now)
    for undone in (merge, *past.by_rules):
        await _as_they_were(undone, uow, now)
    await tell_contact(touched, uow=uow, now=now)
    return undo_id, touched


# --- what has been since ------------------------------------------------------------------------------------------------


@dataclass
class Past:
    """What there was when the merge was made, and what came since.

    `grounds`: where each trace of that time belongs without the merge. `later`: traces that came since, each as it is now;
    those of others too, where they share an identifier: they were decided beside a customer who was two.
    """

    merge: Decision
    present: dict[UUID, Trail]
    later: dict[UUID, Trail]
    grounds: dict[UUID, Grounds]
    by_rules: Sequence[Decision] = ()  # merges since, by the rules: decided anew
    young: set[UUID] = field(default_factory=set)  # customers whom the rules founded since
    founders: dict[UUID, UUID] = field(default_factory=dict)  # of each of these the trace that founded him
    was: Trail | None = None  # the trace of which something was retracted, as it was


async def _past_of(merge: Decision, chain: list[UUID], uow: IdentityUnitOfWork) -> Past:
    present = await uow.links.trails_of_customers([chain[-1]])
    since = [
        each for each in await uow.links.standing_merges_into(chain) if each.decision_id > merge.decision_id
    ]  # the oldest first
    by_people = [each for each in since if each.by not in BY_NOBODY]
    # what the rules did after a person joined more to him rests on that person's word
    by_rules = [
        each for each in since if each.by in BY_NOBODY and not any(p.decision_id < each.decision_id for p in by_people)
    ]
    brought = [_brought_by(each, chain) for each in since if each not in by_rules]
    ids = came_later(present, merge.before, brought)
    grounds = grounds_of(merge, by_rules, present)
    came = await uow.links.came_at(ids)
    later = {
        trace: present[trace]
        for trace in ids
        if came[trace] >= merge.at and (present[trace].proof != "person" or present[trace].scheme == "customer")
    }
    past = Past(merge, present, later, {t: g for t, g in grounds.items() if t not in later}, by_rules)
    await _add_entangled(past, uow)
    await _add_young(past, grounds, uow)
    return past


async def _chain(customer_id: UUID, uow: IdentityUnitOfWork) -> list[UUID]:
    """The customer, who absorbed him, who absorbed that one, ..., the one who is left."""
    chain = [customer_id]
    while (found := await uow.customers.get(chain[-1])) is not None and found.merged_into is not None:
        chain.append(found.merged_into)
    return chain


def _brought_by(other: Decision, chain: list[UUID]) -> set[UUID]:
    """What another merge, later than this one and still standing, brought into the chain from outside."""
    return set(kept_by(other.before) if other.absorbed in chain else moved_by(other.before))


async def _add_entangled(past: Past, uow: IdentityUnitOfWork) -> None:
    """Other customers' traces of which anything was told since and that share an identifier with his, and so on from these.

    Those that came since are decided anew; those of before stay whose they are, and learn again what they learnt since.
    Of whom nothing was told since leads on to others as well: evidence may join him to those who are decided anew.
    """
    asked: set[UUID] = set()
    walked: set[UUID] = set()
    around = dict(past.present)
    while around and len(past.later) < MOST_TOLD_AGAIN and len(walked) < MOST_TOLD_AGAIN:
        walked |= around.keys()
        ids = {
            c.identifier_id for trail in around.values() for c in trail.carried.values() if c.scheme not in UNREACHING
        }
        ids -= asked
        common = await uow.links.shared(ids)
        usable = ids - (common - await uow.guards.shared_since(past.merge.at, common))
        asked |= ids
        found = await uow.links.carrying(usable, told_since=past.merge.at) if usable else {}
        around = {
            trace: trail for trace, trail in found.items()
            if trace not in past.present and trace not in past.later and trail.scheme != "customer"
        }  # fmt: skip
        came = await uow.links.came_at(around)
        new = {t: x for t, x in around.items() if came[t] >= past.merge.at and x.proof != "person"}
        past.later |= new
        # what people wrote to those others since was not there yet when the first of it happened
        written = await uow.links.written_to(usable, since=past.merge.at) if usable else {}
        past.later |= {trace: trail for trace, trail in written.items() if trace not in past.present}
        old = {trace: trail for trace, trail in around.items() if trace not in new}
        past.present |= old
        past.grounds |= {trace: Grounds(trail.customer_id, trail.proof, trail.via) for trace, trail in old.items()}
        silent = await uow.links.trails_of_customers(await uow.links.reached_by(usable))
        around |= {trace: trail for trace, trail in silent.items() if trace not in walked}


async def _add_young(past: Past, grounds: Mapping[UUID, Grounds], uow: IdentityUnitOfWork) -> None:
    """Whom the rules founded since, though likeness or evidence has joined him to others, and by which trace."""
    founded = {t: grounds.get(t) or Grounds(x.customer_id, x.proof, x.via) for t, x in sorted(past.later.items())}
    owners = {ground.customer_id for ground in founded.values() if ground.customer_id is not None}
    found = await uow.customers.get_all(owners | {each.absorbed for each in past.by_rules if each.absorbed})
    past.young = {
        each.customer_id for each in found.values()
        if each.customer_id > past.merge.decision_id and each.created_by == BY_RULES
    }  # fmt: skip
    mine = {ground.customer_id: trace for trace, ground in reversed(founded.items()) if ground.via is None}
    past.founders = {mine[each]: each for each in sorted(past.young & mine.keys())}


# --- telling it again -----------------------------------------------------------------------------------------------------


async def _tell_again(past: Past, desk: Desk) -> None:
    """Decide anew on all that came since, touchpoint by touchpoint, from how it was when the merge was made."""
    uow, merge = desk.uow, past.merge
    before = past.later | {trace: past.present[trace] for trace in past.grounds if trace in past.present}
    story = await uow.sightings.story_of(before)
    by_hand = await uow.sightings.linked_by_hand(before)
    since, until = ([s for came, s in story if (came >= merge.at) == later] for later in (True, False))
    desk.likeness = await recall_likeness(since, until=until, uow=uow, company=desk.company)
    stripped = [_nobodys(trail) for trail in past.later.values()]
    desk.world = await uow.links.world(
        [*stripped, *(trail for trace, trail in before.items() if trace not in past.later)], beside=desk.likeness.traces
    )
    # what too many share since then told who is who until it came to that, which is found again on the way
    lately = await uow.guards.shared_since(merge.at, desk.world.barred)
    desk.world.barred -= lately
    await uow.links.add_customers(desk.world, await uow.links.reached_by(lately))
    at_work = {each for decision in (merge, *past.by_rules) for each in (decision.survivor, decision.absorbed) if each}
    await uow.links.add_customers(desk.world, at_work | past.young)
    for left, right in await uow.links.kept_apart(desk.world.trails.keys()):
        desk.world.keep_apart(left, right)
    original = dict(desk.world.trails) | before
    loose = _rewind(past, desk, story, by_hand)
    desk.former = dict(past.founders)  # he keeps his id where he is founded again
    for trace in loose:
        desk.decide(desk.world.trails[trace])
    for _, happened in sorted(
        _what_happened(past, story, await uow.links.came_at(past.later)), key=lambda each: each[0]
    ):
        if isinstance(happened, Sighting):
            desk.learn(happened)
        else:
            desk.world.put(happened)
            desk.decide(happened)
    _note_moves(desk, original)
    await desk.follow(devices_of(desk.world.trails.values()))


def _nobodys(trail: Trail) -> Trail:
    """As if it came now. What a person wrote to a customer goes by his id alone, so its proof stays."""
    return replace(trail, customer_id=None, via=None, proof=trail.proof if trail.scheme == "customer" else "claimed")


def _rewind(
    past: Past, desk: Desk, story: Sequence[tuple[datetime, Sighting]], by_hand: Collection[tuple[UUID, UUID]]
) -> list[UUID]:
    """The neighbourhood as it was when the merge was made, without the merge. Gives whom nothing leads to their customer any more."""
    since: dict[UUID, list[Sighting]] = {}
    until: dict[UUID, list[Sighting]] = {}
    for came, sighting in story:
        (since if came >= past.merge.at else until).setdefault(sighting.trace_id, []).append(sighting)
    grounds = {trace: ground for trace, ground in past.grounds.items() if trace in past.present}
    for trace, ground in grounds.items():
        desk.world.put(replace(past.present[trace], **vars(ground)))
    # what is not carried at present though it led him there was retracted
    whose = {ground.customer_id for ground in grounds.values() if ground.customer_id is not None}
    for trail in heirs(whose, desk.world):
        desk.world.put(trail)
        grounds[trail.trace_id] = Grounds(trail.customer_id, trail.proof, None)
    loose = [trail.trace_id for trail in adrift(whose, desk.world) if trail.trace_id in grounds]
    for trace, ground in grounds.items():
        trail = past.present[trace]
        hand = {identifier for of, identifier in by_hand if of == trace}
        known = rewound(trail, until.get(trace, ()), since.get(trace, ()), by_hand=hand)
        attested = any(carried.attested for carried in known.carried.values())
        # what proved him since did not prove him then, nor does what was retracted since
        is_claim = not attested or trail.proof == "claimed"
        proof = "claimed" if ground.proof == "attested" and is_claim else ground.proof
        desk.world.put(replace(known, customer_id=ground.customer_id, proof=proof, via=ground.via))
    for trail in past.later.values():
        desk.world.put(replace(_nobodys(trail), carried={}, names=()))
    for trail in unproved(past.was, desk.world) if past.was is not None else ():
        desk.world.put(replace(trail, proof="claimed"))
    for trace in loose:
        desk.world.put(_nobodys(desk.world.trails[trace]))
    return loose


def _what_happened(
    past: Past, story: Sequence[tuple[datetime, Sighting]], came_at: dict[UUID, datetime]
) -> list[tuple[tuple[datetime, UUID], Sighting | Trail]]:
    """What is to be told again: each touchpoint since, and the traces that have none (written to him by staff)."""
    told = [((came, s.touchpoint_id), s) for came, s in story if came >= past.merge.at]
    spoken = {s.trace_id for _, s in told}
    silent = [((came_at[t], t), _nobodys(trail)) for t, trail in past.later.items() if t not in spoken]
    return [*told, *silent]


def _note_moves(desk: Desk, original: dict[UUID, Trail]) -> None:
    """What is to be written and told is where each trace is in the end, whatever way it took there."""
    desk.merges = [(decision, []) for decision, _ in desk.merges]
    desk.moved = {}
    for trace, now_is in list(desk.world.trails.items()):
        was = original.get(trace)
        if was is None or (was.customer_id, was.proof, was.via) == (now_is.customer_id, now_is.proof, now_is.via):
            continue
        moved = replace(now_is, revision=next_revision(was.revision, desk.now))
        desk.world.put(moved)
        desk.moved[trace] = Move(
            trace_id=trace, customer_id=moved.customer_id, revision=moved.revision, proof=moved.proof
        )
        desk.touched |= {each for each in (was.customer_id, moved.customer_id) if each is not None}


async def _restore(customer_id: UUID | None, uow: IdentityUnitOfWork, now: datetime) -> None:
    found = await uow.customers.get(customer_id) if customer_id is not None else None
    if found is None:
        raise UnknownCustomer
    back = replace(found, state="active", merged_into=None, revision=next_revision(found.revision, now))
    # what was last told of him is stale by now: tell it again
    await uow.customers.change(
        found.customer_id, state=back.state, merged_into=None, revision=back.revision, profile_digest=None
    )
    uow.outbox.add(changed(back), at=now)


async def _as_they_were(merge: Decision, uow: IdentityUnitOfWork, now: datetime) -> None:
    """What they were to us by the merge alone they are no more: active, unless they came since themselves; a key account."""
    for text, was in (merge.before or {}).get("were", {}).items():
        found = await uow.customers.get(UUID(text))
        if found is None or found.state != "active" or was["state"] == "active":
            continue
        traces = await uow.customers.traces_of([found.customer_id])
        came = any(info.last_seen >= merge.at for info in traces if info.scheme != "customer")
        if not came and not await uow.links.standing_merges_into([found.customer_id]):
            await _change(found, uow, now, state=was["state"])
    await _key_accounts_anew(merge, uow, now)


async def _key_accounts_anew(merge: Decision, uow: IdentityUnitOfWork, now: datetime) -> None:
    """Who was a key account by the one who left him is none, nor is whoever absorbed him since, unless by himself or another."""
    left = await uow.customers.get(merge.absorbed) if merge.absorbed else None
    if left is None or not left.key_account:
        return
    customer_id, undone = merge.survivor, [merge]
    while customer_id is not None and (found := await uow.customers.get(customer_id)) is not None:
        standing = await uow.links.standing_merges_into([customer_id])
        merges = sorted([*standing, *undone], key=lambda each: each.decision_id)
        absorbed = await uow.customers.get_all({each.absorbed for each in standing if each.absorbed})
        by_another = any(each.key_account for each in absorbed.values())
        if not found.key_account or by_another or own_key_account(customer_id, merges) is not False:
            return
        await _change(found, uow, now, key_account=False)
        customer_id, undone = found.merged_into, []


async def _change(found: Customer, uow: IdentityUnitOfWork, now: datetime, **values: Any) -> None:
    back = replace(found, **values, revision=next_revision(found.revision, now))
    await uow.customers.change(back.customer_id, **values, revision=back.revision)
    uow.outbox.add(changed(back), at=now)


async def _keep_apart(
    merge: Decision, undo_id: UUID, *, by: str, reason: str, uow: IdentityUnitOfWork, now: datetime
) -> None:
    if merge.left_trace is None or merge.right_trace is None:
        return
    await uow.links.keep_apart(merge.left_trace, merge.right_trace, decision_id=undo_id, at=now)
    await uow.reviews.decide_pair(
        merge.left_trace, merge.right_trace, state="different", by=by, reason=reason, at=now, decision_id=undo_id
    )
