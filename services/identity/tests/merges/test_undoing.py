"""What came while a merge stood is told again: afterwards everything is as if the two had never been one."""

import os
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.contracts.interactions import PersonSeen
from common.db import COMMON
from identity import tables
from identity.customers.models import customer
from identity.linking.models import trace
from identity.reviews.models import review

from ..conftest import Identity, seen  # noqa: TID252
from .test_use_cases import learn, merge, owner, undo

ANA, AM, LUIS = "Ana María", "A. M.", "Luis"
VOWELS = {ord(letter): f"{letter}{vowel}" for letter, vowel in zip("bcdfglmnprstvz", "aeioauaeioueia", strict=True)}

# What channels say after the merge: which identifiers of the one, of the other and of neither, under which name, proved or not.
Said = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["phone:3011122{}", "email:ana{}@example.com", "account:shop:{}1"]), max_size=2),
        st.lists(st.sampled_from(["phone:3154445{}", "email:am{}@work.example.com", "document:co-cc:52123{}"]), max_size=2),
        st.lists(st.sampled_from(["partner:acme:{}7", "account:club:{}8", "phone:3189990{}"]), max_size=1),
        st.sampled_from([ANA, AM, LUIS, None]),
        st.booleans(),
    ).filter(lambda said: bool(said[0] or said[1] or said[2])),
    min_size=1,
    max_size=8,
)  # fmt: skip
ONE = ["phone:3011122{}", "email:ana{}@example.com", "account:shop:{}1"]
OTHER = ["phone:3154445{}", "email:am{}@work.example.com", "document:co-cc:52123{}"]
THIRD = ["partner:acme:{}7", "account:club:{}8", "phone:3189990{}"]


# In the gate a few examples, the same each time; a hunt is made by hand: HILO_HUNT=300 pytest -k hunt, other ones each time.
HUNT = int(os.environ.get("HILO_HUNT", "0"))


class Town:
    """Two people and what came of them, under identifiers that no other town has."""

    def __init__(self, identity: Identity, number: int) -> None:
        self.identity, self.number = identity, f"{number:03}"
        # of its own too: names that are alike would join the towns
        self.surname = "".join(Random(number).choices("bcdfglmnprstvz", k=4)).translate(VOWELS)
        self.seen: list[PersonSeen] = []

    def said(self, *forms: str, name: str | None, proved: bool = False) -> PersonSeen:
        identifiers = [form.format(self.number) for form in forms]
        return seen(*identifiers, name=name and f"{name} {self.surname}", attests=("*",) if proved else ())

    async def settle(self) -> tuple[UUID, UUID]:
        first = [self.said(*ONE[:2], name=ANA), self.said(*ONE[2:], ONE[1], name=ANA)]
        second = [self.said(*OTHER[:2], name=AM), self.said(*OTHER[2:], OTHER[1], name=AM)]
        self.seen = [*first, *second]
        for each in self.seen:
            await self.identity.happen(each)
        one, other = await self.identity.owner(first[0]), await self.identity.owner(second[0])
        assert one is not None
        assert other is not None
        return one, other

    async def settle_third(self) -> UUID:
        third = [self.said(THIRD[2], THIRD[0], name=LUIS), self.said(THIRD[1], THIRD[0], name=LUIS)]
        self.seen += third
        for each in third:
            await self.identity.happen(each)
        found = await self.identity.owner(third[0])
        assert found is not None
        return found

    async def hear(self, told: list[Any], cuts: Any) -> None:
        """The same words, in batches that are cut as it happens."""
        batch: list[PersonSeen] = []
        for one, other, new, name, proved in told:
            batch.append(self.said(*one, *other, *new, name=name, proved=proved))
            if cuts.random() < 0.6:
                await self.identity.happen(*batch)
                self.seen += batch
                batch = []
        if batch:
            await self.identity.happen(*batch)
            self.seen += batch

    async def whose(self) -> list[tuple[int, str, bool]]:
        """For each thing seen: by whom first of those who own it too, on what ground, over something or not."""
        rows = {row.trace_id: row for row in await self.identity.rows(trace)}
        owners = [rows[each.trace_id].customer_id for each in self.seen]
        return [
            (owners.index(rows[each.trace_id].customer_id), rows[each.trace_id].proof, rows[each.trace_id].via is None)
            for each in self.seen
        ]

    async def doubted(self) -> set[frozenset[int]]:
        """The customers, each by what of his was seen first, of whom a person should say whether they are one."""
        owners = await self.identity.owners()
        first: dict[UUID | None, int] = {}
        for number, each in enumerate(self.seen):
            first.setdefault(owners[each.trace_id], number)
        open_pairs = [row for row in await self.identity.rows(review) if row.state == "open"]
        pairs = [(owners[row.left_trace], owners[row.right_trace]) for row in open_pairs]
        return {frozenset((first[one], first[other])) for one, other in pairs if one in first and other in first}


