"""One record against all that are known: whoever is alike enough is the same customer, or a pair for a person to decide."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, combinations
from uuid import UUID

import numpy as np

from common.company import Company
from common.ids import new_id
from identity.linking.domain import World, documents_one_digit_off
from identity.matching.blocking import keys_of
from identity.matching.clustering import CONTRADICTION
from identity.matching.columns import Columns
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import (
    REVIEW,
    SHIPPED_COMMON,
    Common,
    Evidence,
    Weights,
    grounds_of,
    score,
    shipped_weights,
    verdict_of,
    waterfall,
)
from identity.matching.records import Person, comparable, read_person, with_more
from identity.merges.domain import objections
from identity.reviews.domain import Review
from identity.sightings.domain import Sighting
from identity.uow import IdentityUnitOfWork

# Records that one is compared with: those that share the rarest keys with it. Of 11,472 pairs that are alike among 300,000 people two
# stand further down, neither of them surely one person; and the price no longer grows with the population.
MOST_COMPARED = 20
# What such a record shares weighs at least that much: one key alone weighs less where more than twenty have it. Of 11,470 alike pairs
# one weighs less, not surely one person; and of 14 to compare among 300,000 people 12 are left, where ten thousand have 5.
LEAST_SHARED = 0.05
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


@dataclass
class Engine:
    """By what this process weighs likeness: as shipped, unless the composition root gives it what was learnt elsewhere."""

    weights: Weights = field(default_factory=lambda: shipped_weights(POPULATION))
    common: Mapping[str, Common] = field(default_factory=lambda: SHIPPED_COMMON)

    def weigh_by(self, weights: Weights, common: Mapping[str, Common]) -> None:
        self.weights, self.common = weights, common


ENGINE = Engine()


@dataclass(frozen=True)
class Told:
    """What is compared of a trace from one touchpoint on."""

    touchpoint_id: UUID
    trace_id: UUID
    person: Person


@dataclass
class Likeness:
    """Whom each touchpoint's trace is like, among those told of before it: the same however a batch was cut."""

    told: Mapping[UUID, Told] = field(default_factory=dict)  # by touchpoint
    pairs: Mapping[UUID, Sequence[Pair]] = field(
        default_factory=dict
    )  # by touchpoint that any is alike to: linked, in doubt or contradicting
    people: dict[UUID, Person] = field(default_factory=dict)  # by trace, as far as was told

    @property
    def traces(self) -> set[UUID]:
        """All that are weighed: their customers belong to the neighbourhood."""
        return {trace_id for pairs in self.pairs.values() for pair in pairs for trace_id in (pair.mine, pair.theirs)}

    def weigh(self, touchpoint_id: UUID, world: World) -> Iterator[tuple[Pair, list[str]]]:
        """The pairs that one touchpoint joins (no doubts), and those that a person should look at; the surest first.

        To be asked in the order of telling. Whoever asks settles each pair in `world` before he takes the next.
        """
        told = self.told.get(touchpoint_id)
        if told is not None:
            self.people[told.trace_id] = told.person
        pairs = self.pairs.get(touchpoint_id)
        if not pairs:
            return
        people = self.people
        if lessened := self._lessened(pairs, world):
            people = {**people, **lessened}
            pairs = compare_people([(pair.mine, pair.theirs) for pair in pairs], people)
        found = _by_customer(pairs, world)
        torn = _is_torn([best for best, _ in found], world, people)
        asked = 0
        for best, worst in found:
            doubts = doubts_about(best, worst, world)
            if doubts is None:
                continue
            if torn:
                doubts.append("several-customers")
            asked += bool(doubts)
            if not doubts or asked <= MOST_ASKED:
                yield best, doubts

    def _lessened(self, pairs: Sequence[Pair], world: World) -> dict[UUID, Person]:
        """Those of the pairs' people who were read with what proves no identity any more, read without it.

        It may have come to that since they were compared, by a touchpoint that was told before this one.
        """
        found: dict[UUID, Person] = {}
        if not world.barred:
            return found
        for trace_id in {trace_id for pair in pairs for trace_id in (pair.mine, pair.theirs)}:
            trail, person = world.trails.get(trace_id), self.people.get(trace_id)
            if trail is None or person is None:
                continue
            nobodys = comparable(
                [(c.scheme, c.value) for c in trail.carried.values() if c.identifier_id in world.barred]
            )
            kept = tuple(each for each in person.identifiers if each not in nobodys)
            if len(kept) < len(person.identifiers):
                found[trace_id] = replace(person, identifiers=kept)
        return found


