"""A newcomer is compared with all who are known: alike enough he is theirs; in doubt a person decides; relatives stay two."""

from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa

from identity.linking.models import cannot_link, decision
from identity.matching.columns import Columns
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import (
    LINKED,
    SHIPPED_COMMON,
    learnt_document,
    learnt_from_file,
    score,
    shipped_weights,
    waterfall,
)
from identity.matching.models import match_key, match_record
from identity.matching.use_cases import MOST_COMPARED, Told, compare_people, compare_with_all, nearest
from identity.reviews.models import review

from ..conftest import Identity, seen, unseen  # noqa: TID252
from .people import person

HOME = {"address": "Calle 93 # 11-26 apto 501", "city": "Bogotá"}
ANA = {"birth_date": "1984-03-02", **HOME}


async def merges(identity: Identity) -> list[sa.Row]:
    return [row for row in await identity.rows(decision) if row.kind == "merge" and row.undone_by is None]


async def test_one_person_under_two_identifiers_is_one_customer_and_the_older_stays(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    second = seen("phone:3001112233", name="LOPEZ RUIZ ANA", profile={**ANA, "address": "CL 93 No. 11 - 26 Ap 501"})
    await identity.happen(first)
    older = await identity.owner(first)
    await identity.happen(second)
    assert await identity.owner(second) == await identity.owner(first) == older
    [merge] = await merges(identity)
    assert (merge.by, merge.survivor) == ("matching", older)
    assert "birth_date exact" in merge.reason
    assert "one-home" in merge.reason
    assert "1984" not in merge.reason, "why, never the values"


async def test_two_of_one_batch_are_compared_with_each_other(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    second = seen("phone:3001112233", name="Ana Lopez Ruiz", profile=ANA)
    await identity.happen(first, second)
    assert await identity.owner(first) == await identity.owner(second)


async def test_relatives_of_one_home_stay_two(identity: Identity) -> None:
    ana = seen("email:ana.lopez84@example.com", "phone:3001112233", name="Ana Lopez Ruiz", profile=HOME)
    pedro = seen("email:pedro.lopez@example.com", "phone:3001112233", name="Pedro Lopez Ruiz", profile=HOME)
    await identity.happen(ana)
    await identity.happen(pedro)
    assert await identity.owner(ana) != await identity.owner(pedro)
    assert await merges(identity) == []


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_number_that_many_have_by_now_makes_nobody_alike_however_the_batch_was_cut(
    identity: Identity, *, at_once: bool
) -> None:
    shop = "phone:3001112233"
    crowd = ["Luis Páez", "Eva Cano", "José Mora", "Rita Vega"]
    before = [seen(f"document:co-cc:{n}2123456", shop, name=name) for n, name in enumerate(crowd, start=5)]
    first = seen("email:ana.lopez84@example.com", shop, name="Ana Maria Lopez Ruiz")
    second = seen("account:club:17", shop, name="Ana Maria Lopez Ruiz")
    everybody = [*before, first, second]
    for some in [everybody] if at_once else [[each] for each in everybody]:
        await identity.happen(*some)
    assert await identity.owner(first) != await identity.owner(second)
    assert await merges(identity) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ana María", "Ana Lucía"), ("Juan David", "JUAN DIEGO"), ("Carlos", "Camilo"), ("Mario", "Marco")],
)
async def test_twins_of_one_home_stay_two_and_nobody_is_asked(identity: Identity, one: str, other: str) -> None:
    first = seen("email:lopezruiz@example.com", name=f"{one} López Ruiz", profile=ANA)
    second = seen("phone:3001112233", name=f"{other} López Ruiz", profile=ANA)
    again = seen("phone:3009998877", name=f"LOPEZ RUIZ, {one}", profile=ANA)
    for event in (first, second, again):
        await identity.happen(event)
    assert await identity.owner(first) == await identity.owner(again)
    assert await identity.owner(first) != await identity.owner(second)
    assert await identity.rows(review) == []


async def test_who_is_told_to_be_the_son_is_for_a_person_to_decide(identity: Identity) -> None:
    juan = seen("account:shop:1", "phone:3001112233", name="Juan López Ruiz", profile=HOME)
    son = seen("phone:3001112233", name="Juan López Ruiz (hijo)", profile=HOME)
    await identity.happen(juan)
    await identity.happen(son)
    assert await identity.owner(juan) != await identity.owner(son)
    [pair] = [row for row in await identity.rows(review) if row.explanation["shares"] == "profile"]
    assert ("given_names", "suffix") in [(bar["field"], bar["level"]) for bar in pair.explanation["waterfall"]]


async def test_who_is_called_by_the_short_form_of_his_name_is_for_a_person_to_decide(identity: Identity) -> None:
    """Father and son, or one person: on one channel he is José and on the other Pepe."""
    jose = seen("account:shop:1", "phone:3001112233", name="José López Ruiz", profile=HOME)
    pepe = seen("phone:3001112233", name="Pepe López Ruiz", profile=HOME)
    await identity.happen(jose)
    await identity.happen(pepe)
    assert await identity.owner(jose) != await identity.owner(pepe)
    assert await merges(identity) == []
    [pair] = [row for row in await identity.rows(review) if row.explanation["shares"] == "profile"]
    assert ("given_names", "short") in [(bar["field"], bar["level"]) for bar in pair.explanation["waterfall"]]


async def test_what_is_alike_in_part_is_for_a_person_to_decide_with_its_waterfall(identity: Identity) -> None:
    first = seen("email:maria.r@example.com", name="Maria Rodriguez", profile={"birth_date": "1984-03-02"})
    second = seen("account:shop:77", name="Maria Rodriguez Gil", profile={"birth_date": "1984-03-02", "city": "Cali"})
    await identity.happen(first)
    await identity.happen(second)
    [pair] = await identity.rows(review)
    assert pair.explanation["shares"] == "profile"
    assert 0.5 <= pair.explanation["probability"] < 0.95
    assert sum(bar["weight"] for bar in pair.explanation["waterfall"]) == pytest.approx(
        np.log2(pair.explanation["probability"] / (1 - pair.explanation["probability"])), abs=0.1
    )
    assert await identity.owner(first) != await identity.owner(second)


async def test_two_who_both_proved_something_are_never_joined_by_likeness_alone(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA, attests=("email",))
    second = seen("phone:3001112233", name="Ana Maria Lopez Ruiz", profile=ANA, attests=("phone",))
    await identity.happen(first)
    await identity.happen(second)
    assert await identity.owner(first) != await identity.owner(second)
    [pair] = await identity.rows(review)
    assert pair.explanation["reasons"] == ["claimed-only"]


@pytest.mark.parametrize(("number", "reasons"), [("52123465", [["other-document", "claimed-only"]]), ("79888777", [])])
async def test_an_attested_document_one_slip_off_is_for_a_person_to_decide(
    identity: Identity, number: str, reasons: list[list[str]]
) -> None:
    first = seen("document:co-cc:52123456", name="Ana Maria Lopez Ruiz", profile=ANA, attests=("document",))
    second = seen(f"document:co-cc:{number}", name="Ana Maria Lopez Ruiz", profile=ANA, attests=("document",))
    await identity.happen(first)
    await identity.happen(second)
    assert await identity.owner(first) != await identity.owner(second)
    assert [pair.explanation["reasons"] for pair in await identity.rows(review)] == reasons


async def test_what_was_decided_to_be_two_is_not_joined_by_likeness(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    second = seen("phone:3001112233", name="Ana Maria Lopez Ruiz")
    await identity.happen(first)
    await identity.happen(second)
    async with identity.uow() as uow:
        row = {
            "left_trace": min(first.trace_id, second.trace_id), "right_trace": max(first.trace_id, second.trace_id),
            "decision_id": first.trace_id, "at": identity.clock(),
        }  # fmt: skip
        await uow.session.execute(sa.insert(cannot_link).values(row))
        await uow.commit()
    await identity.happen(seen("phone:3001112233", name="Ana Maria Lopez Ruiz", profile=ANA))
    assert await identity.owner(first) != await identity.owner(second)


@pytest.mark.parametrize(
    ("name", "identifiers"),
    [
        ("Pedro Perez Gomez", ("email:user{n}@example.com",)),
        ("Customer {n}", ("phone:3011000{n}", "email:customer{n}@example.com")),
        ("Juan Carlos Mora Diaz", ("document:co-cc:52000{n}",)),
    ],
)
async def test_numbers_given_out_in_a_row_make_nobody_the_next_one(
    identity: Identity, name: str, identifiers: tuple[str, ...]
) -> None:
    people = [
        seen(*(each.format(n=n) for each in identifiers), name=name.format(n=n), profile={"city": "Bogotá"})
        for n in range(100, 130)
    ]
    await identity.happen(*people)
    assert len({await identity.owner(one) for one in people}) == len(people)
    assert await merges(identity) == []


async def test_a_name_alone_is_looked_for_by_nobody(identity: Identity) -> None:
    await identity.happen(seen("email:otilia@example.com", name="Otilia Bahamon"))
    await identity.happen(seen("phone:3001112233", name="Otilia Bahamon"))
    assert await merges(identity) == []
    assert await identity.rows(review) == []


async def test_what_is_taken_back_is_compared_no_more(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    second = seen("phone:3001112233", name="Ana Maria Lopez Ruiz", profile=ANA)
    await identity.happen(first)
    await identity.happen(second)
    assert await identity.owner(first) == await identity.owner(second)
    await identity.happen(unseen(second))
    assert [row.trace_id for row in await identity.rows(match_record)] == [first.trace_id]
    assert {row.trace_id for row in await identity.rows(match_key)} == {first.trace_id}
    assert await merges(identity) == []


async def test_a_crowd_under_one_key_is_passed_over(identity: Identity) -> None:
    strangers = [
        seen(
            f"email:person{n:03}@example.com", name=f"Otilia Bahamon{chr(97 + n % 26)}{chr(97 + n // 26)}", profile=HOME
        )
        for n in range(60)
    ]
    await identity.happen(*strangers)
    keys = sorted({row.key for row in await identity.rows(match_key)})
    async with identity.uow() as uow:
        found = await uow.matching.near(keys)
    assert found
    assert max(len(traces) for traces in found.values()) <= 50


async def test_among_many_namesakes_whoever_shares_what_few_share_is_compared(identity: Identity) -> None:
    """They share more keys with her, and she is found by a document and a date of birth, under the name of her husband."""
    namesakes = [person("Ana Lopez Ruiz", city="Cali", birth_date=f"{1940 + n}-05-17") for n in range(40)]
    ana = {"ids": ("document:co-cc:52123456",), "birth_date": "1984-03-02"}
    people = {UUID(int=n): each for n, each in enumerate([*namesakes, person("Ana Maria Perez", **ana)], start=1)}
    newcomer = Told(UUID(int=100), UUID(int=101), person("Ana Lopez Ruiz", city="Cali", **ana))
    async with identity.uow() as uow:
        await uow.matching.keep(people)
        found = await compare_with_all([newcomer], {}, uow=uow)
    [pairs] = found.pairs.values()
    assert len(pairs) == MOST_COMPARED
    assert [pair.theirs for pair in pairs if pair.probability >= LINKED] == [UUID(int=41)]
    assert found.people.keys() == {pair.theirs for pair in pairs}, "nobody else is read"


def test_one_key_that_more_than_twenty_have_brings_nobody_and_two_of_them_do():
    crowd = [UUID(int=n) for n in range(30)]
    near = {1: crowd, 2: crowd[:25], 3: crowd[:2]}
    assert nearest([1], near) == []
    assert nearest([1, 2], near) == crowd[:MOST_COMPARED]
    assert nearest([1, 3, 4], near) == crowd[:2]
    assert nearest([2], {2: crowd[:20]}) == crowd[:20]


@pytest.mark.parametrize(
    "other", ["Ana Lopes Ruiz", "Ana Lucia Lopez Ruiz", "Ana Maria Lopez Gil", "Ana Maria Lopez Ruiz II"]
)
def test_one_pair_has_the_same_verdict_online_and_in_bulk(other: str):
    ana = person("Ana Maria Lopez Ruiz", ids=("phone:3001112233",), **ANA)
    again = person(other, ids=("phone:3001112233",), **HOME)
    left, right = seen("phone:3001112233").trace_id, seen("phone:3009998877").trace_id
    [pair] = compare_people([(left, right)], {left: ana, right: again})
    columns = Columns.of([ana, again])
    compared = Comparer(columns, Frequencies.known(columns, SHIPPED_COMMON)).compare(np.array([0]), np.array([1]))
    assert pair.bits == pytest.approx(
        float(score(compared.levels, compared.rarity, shipped_weights(1_000_000)).score[0])
    )
    bars = waterfall(compared.levels[0].tolist(), compared.rarity[0].tolist(), shipped_weights(1_000_000))
    assert pair.bits == pytest.approx(sum(bar.weight for bar in bars))


def test_what_was_learnt_is_kept_and_read_again():
    weights, common = learnt_from_file(learnt_document(shipped_weights(5_000), SHIPPED_COMMON))
    assert weights.records == 5_000
    assert (weights.match == shipped_weights(5_000).match).all()
    assert common == SHIPPED_COMMON