async def two_towns(identity: Identity) -> tuple[Town, Town]:
    """In a database with nothing else in it: what was found once is found again."""
    async with identity.database.engine.begin() as connection:
        for table in (*tables.METADATA.sorted_tables, *COMMON.sorted_tables):
            await connection.execute(sa.delete(table))
    return Town(identity, 100), Town(identity, 101)


async def keep_apart_as(merge_id: UUID, town: Town, twin: Town) -> None:
    """In the twin, where there is no such merge, the cannot-link that its undo leaves."""
    async with town.identity.uow() as uow:
        merge = await uow.links.decision(merge_id)
        assert merge is not None
        traces = [each.trace_id for each in town.seen]
        left, right = (twin.seen[traces.index(each)].trace_id for each in (merge.left_trace, merge.right_trace) if each)
        await uow.links.keep_apart(left, right, decision_id=UUID(int=0), at=town.identity.clock())
        await uow.commit()


# Like both, who are kept apart: he is a customer of his own, however the two things told came in.
TORN = [
    ([], [OTHER[0]], [], ANA, False),
    ([ONE[0]], [OTHER[0]], [], ANA, False),
]
# Likeness moves what is proved, and no person's word goes with it.
ALIKE_AND_PROVED = [
    ([], [OTHER[2], OTHER[0]], [], AM, False),
    ([ONE[1]], [OTHER[1]], ["account:club:{}8"], ANA, True),
    ([], [OTHER[0]], ["phone:3189990{}"], None, False),
    ([ONE[1]], [], [], ANA, True),
]


@example(told=TORN, cuts=Random(0))
@example(told=TORN, cuts=Random(1))
@example(told=ALIKE_AND_PROVED, cuts=Random(0))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=Said, cuts=st.randoms(use_true_random=False))
async def test_whatever_came_meanwhile_an_undo_gives_the_customers_of_a_town_without_the_merge(
    identity: Identity,
    told: list[Any],
    cuts: Any,
) -> None:
    towns = await two_towns(identity)
    pair, _ = [await town.settle() for town in towns]
    merge_id = await merge(identity, *pair, force=True)
    await keep_apart_as(merge_id, *towns)
    for town in towns:
        await town.hear(told, cuts)
    await undo(identity, merge_id)
    assert await towns[0].whose() == await towns[1].whose()
    assert await towns[0].doubted() == await towns[1].doubted()


# Others learn since as well: at the moment of each touchpoint they know what they knew at that moment.
LEARNT_LATER = (
    [([ONE[1]], [OTHER[0]], [THIRD[1]], ANA, True), ([ONE[0]], [], [], None, True)],
    [([ONE[0]], [OTHER[2], OTHER[0]], [], LUIS, False)],
    [],
)
# Whom the rules founded is nobody's any more, once all is told again.
FOUNDED_SINCE = (
    [([ONE[2]], [], [THIRD[1]], None, True)],
    [
        ([], [OTHER[0]], [], LUIS, False),
        ([ONE[0], ONE[2]], [OTHER[0]], [], None, False),
        ([ONE[0]], [OTHER[0], OTHER[1]], [], AM, False),
    ],
    [([ONE[2], ONE[1]], [OTHER[2]], [THIRD[1]], AM, True)],
)


# What people wrote to others since proves nothing of them before it was written.
WRITTEN_SINCE = (
    [
        ([ONE[0]], [OTHER[0], OTHER[2]], [], LUIS, True),
        ([], [OTHER[0]], [THIRD[2]], LUIS, True),
        ([ONE[0], ONE[1]], [], [THIRD[2]], LUIS, False),
    ],
    [],
    [],
)


# What too many share since told who is who until then: who came by it when it still did is decided as he was.
SHARED_SINCE = (
    [([ONE[0]], [OTHER[0]], [], None, False), ([], [OTHER[0]], [THIRD[0]], None, False)],
    [([], [OTHER[0]], [], None, False)],
    [],
)

# Of the third nothing was told since, but evidence joins him: who came by his phone is decided anew as well.
SILENT_BETWEEN = (
    [([ONE[1]], [], [], LUIS, False), ([ONE[2]], [], [THIRD[0]], None, False), ([], [], [THIRD[2]], AM, False)],
    [],
    [],
)

# What proved others since did not prove them when the first of it happened.
PROVED_SINCE = (
    [
        ([ONE[1]], [], [], None, True),
        ([ONE[0]], [], [THIRD[0]], None, False),
        ([], [], [THIRD[0]], ANA, True),
    ],
    [],
    [],
)


