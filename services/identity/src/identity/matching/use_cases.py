"""One record against all that are known: whoever is alike enough is the same customer, or a pair for a person to decide."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from uuid import UUID

import numpy as np
from uuid_utils.compat import uuid7

from common.company import Company
from identity.linking.domain import World
from identity.matching.blocking import keys_of
from identity.matching.clustering import CONTRADICTION
from identity.matching.columns import Columns
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import (
    BY_MATCHING,
    REVIEW,
    SHIPPED_COMMON,
    Common,
    Evidence,
    Weights,
    grounds_of,
    learnt_from_file,
    score,
    shipped_weights,
    verdict_of,
    waterfall,
)
from identity.matching.records import Person, read_person, with_more
from identity.merges.domain import objections
from identity.merges.use_cases import merge_now
from identity.reviews.domain import Review
from identity.sightings.domain import Sighting
from identity.uow import IdentityUnitOfWork

MOST_COMPARED = 100  # records that one is compared with: those that share the most keys
MOST_ALIKE = 5  # customers that one record is weighed against: those it resembles most
MOST_ASKED = 3  # reviews that one record opens: the pairs that are most alike
POPULATION = 1_000_000  # records among which the shipped weights look for a person


@dataclass(frozen=True)
class Pair:
    """Two traces compared: how probable it is that they are one person's, and why."""

    mine: UUID
    theirs: UUID
    bits: float
    probability: float
    bars: Sequence[Evidence]

    @property
    def words(self) -> str:
        """The waterfall in one line: what a decision keeps as its reason."""
        bars = ", ".join(f"{bar.field} {bar.level} {bar.weight:+.1f}" for bar in self.bars)
        return f"alike, {self.probability:.4f}: {bars}"


@lru_cache(maxsize=1)
def engine() -> tuple[Weights, Mapping[str, Common]]:
    """The weights in use: those of the file that `HILO_MATCH_WEIGHTS` names (`hilo match --learn`), else the shipped ones."""
    path = os.environ.get("HILO_MATCH_WEIGHTS")
    if path:
        return learnt_from_file(json.loads(Path(path).read_text("utf-8")))
    return shipped_weights(POPULATION), SHIPPED_COMMON


