"""Taking in what channels saw of people: store it, decide whose traces those are, tell what is known by now."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.company import Company
from common.contracts.interactions import CaseMoved, PersonSeen, PersonUnseen
from common.ids import new_id
from identity.customers.telling import changed, tell_profiles
from identity.guards.domain import blocked
from identity.knowledge.domain import Fact, Put
from identity.linking.domain import BY_RULES, Trail, adrift, devices_of, heirs, next_revision, unproved
from identity.linking.use_cases import Desk, archive_if_empty, bite
from identity.matching.domain import BY_MATCHING
from identity.matching.use_cases import learn_likeness
from identity.merges.undoing import take_back
from identity.sightings.domain import Sighting, given_in, is_blocked, sighting_of, with_name
from identity.uow import IdentityUnitOfWork


async def see_people(
    told: Sequence[Any],
    *,
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
    compared: Collection[UUID] = frozenset(),
) -> set[UUID]:
    """Take in what channels saw of people, and decide whose traces those are. Does not commit; the caller holds the decisions.

    Gives the customers of whom is told, once that is committed, all that this company's file says; `compared` are those given before.
    """
    seen = [(sighting_of(data, company), data) for data in told if isinstance(data, PersonSeen)]
    gone = [data for data in told if isinstance(data, PersonUnseen)]
    somebodys = [(sighting, event) for sighting, event in seen if sighting.carried]
    touched, newcomers = await _see(somebodys, uow, company, now, told_at_once=not gone, compared=compared)
    less = [event for sighting, event in seen if len(sighting.carried) < len(event.identifiers)]
    nobodys = [(each.trace_id, c) for each in less for c in given_in(each) if is_blocked(c, company)]
    await bite([blocked(c, trace_id=trace_id, at=now) for trace_id, c in nobodys], uow=uow)
    await uow.knowledge.note_cases([data for data in told if isinstance(data, CaseMoved)])
    for data in gone:
        touched |= await unsee(data, uow, company, now)
    await tell_profiles(touched, uow=uow, company=company, now=now)
    return touched | newcomers


async def _see(
    seen: Sequence[tuple[Sighting, PersonSeen]],
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
    *,
    told_at_once: bool,
    compared: Collection[UUID],
) -> tuple[set[UUID], set[UUID]]:
    """Gives the customers who are to be told of, and newcomers of whom was told: with `told_at_once`, when nothing follows."""
    sightings = await _not_counted(seen, uow)
    if not sightings:
        return set(), set()
    likeness = await learn_likeness([sighting for sighting, _ in sightings], uow=uow, company=company)
    desk = Desk(uow, company, now, likeness=likeness)
    await desk.open([sighting for sighting, _ in sightings])
    same = await _the_same_again(sightings, desk, compared, uow)
    lessons = await uow.sightings.add(
        [sighting for sighting, _ in sightings],
        at=now,
        fresh=desk.fresh,
        settled=desk.settled,
        unheard=desk.world.unheard,
    )
    if told_at_once:
        more = {sighting.trace_id for sighting, event in sightings if _is_answered(event)}
        desk.lessons = {trace_id: lesson for trace_id, lesson in lessons.items() if trace_id not in more}
    await uow.knowledge.add(fact for _, event in sightings for fact in facts_of(event, company))
    await uow.knowledge.put(
        (Put(event.trace_id, question, "asked", event.occurred_at), event.touchpoint_id)
        for _, event in sightings
        for question in event.asked
    )
    await desk.close()
    came = {desk.owner(sighting.trace_id) for sighting, event in sightings if not event.backfill}
    back = await _back_from_the_archive({owner for owner in came if owner is not None} - desk.told, uow, now)
    telling = {s.trace_id for s, event in sightings if (s.profile and s.trace_id not in same) or _is_answered(event)}
    telling |= desk.news
    owners = {desk.owner(trace_id) for trace_id in telling}
    return (desk.touched | back | {owner for owner in owners if owner is not None}) - desk.told, desk.told


def _is_answered(event: PersonSeen) -> bool:
    return bool(event.facts or event.asked)


async def _the_same_again(
    sightings: Iterable[tuple[Sighting, PersonSeen]], desk: Desk, compared: Collection[UUID], uow: IdentityUnitOfWork
) -> set[UUID]:
    """Known traces of which the same was told as before, as it is of most: how their customers are known is what it was.

    Asked before it is written. A customer who was not compared yet may have been told of under another file of the company's.
    """
    again = [
        sighting for sighting, _ in sightings if sighting.profile and desk.settled.get(sighting.trace_id) in compared
    ]
    if not again:
        return set()
    return {each.trace_id for each in again} - await uow.sightings.telling_otherwise(again)


async def _not_counted(
    seen: Sequence[tuple[Sighting, PersonSeen]], uow: IdentityUnitOfWork
) -> list[tuple[Sighting, PersonSeen]]:
    """Those not counted before. Where every identifier is nobody's, there is no one to know."""
    latest = {sighting.touchpoint_id: (sighting, event) for sighting, event in seen}
    for touchpoint_id in await uow.sightings.known(latest):
        latest.pop(touchpoint_id)
    return [(sighting, event) for sighting, event in latest.values() if sighting.carried]