Tales = st.tuples(Said, st.one_of(st.just([]), Said), st.one_of(st.just([]), Said))


@pytest.mark.parametrize(
    ("tales", "third_survives", "in_order", "cuts"),
    [
        (SHARED_SINCE, True, True, 1),
        (SILENT_BETWEEN, False, False, 1),
        (PROVED_SINCE, False, False, 1),
        (WRITTEN_SINCE, True, False, 0),
        (LEARNT_LATER, True, True, 0),
        (FOUNDED_SINCE, True, True, 0),
    ],
)
async def test_two_merges_undone_in_either_order_give_the_customers_of_a_town_without_them(
    identity: Identity, tales: Any, third_survives: bool, in_order: bool, cuts: int
) -> None:
    """What was found, on both databases."""
    await two_merges_undone(identity, tales, third_survives=third_survives, in_order=in_order, cuts=Random(cuts))


@pytest.mark.parametrize("make_database", ["sqlite"], indirect=True)
@settings(
    max_examples=HUNT or 8,
    derandomize=not HUNT,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tales=Tales, third_survives=st.booleans(), in_order=st.booleans(), cuts=st.randoms(use_true_random=False))
async def test_a_hunt_for_two_merges_that_are_not_undone_as_if_they_had_never_been(
    identity: Identity, tales: Any, third_survives: bool, in_order: bool, cuts: Any
) -> None:
    await two_merges_undone(identity, tales, third_survives=third_survives, in_order=in_order, cuts=cuts)


async def two_merges_undone(
    identity: Identity,
    tales: tuple[list[Any], list[Any], list[Any]],
    *,
    third_survives: bool,
    in_order: bool,
    cuts: Any,
) -> None:
    towns = await two_towns(identity)
    people = [(*await town.settle(), await town.settle_third()) for town in towns]
    one, other, third = people[0]
    merges = [await merge(identity, one, other, force=True)]
    pair = (third, one) if third_survives else (one, third)
    merges.append(await merge(identity, *pair, force=True))
    for merge_id in merges:
        await keep_apart_as(merge_id, *towns)
    undos = merges if in_order else merges[::-1]
    for tale, merge_id in zip(tales, [*undos, None], strict=True):
        for town, whom in zip(towns, people, strict=True):
            await town.hear(tale, cuts)
            identity.clock.advance(timedelta(seconds=1))
            await learn(identity, whom[2] if third_survives else whom[0], "hobby", f"{len(town.seen)}")
        if merge_id is not None:
            await undo(identity, merge_id)
    assert await towns[0].whose() == await towns[1].whose()
    active = {row.customer_id for row in await identity.rows(customer) if row.state == "active"}
    assert active == set((await identity.owners()).values())


async def test_what_the_rules_joined_to_him_meanwhile_is_decided_anew(identity: Identity) -> None:
    """A third person was joined to the merged customer on the absorbed one's evidence: he goes with that one."""
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    c = await owner(identity, "account:club:8")
    merge_id = await merge(identity, a, b, force=True)
    await identity.happen(seen("document:co-cc:52123456", "account:shop:1", "account:club:8", name=ANA))
    assert len(set((await identity.owners()).values())) == 1
    await undo(identity, merge_id)
    owners = list((await identity.owners()).values())
    assert owners.count(a) == 1
    assert {b, c} & set(owners) != {b, c}, "the two are one still, on evidence of their own"
    assert len(set(owners)) == 2


async def test_what_was_in_doubt_only_because_two_were_one_waits_for_nobody_any_more(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "document:co-cc:52123456")
    merge_id = await merge(identity, a, b, force=True)
    of_the_first = seen("document:co-cc:79888777", "email:ana@example.com", name="Ana María López Ruiz")
    await identity.happen(of_the_first)
    [pair] = await identity.rows(review)
    assert pair.explanation["reasons"] == ["unclear-document"], "by the other's document"
    await undo(identity, merge_id)
    assert await identity.owner(of_the_first) == a
    assert await identity.rows(review) == []


async def test_a_customer_founded_meanwhile_keeps_his_id_or_is_archived(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com", name=ANA), await owner(identity, "phone:3001112233", name=AM)
    merge_id = await merge(identity, a, b, force=True)
    stays = seen("phone:3001112233", "account:shop:9", name=LUIS)
    await identity.happen(stays)
    luis = await identity.owner(stays)
    assert luis not in {a, b}
    await undo(identity, merge_id)
    assert await identity.owner(stays) == luis
    states = {row.customer_id: row.state for row in await identity.rows(customer)}
    owners = set((await identity.owners()).values())
    assert {each for each, state in states.items() if state == "active"} == owners
