"""A visitor is known by a device alone: he follows whoever else is known on it, as long as that is one customer."""

from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest

from common.contracts.interactions import PersonSeen
from identity.linking.models import decision

from ..conftest import Identity, seen, unseen  # noqa: TID252
from ..merges.test_use_cases import merge, undo  # noqa: TID252
from ..privacy.test_use_cases import erased  # noqa: TID252

ANA, LUIS = "Ana María López", "Luis Pérez"
FACT = {"key": "best_hour", "value": "after 18:00"}


def visit(*devices: str, **more: Any) -> PersonSeen:
    return seen(*(devices or ("device:9f31",)), channel="web", **more)


def login(email: str, name: str, *more: str, device: str = "device:9f31") -> PersonSeen:
    return seen(email, *more, device, name=name, channel="web")


def ana() -> PersonSeen:
    return login("email:ana@example.com", ANA)


def luis() -> PersonSeen:
    return login("email:luis@example.com", LUIS)


async def joined(identity: Identity, one: PersonSeen, other: PersonSeen) -> UUID:
    survivor, absorbed = await identity.owner(one), await identity.owner(other)
    assert survivor is not None
    assert absorbed is not None
    return await merge(identity, survivor, absorbed, force=True)


async def test_what_he_did_before_he_said_who_he_is_becomes_his(identity: Identity) -> None:
    visitor, known = visit(facts=[FACT]), ana()
    await identity.happen(visitor)
    assert await identity.owner(visitor) is None
    await identity.happen(known)
    assert await identity.owner(visitor) == await identity.owner(known) is not None
    [move] = [
        move
        for told in await identity.told("links-changed")
        for move in told["moves"]
        if move["trace_id"] == str(visitor.trace_id)
    ]
    assert (move["customer_id"], move["proof"]) == (str(await identity.owner(known)), "claimed")
    assert FACT["key"] in str((await identity.told("customer-profiled"))[-1])


async def test_and_what_he_does_when_he_comes_back(identity: Identity) -> None:
    known, visitor = ana(), visit()
    await identity.happen(known)
    await identity.happen(visitor)
    await identity.happen(visit())
    assert await identity.owner(visitor) == await identity.owner(known)


async def test_a_device_joins_nobody(identity: Identity) -> None:
    await identity.happen(ana(), visit(), luis())
    assert [row.kind for row in await identity.rows(decision) if row.kind == "merge"] == []
    assert len(set((await identity.owners()).values())) == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
async def test_on_a_device_of_two_he_is_nobodys_in_whatever_order_they_came(
    identity: Identity, order: tuple[int, ...], *, at_once: bool
) -> None:
    visitor, *users = visit(), ana(), luis()
    told = [[visitor, *users][place] for place in order]
    for batch in [told] if at_once else [[each] for each in told]:
        await identity.happen(*batch)
    assert await identity.owner(visitor) is None
    assert None not in {await identity.owner(user) for user in users}


async def test_of_two_who_become_one_he_is_the_survivors_and_of_two_again_nobodys(identity: Identity) -> None:
    visitor, one, other = visit(), ana(), luis()
    await identity.happen(visitor, one, other)
    merge_id = await joined(identity, one, other)
    assert await identity.owner(visitor) == await identity.owner(one)
    await undo(identity, merge_id)
    assert await identity.owner(visitor) is None


async def test_he_goes_back_with_whom_he_had_followed(identity: Identity) -> None:
    his, hers = visit("device:his"), visit("device:hers")
    one, other = ana(), login("email:luis@example.com", LUIS, device="device:his")
    await identity.happen(his, hers, one, other, login("email:ana@example.com", ANA, device="device:hers"))
    merge_id = await joined(identity, one, other)
    late = visit("device:late")
    await identity.happen(late, login("email:luis@example.com", LUIS, device="device:late"))
    assert {await identity.owner(each) for each in (his, hers, late)} == {await identity.owner(one)}
    await undo(identity, merge_id)
    owners = [await identity.owner(each) for each in (his, late, hers)]
    luis_, ana_ = await identity.owner(other), await identity.owner(one)
    assert owners == [luis_, luis_, ana_]
    assert luis_ != ana_


async def test_customers_whom_the_rules_join_share_their_device(identity: Identity) -> None:
    visitor, first = visit(), ana()
    second = login("account:shop:7", ANA)
    await identity.happen(visitor, first, second)
    assert await identity.owner(visitor) is None
    await identity.happen(seen("account:shop:7", "email:ana@example.com", name=ANA))
    assert await identity.owner(visitor) == await identity.owner(first) == await identity.owner(second)


async def test_when_what_tied_him_is_taken_back_he_is_nobodys(identity: Identity) -> None:
    visitor, known = visit(), ana()
    await identity.happen(visitor, seen("email:ana@example.com", name=ANA), known)
    assert await identity.owner(visitor) == await identity.owner(known)
    await identity.happen(unseen(known))
    assert await identity.owner(visitor) is None


async def test_when_the_second_user_is_taken_back_he_is_the_firsts_again(identity: Identity) -> None:
    visitor, one, other = visit(), ana(), luis()
    await identity.happen(visitor, one, other)
    await identity.happen(unseen(other))
    assert await identity.owner(visitor) == await identity.owner(one)


async def test_whoever_gives_a_name_is_no_mere_visitor(identity: Identity) -> None:
    named, known = visit(name="Pedro Gómez"), ana()
    await identity.happen(named, known)
    assert await identity.owner(named) is None


async def test_a_device_of_too_many_tells_nothing(identity: Identity) -> None:
    visitor = visit()
    people = [login(f"email:user{n}@example.com", f"Cliente Numero{n}") for n in range(6)]
    await identity.happen(visitor, *people)
    assert await identity.owner(visitor) is None


async def test_when_staff_links_the_device_to_another_he_is_nobodys(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    visitor, known, other = visit(facts=[FACT]), ana(), seen("email:luis@example.com", name=LUIS)
    await identity.happen(visitor, known, other)
    assert await identity.owner(visitor) == await identity.owner(known) is not None
    told = len(await identity.told("customer-profiled"))
    path = f"/identity/v1/customers/{await identity.owner(other)}/identifiers"
    answer = await client.post(path, json={"identifier": "device:9f31", "reason": "He showed it"})
    assert answer.status_code < 300, answer.text
    assert await identity.owner(visitor) is None
    profiled = (await identity.told("customer-profiled"))[told:]
    assert str(await identity.owner(known)) in {each["customer_id"] for each in profiled}


async def test_of_a_device_that_an_erased_person_used_as_well_nobody_can_tell(identity: Identity) -> None:
    visitor, one, other = visit(), ana(), luis()
    await identity.happen(visitor, one, other)
    gone = await identity.owner(other)
    assert gone is not None
    await erased(identity, gone)
    await identity.happen(login("email:ana@example.com", ANA, "account:shop:7"))
    assert await identity.owner(visitor) is None


async def test_he_is_kept_apart_from_whom_a_person_said_he_is_not(identity: Identity) -> None:
    visitor, known = visit(), seen("email:ana@example.com", name=ANA)
    await identity.happen(visitor, known)
    async with identity.uow() as uow:
        left, right = sorted((visitor.trace_id, known.trace_id))
        await uow.links.keep_apart(left, right, decision_id=known.trace_id, at=identity.clock())
        await uow.commit()
    await identity.happen(ana())
    assert await identity.owner(visitor) is None
