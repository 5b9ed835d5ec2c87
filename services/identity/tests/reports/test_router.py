"""The health of identities: what was joined, undone, doubted and shared, as of a moment."""

from datetime import timedelta

import httpx
import pytest

from common.ids import new_id
from identity.reports.domain import Acts, Spread
from identity.reviews.domain import Review

from ..conftest import Identity, seen  # noqa: TID252
from ..merges.test_use_cases import merge, owner, undo  # noqa: TID252

HEALTH = "/identity/v1/reports/health"


async def test_the_report_tells_what_was_joined_undone_doubted_and_shared(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    a, b, c = [await owner(identity, f"account:shop:{n}1", name=None) for n in (1, 2, 3)]
    await identity.happen(seen("account:shop:11", "phone:3001112233", "email:ana@example.com"))
    await undo(identity, await merge(identity, a, b))
    before = identity.clock()
    await merge(identity, a, c)
    x = await owner(identity, "email:x@example.com", name="Ana Ruiz")
    y = await owner(identity, "document:co-cc:52123456", "email:x@example.com", name="Luis Pérez")
    assert x != y
    identity.clock.advance(timedelta(hours=5))
    report = (await client.get(HEALTH)).json()
    assert report["customers"] == {"active": 4, "merged": 1}
    assert report["identifiers_per_customer"]["counts"] == {"1": 2, "2": 1, "4": 1}
    assert report["identifiers_per_customer"]["most"] == 4
    merges = report["merges"]
    assert (merges["by_people"], merges["by_rules"], merges["undone"], merges["undo_rate"]) == (2, 0, 1, 0.5)
    assert merges["duplicates_found"] == 1
    reviews = report["reviews"]
    assert (reviews["open"], reviews["conflicts"], reviews["by_reason"]) == (1, 1, {"other-name": 1})
    assert reviews["oldest_hours"] == pytest.approx(5, abs=0.1)
    assert report["identifiers"]["account"] == 3
    earlier = (await client.get(HEALTH, params={"as_of": before.isoformat()})).json()
    assert (earlier["merges"]["by_people"], earlier["reviews"]["open"]) == (1, 0)


async def test_it_tells_how_many_can_be_reached_and_how_surely(identity: Identity, client: httpx.AsyncClient) -> None:
    nobody = {"customers": 0, "reachable": 0, "verified": 0, "reachable_share": None, "verified_share": None}
    assert (await client.get(HEALTH)).json()["contactable"] == nobody
    await owner(identity, "account:shop:11", name=None)  # by no way
    await owner(identity, "account:shop:21", "email:a@example.com", name=None)  # as somebody typed
    await owner(identity, "phone:3001112233", name=None, attests=("phone",))
    made = {"profile": {"full_name": "Ana Ruiz"}, "identifiers": ["email:ana@example.com"], "key_account": True}
    assert (await client.post("/identity/v1/customers", json=made)).status_code == 201
    people = ("Luis Pérez", "Marta Gil", "Pedro Gómez", "Rosa Díaz", "Juan Ríos", "Elena Vega")
    for n, name in enumerate(people):  # a shop's phone reaches none of them
        await owner(
            identity, "phone:3110000001", f"document:co-cc:{n + 1}212{n}45{n}", name=name, attests=("document",)
        )
    report = (await client.get(HEALTH)).json()
    assert report["contactable"] == {
        "customers": 10, "reachable": 3, "verified": 2, "reachable_share": 0.3, "verified_share": 0.2,
    }  # fmt: skip
    assert report["contactable_key_accounts"] == {
        "customers": 1, "reachable": 1, "verified": 1, "reachable_share": 1.0, "verified_share": 1.0,
    }  # fmt: skip


async def test_a_pair_with_two_reasons_against_it_is_one_conflict(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    reasons = ["unclear-document", "other-name", "alike-in-part"]
    pair = Review(new_id(), new_id(), new_id(), {"shares": "profile", "reasons": reasons}, "open", identity.clock())
    async with identity.uow() as uow:
        await uow.reviews.open([pair])
        await uow.commit()
    reviews = (await client.get(HEALTH)).json()["reviews"]
    assert (reviews["open"], reviews["conflicts"], reviews["by_reason"]) == (1, 1, dict.fromkeys(reasons, 1))


async def test_a_year_is_no_moment(client: httpx.AsyncClient) -> None:
    answer = await client.get(HEALTH, params={"as_of": "2026"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/as_of")


def test_a_spread_is_a_few_numbers_and_nothing_is_divided_by_nobody() -> None:
    spread = Spread({1: 90, 2: 8, 30: 2})
    assert (spread.at(0.5), spread.at(0.95), spread.at(1.0), spread.mean) == (1, 2, 30, 1.66)
    assert (Spread({}).mean, Spread({}).at(0.5)) == (None, None)
    nothing = Acts(0, 0, 0, 0, 0, 0, 0, 0)
    assert (nothing.merge_rate, nothing.undo_rate) == (None, None)