async def learn_likeness(sightings: Sequence[Sighting], *, uow: IdentityUnitOfWork, company: Company) -> Likeness:
    """Keep what touchpoints tell anew of their traces, and compare each with all that was known when it was told."""
    given = [sighting for sighting in sightings if sighting.profile]
    known, unasked = await uow.matching.records({sighting.trace_id for sighting in given})
    told = await read_told(given, known, uow=uow, company=company, unasked=unasked)
    latest = {each.trace_id: each.person for each in told}
    # of whom nothing new was told, he is as he is kept
    known = {trace_id: person for trace_id, person in known.items() if trace_id in latest}
    await uow.matching.keep(latest, known=known.keys())
    return await compare_with_all(told, known, uow=uow)


async def recall_likeness(
    since: Sequence[Sighting], *, until: Sequence[Sighting], uow: IdentityUnitOfWork, company: Company
) -> Likeness:
    """The same for touchpoints that are told again, after those `until`; what is kept stays as it is."""
    traces = {sighting.trace_id for sighting in since}
    earlier = [sighting for sighting in until if sighting.trace_id in traces and sighting.profile]
    known = {each.trace_id: each.person for each in await read_told(earlier, {}, uow=uow, company=company)}
    told = await read_told([sighting for sighting in since if sighting.profile], known, uow=uow, company=company)
    return await compare_with_all(told, known, uow=uow)


async def read_told(
    given: Sequence[Sighting],
    known: Mapping[UUID, Person],
    *,
    uow: IdentityUnitOfWork,
    company: Company,
    unasked: Collection[UUID] = (),
) -> list[Told]:
    """What is compared of each trace from each touchpoint on that told anything new. Shared identifiers tell nobody apart.

    `unasked`: traces of `known` by which nobody was looked for yet: whatever is told of them is new.
    """
    shared = await uow.links.shared({each.identifier_id for sighting in given for each in sighting.carried})
    people, told, waiting = dict(known), [], set(unasked)
    for sighting in given:
        carried = [(each.scheme, each.value) for each in sighting.carried if each.identifier_id not in shared]
        before = people.get(sighting.trace_id)
        person = with_more(before, read_person(sighting.profile, carried, country=company.phone_region))
        if person != before or sighting.trace_id in waiting:
            waiting.discard(sighting.trace_id)
            people[sighting.trace_id] = person
            told.append(Told(sighting.touchpoint_id, sighting.trace_id, person))
    return told


async def compare_with_all(told: Sequence[Told], known: Mapping[UUID, Person], *, uow: IdentityUnitOfWork) -> Likeness:
    """Each telling against all that share a key with it: those told before it as they were then, others as they are kept.

    `known`: what was known before of the traces that are told of.
    """
    if not told:
        return Likeness(people={**known})
    keys = {each.touchpoint_id: keys_of(each.person) for each in told if each.person.tells_enough}
    near = await uow.matching.near(sorted({key for some in keys.values() for key in some}))
    told_of = {each.trace_id for each in told} | known.keys()
    for traces in near.values():
        traces.difference_update(told_of)
    at = {trace_id: trace_id for trace_id in known}  # under which id the version is found that holds at the moment
    for trace_id, person in known.items():
        _enter(trace_id, keys_of(person), near)
    people = {**known, **{each.touchpoint_id: each.person for each in told}}
    trace_of = {each.touchpoint_id: each.trace_id for each in told}
    candidates: list[tuple[UUID, UUID]] = []
    for each in told:
        before = people[at[each.trace_id]] if each.trace_id in at else None
        _leave(each.trace_id, keys_of(before) if before else (), near)
        own = keys.get(each.touchpoint_id, ())
        candidates += [(each.touchpoint_id, at.get(theirs, theirs)) for theirs in nearest(own, near)]
        at[each.trace_id] = each.touchpoint_id
        _enter(each.trace_id, own or keys_of(each.person), near)
    others, _ = await uow.matching.records({theirs for _, theirs in candidates} - people.keys())
    people |= others
    candidates = [(mine, theirs) for mine, theirs in candidates if theirs in people]
    pairs: dict[UUID, list[Pair]] = {}
    for (mine, theirs), bits, probability, bars in _weighed(candidates, people):
        found = Pair(trace_of[mine], trace_of.get(theirs, theirs), bits, probability, bars)
        pairs.setdefault(mine, []).append(found)
    alike = {mine: some for mine, some in pairs.items() if any(each.probability >= REVIEW for each in some)}
    return Likeness({each.touchpoint_id: each for each in told}, alike, {**others, **known})


def _enter(trace_id: UUID, keys: Iterable[int], near: Mapping[int, set[UUID]]) -> None:
    for key in keys:
        if key in near:  # else nobody asks for it, or it is a crowd's
            near[key].add(trace_id)