async def match_seen(
    sightings: Iterable[Sighting], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> set[UUID]:
    """Compare what was told anew of traces with all that is known, and act on it; answers with the customers concerned."""
    fresh = await _learn(sightings, uow=uow, company=company)
    strong = {trace_id: person for trace_id, person in fresh.items() if person.tells_enough}
    pairs = await compare_with_all(strong, uow=uow)
    return await _act(pairs, uow=uow, company=company, now=now) if pairs else set()


async def match_anew(
    trace_id: UUID, left: Sequence[Sighting], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> set[UUID]:
    """A touchpoint was taken back: the trace is compared by what its others told."""
    await uow.matching.forget([trace_id])
    return await match_seen(left, uow=uow, company=company, now=now)


async def match_again(
    traces: Collection[UUID], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> set[UUID]:
    """Compare what is on record of the traces with all that is known, though nothing was told anew: an undo has moved them."""
    known = await uow.matching.records(traces) if traces else {}
    strong = {trace_id: person for trace_id, person in known.items() if person.tells_enough}
    pairs = await compare_with_all(strong, uow=uow)
    return await _act(pairs, uow=uow, company=company, now=now) if pairs else set()


async def _learn(sightings: Iterable[Sighting], *, uow: IdentityUnitOfWork, company: Company) -> dict[UUID, Person]:
    """What is compared of the traces from now on; those of which anything is new. Shared identifiers tell nobody apart."""
    given = [sighting for sighting in sightings if sighting.profile]
    shared = await uow.links.shared({each.identifier_id for sighting in given for each in sighting.carried})
    told: dict[UUID, Person] = {}
    for sighting in given:
        carried = [(each.scheme, each.value) for each in sighting.carried if each.identifier_id not in shared]
        person = read_person(sighting.profile, carried, country=company.phone_region)
        told[sighting.trace_id] = with_more(told.get(sighting.trace_id), person)
    known = await uow.matching.records(told)
    people = {trace_id: with_more(known.get(trace_id), person) for trace_id, person in told.items()}
    fresh = {trace_id: person for trace_id, person in people.items() if person != known.get(trace_id)}
    await uow.matching.keep(fresh, known=known.keys() & fresh.keys())
    return fresh


async def compare_with_all(people: Mapping[UUID, Person], *, uow: IdentityUnitOfWork) -> list[Pair]:
    """The pairs that are linked, in doubt or contradict each other, of these records with any that share a key."""
    keys = {trace_id: keys_of(person) for trace_id, person in people.items()}
    found, others = await uow.matching.near(sorted({key for each in keys.values() for key in each}))
    candidates = [
        (mine, theirs)
        for mine, own in keys.items()
        for theirs, _ in _most_shared(mine, own, found)
    ]  # fmt: skip
    return compare_people(candidates, {**others, **people})


def _most_shared(mine: UUID, keys: Sequence[int], found: Mapping[int, Sequence[UUID]]) -> list[tuple[UUID, int]]:
    shared = Counter(theirs for key in keys for theirs in found.get(key, ()) if theirs != mine)
    return sorted(shared.items(), key=lambda each: (-each[1], each[0]))[:MOST_COMPARED]


def compare_people(pairs: Sequence[tuple[UUID, UUID]], people: Mapping[UUID, Person]) -> list[Pair]:
    """Score the pairs by the same levels and weights as a run in bulk."""
    if not pairs:
        return []
    traces = sorted({trace_id for pair in pairs for trace_id in pair})
    at = {trace_id: place for place, trace_id in enumerate(traces)}
    columns = Columns.of(people[trace_id] for trace_id in traces)
    weights, common = engine()
    comparer = Comparer(columns, Frequencies.known(columns, common))
    left, right = (np.array([at[pair[side]] for pair in pairs], dtype=np.int64) for side in (0, 1))
    compared = comparer.compare(left, right)
    scored = score(compared.levels, compared.rarity, weights)
    return [
        Pair(
            *pair, float(scored.score[place]), float(scored.probability[place]),
            waterfall(compared.levels[place].tolist(), compared.rarity[place].tolist(), weights)
            if scored.probability[place] >= REVIEW else (),
        )
        for place, pair in enumerate(pairs)
        if scored.probability[place] >= REVIEW or scored.score[place] < CONTRADICTION
    ]  # fmt: skip


# --- acting -----------------------------------------------------------------------------------------------------------


async def _act(pairs: Sequence[Pair], *, uow: IdentityUnitOfWork, company: Company, now: datetime) -> set[UUID]:
    """Merge whom nothing speaks against, open a review where something does; whoever is older stays."""
    trails = await uow.links.trails({trace_id for pair in pairs for trace_id in (pair.mine, pair.theirs)})
    owners = {trace_id: trail.customer_id for trace_id, trail in trails.items()}
    found = _by_customer(pairs, owners)
    world = await _world(_customers(found, owners), uow)
    torn = await _torn(found, owners, world, uow)
    reviews: list[Review] = []
    asked: Counter[UUID] = Counter()
    touched: set[UUID] = set()
    for best, worst in found:
        own, other = owners.get(best.mine), owners.get(best.theirs)
        if own is None or other is None or own == other:
            continue
        doubts = doubts_about(best, worst, own, other, world)
        if doubts is None:
            continue
        if best.mine in torn:
            doubts = [*doubts, "several-customers"]
        if doubts:
            asked[best.mine] += 1
            if asked[best.mine] <= MOST_ASKED:
                reviews.append(review_of(best, doubts, at=now))
            continue
        elder, younger = sorted((own, other), key=lambda each: (world.since[each], each))
        await merge_now(
            survivor=elder, absorbed=younger, reason=best.words, force=True, by=BY_MATCHING, uow=uow, company=company,
            now=now, pair=(best.mine, best.theirs),
        )  # fmt: skip
        owners = {trace_id: elder if owner == younger else owner for trace_id, owner in owners.items()}
        touched |= {elder, younger}
        world = await _world(_customers(found, owners), uow)
    await uow.reviews.open(reviews)
    return touched


def _customers(found: Sequence[tuple[Pair, Pair]], owners: Mapping[UUID, UUID | None]) -> set[UUID]:
    named = {owners.get(trace_id) for best, _ in found for trace_id in (best.mine, best.theirs)}
    return {each for each in named if each is not None}


def _by_customer(pairs: Sequence[Pair], owners: Mapping[UUID, UUID | None]) -> list[tuple[Pair, Pair]]:
    """For each trace the customers it resembles most, with the strongest and the weakest pair of each; the surest first."""
    groups: dict[tuple[UUID, UUID | None], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.mine, owners.get(pair.theirs)), []).append(pair)
    ranked = [(max(group, key=_rank), min(group, key=_rank)) for group in groups.values()]
    alike = [(best, worst) for best, worst in ranked if best.probability >= REVIEW]
    alike.sort(key=lambda each: (-each[0].bits, each[0].mine, each[0].theirs))
    seen: Counter[UUID] = Counter()
    kept = []
    for best, worst in alike:
        seen[best.mine] += 1
        if seen[best.mine] <= MOST_ALIKE:
            kept.append((best, worst))
    return kept


async def _torn(
    found: Sequence[tuple[Pair, Pair]], owners: Mapping[UUID, UUID | None], world: World, uow: IdentityUnitOfWork
) -> set[UUID]:
    """The traces that are like several customers who are not like each other: nothing tells whose they are."""
    linked: dict[UUID, list[UUID]] = {}
    for best, _ in found:
        if verdict_of(best.probability) == "linked":
            linked.setdefault(best.mine, []).append(best.theirs)
    rivals = {mine: list(combinations(sorted(theirs), 2)) for mine, theirs in linked.items() if len(theirs) > 1}
    people = await uow.matching.records({each for some in rivals.values() for pair in some for each in pair})
    every = sorted({pair for some in rivals.values() for pair in some})
    alike = {(pair.mine, pair.theirs) for pair in compare_people(every, people) if pair.probability >= REVIEW}
    return {
        mine
        for mine, some in rivals.items()
        if any(pair not in alike or _kept_apart(pair, owners, world) for pair in some)
    }


def _kept_apart(pair: tuple[UUID, UUID], owners: Mapping[UUID, UUID | None], world: World) -> bool:
    one, other = (owners.get(each) for each in pair)
    if one is None or other is None:
        return False
    return world.are_kept_apart(world.persona(one).traces, world.persona(other).traces)


def _rank(pair: Pair) -> tuple[float, UUID]:
    return pair.bits, pair.theirs


async def _world(customers: Collection[UUID], uow: IdentityUnitOfWork) -> World:
    world = World()
    await uow.links.add_customers(world, customers)
    for left, right in await uow.links.kept_apart(world.trails.keys()):
        world.keep_apart(left, right)
    return world


def doubts_about(best: Pair, worst: Pair, one: UUID, other: UUID, world: World) -> list[str] | None:
    """Why a person should look before the two customers are one; none: nobody need. None: they are two, whatever the likeness.

    Likeness is not proof: of two customers who both proved something, one would read the other's history.
    """
    found = objections(one, other, world)
    rests_on = grounds_of(best.bars)
    if {"kept-apart", "other-document"} & set(found) or rests_on == "none":
        return None
    doubts = [each for each in found if each != "document-one-digit-off"]  # weighed already
    if verdict_of(best.probability) != "linked":
        doubts.append("alike-in-part")
    if worst.bits < CONTRADICTION:
        doubts.append("unlike-in-part")
    if rests_on == "slip":
        doubts.append("nearly-alike-alone")
    if _has_several_documents(world, one) or _has_several_documents(world, other):
        doubts.append("several-documents")  # one slip of a number is a slip; two are a row of numbers
    if world.persona(one).proven and world.persona(other).proven:
        doubts.append("claimed-only")
    return doubts


def _has_several_documents(world: World, customer_id: UUID) -> bool:
    return any(len(numbers) > 1 for numbers in world.persona(customer_id).documents.values())


def review_of(pair: Pair, reasons: Sequence[str], *, at: datetime) -> Review:
    """A pair in doubt, with its waterfall: fields, levels and bits, never a value."""
    left, right = sorted((pair.mine, pair.theirs))
    bars = [{"field": bar.field, "level": bar.level, "weight": round(bar.weight, 2)} for bar in pair.bars]
    explanation = {
        "shares": "profile", "reasons": list(reasons), "probability": round(pair.probability, 6), "waterfall": bars,
    }  # fmt: skip
    return Review(uuid7(), left, right, explanation, "open", at)