def facts_of(seen: PersonSeen, company: Company) -> Iterable[Fact]:
    """The facts of one touchpoint, each with the validity that the company gives to its key."""
    for each in seen.facts:
        if not each.get("key"):  # it was redacted
            continue
        key = str(each["key"])[:100]
        question = company.question(str(each["question_id"])) if each.get("question_id") else None
        question_id = question.id if question else None
        validity = company.valid_for(key, question_id)
        yield Fact(
            new_id(), seen.trace_id, key, each.get("value"), seen.channel, float(each.get("confidence") or 1.0),
            seen.occurred_at, seen.occurred_at + validity if validity else None, seen.touchpoint_id, question_id,
        )  # fmt: skip


async def unsee(gone: PersonUnseen, uow: IdentityUnitOfWork, company: Company, now: datetime) -> set[UUID]:
    """A touchpoint is taken back, and with it what it alone taught or proved: links, proofs and merges made on its word."""
    was = (await uow.links.trails([gone.trace_id])).get(gone.trace_id)
    devices = devices_of([was] if was is not None else [])
    left = await uow.sightings.unsee(gone.touchpoint_id, gone.trace_id, at=now)
    await uow.knowledge.forget(gone.touchpoint_id)
    trail = (await uow.links.trails([gone.trace_id])).get(gone.trace_id)
    if trail is None or was is None:
        return set()
    names: tuple[str, ...] = ()
    for sighting in left:
        names = with_name(names, sighting.name)
    await uow.links.rename(gone.trace_id, names)
    touched = {trail.customer_id} if trail.customer_id is not None else set()
    # likeness: what it was seen in may be what is gone
    touched |= await _take_back([gone.trace_id], {BY_MATCHING}, was, uow, company, now)
    if trail.carried != was.carried:
        touched |= await _stand_without(was, uow, company, now)
    return touched | await _compare_anew(gone.trace_id, left, devices, uow, company, now)


async def _stand_without(was: Trail, uow: IdentityUnitOfWork, company: Company, now: datetime) -> set[UUID]:
    """The trace carries or attests less than it `was`: what was merged, proved or linked on that is decided without it.

    What has ground in what is left is found again.
    """
    touched = await _take_back([was.trace_id], {BY_RULES}, was, uow, company, now)
    around = await uow.links.world((await uow.links.trails([was.trace_id])).values())
    whose = {owner for owner in [around.owner(was.trace_id)] if owner is not None}
    for trail in heirs(whose, around):
        around.put(trail)
    lost = [*unproved(was, around), *adrift(whose, around)]
    touched |= await _take_back([each.trace_id for each in lost], {BY_RULES}, was, uow, company, now)
    desk = Desk(uow, company, now)
    loose = await desk.prove_anew(was)
    await desk.close()
    touched |= desk.touched
    if loose:
        desk = Desk(uow, company, now)
        await desk.decide_anew(*loose)
        await desk.close()
        await archive_if_empty({each.customer_id for each in loose if each.customer_id}, uow=uow, now=now)
        touched |= desk.touched
    return touched


async def _take_back(
    traces: Collection[UUID],
    by: Collection[str],
    was: Trail,
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
) -> set[UUID]:
    """Merges on the word of the traces are taken back; those that still have ground are found again on the way."""
    touched: set[UUID] = set()
    for merge in await uow.links.merges_on_the_word_of(traces, by=by) if traces else ():
        touched |= await take_back(merge, uow=uow, company=company, now=now, was=was)
    return touched


async def _compare_anew(
    trace_id: UUID,
    left: Sequence[Sighting],
    devices: Collection[UUID],
    uow: IdentityUnitOfWork,
    company: Company,
    now: datetime,
) -> set[UUID]:
    """A touchpoint was taken back: its trace is compared by what its others told, and who visited its devices follows anew."""
    await uow.matching.forget([trace_id])
    desk = Desk(uow, company, now, likeness=await learn_likeness(left, uow=uow, company=company))
    await desk.compare(left, devices=devices)
    await desk.close()
    return desk.touched


async def _back_from_the_archive(customers: Collection[UUID], uow: IdentityUnitOfWork, now: datetime) -> set[UUID]:
    """Those of the customers whom we had put aside, and who have come back by themselves: they are active again."""
    found = await uow.customers.get_all(await uow.customers.archived(customers))
    archived = [each for _, each in sorted(found.items())]
    for each in archived:
        back = replace(each, state="active", revision=next_revision(each.revision, now))
        await uow.customers.change(each.customer_id, state=back.state, revision=back.revision)
        uow.outbox.add(changed(back), at=now)
    return {each.customer_id for each in archived}