def _leave(trace_id: UUID, keys: Iterable[int], near: Mapping[int, set[UUID]]) -> None:
    for key in keys:
        if key in near:
            near[key].discard(trace_id)


def nearest(keys: Iterable[int], near: Mapping[int, Collection[UUID]]) -> list[UUID]:
    """Who shares the most with a record: the fewer there are under a key, the more it says. Namesakes come last.

    The weights of all add up to the number of keys at most, so that whoever weighs more than that by MOST_COMPARED is among
    them in any population; and it is the bound that makes a record cost the same among ten thousand and among a million.
    """
    shared: defaultdict[UUID, float] = defaultdict(float)
    for key in keys:
        crowd = near.get(key, ())
        for theirs in crowd:
            shared[theirs] += 1 / len(crowd)
    near_enough = [theirs for theirs, weight in shared.items() if weight >= LEAST_SHARED]
    return sorted(near_enough, key=lambda theirs: (-shared[theirs], theirs))[:MOST_COMPARED]


def compare_people(pairs: Sequence[tuple[UUID, UUID]], people: Mapping[UUID, Person]) -> list[Pair]:
    """Score the pairs by the same levels and weights as a run in bulk; those that are alike, in doubt or contradicting."""
    return [Pair(*pair, bits, probability, bars) for pair, bits, probability, bars in _weighed(pairs, people)]


def _weighed(
    pairs: Sequence[tuple[UUID, UUID]], people: Mapping[UUID, Person]
) -> Iterator[tuple[tuple[UUID, UUID], float, float, Sequence[Evidence]]]:
    """Bits, probability and waterfall of those pairs that are alike, in doubt or contradicting."""
    if not pairs:
        return
    at: dict[UUID, int] = {}
    places = [at.setdefault(each, len(at)) for each in chain.from_iterable(pairs)]
    columns = Columns.of(people[each] for each in at)
    weights = ENGINE.weights
    comparer = Comparer(columns, Frequencies.known(columns, ENGINE.common))
    compared = comparer.compare(*np.array(places, dtype=np.int64).reshape(-1, 2).T)
    scored = score(compared.levels, compared.rarity, weights)
    told = zip(pairs, scored.score.tolist(), scored.probability.tolist(), strict=True)
    for place, (pair, bits, probability) in enumerate(told):
        if probability >= REVIEW:
            bars = waterfall(compared.levels[place].tolist(), compared.rarity[place].tolist(), weights)
            yield pair, bits, probability, bars
        elif bits < CONTRADICTION:
            yield pair, bits, probability, ()


# --- weighing ---------------------------------------------------------------------------------------------------------


def _by_customer(pairs: Iterable[Pair], world: World) -> list[tuple[Pair, Pair]]:
    """The customers that a trace resembles most, with the strongest and the weakest pair of each; the surest first."""
    groups: dict[UUID | None, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(world.owner(pair.theirs), []).append(pair)
    ranked = [(max(group, key=_rank), min(group, key=_rank)) for group in groups.values()]
    alike = [(best, worst) for best, worst in ranked if best.probability >= REVIEW]
    return sorted(alike, key=lambda each: (-each[0].bits, each[0].theirs))[:MOST_ALIKE]


def _is_torn(found: Sequence[Pair], world: World, people: Mapping[UUID, Person]) -> bool:
    """Whether a trace is like several customers who are not like each other: nothing tells whose it is."""
    linked = sorted(pair.theirs for pair in found if verdict_of(pair.probability) == "linked")
    rivals = list(combinations(linked, 2))
    alike = {(pair.mine, pair.theirs) for pair in compare_people(rivals, people) if pair.probability >= REVIEW}
    return any(pair not in alike or _kept_apart(pair, world) for pair in rivals)


def _kept_apart(pair: tuple[UUID, UUID], world: World) -> bool:
    one, other = (world.owner(each) for each in pair)
    if one is None or other is None:
        return False
    return world.are_kept_apart(world.persona(one).traces, world.persona(other).traces)


def _rank(pair: Pair) -> tuple[float, UUID]:
    return pair.bits, pair.theirs


def doubts_about(best: Pair, worst: Pair, world: World) -> list[str] | None:
    """Why a person should look before the two customers are one; none: nobody need. None: one already, or two for certain.

    Likeness is not proof: of two customers who both proved something, one would read the other's history.
    """
    one, other = world.owner(best.mine), world.owner(best.theirs)
    if one is None or other is None or one == other:
        return None
    found = objections(one, other, world)
    rests_on = grounds_of(best.bars)
    if "kept-apart" in found or rests_on == "none":
        return None
    if "other-document" in found and not documents_one_digit_off(world.persona(one), world.persona(other)):
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
    return Review(new_id(), left, right, explanation, "open", at)
