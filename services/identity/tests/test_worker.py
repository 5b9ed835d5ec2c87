"""What runs beside the API: several workers at once, timers, and telling everything anew."""

import asyncio
import random
from datetime import timedelta

import pytest

from common.service import Runtime
from common.testing import settings_for
from identity.consumers import consume
from identity.customers.models import customer
from identity.linking.models import trace
from identity.merges.undoing import undo_merge
from identity.merges.use_cases import merge_customers
from identity.republish import REPUBLISH
from identity.settings import IdentitySettings
from identity.worker import create_timers

from .conftest import COMPANY, SECRET, Identity, event, seen
from .merges.test_use_cases import MARTA

ANA = "Ana María López Ruiz"


def runtime(identity: Identity) -> Runtime:
    return Runtime(settings_for(IdentitySettings), identity.database, COMPANY, identity.clock)


async def told_owners(identity: Identity) -> dict[str, str | None]:
    """What a projection of the events holds: the highest revision of each trace."""
    best: dict[str, tuple[int, str | None]] = {}
    for links in await identity.told("links-changed"):
        for move in links["moves"]:
            if move["revision"] > best.get(move["trace_id"], (-1, None))[0]:
                best[move["trace_id"]] = (move["revision"], move.get("customer_id"))
    return {trace_id: owner for trace_id, (_, owner) in best.items()}


async def test_workers_side_by_side_lose_and_double_nothing(identity: Identity) -> None:
    dice = random.Random(7)
    people = []
    for _ in range(120):
        one = dice.randrange(15)
        ids = [f"account:shop:c{one}", f"email:c{one}@example.com", f"phone:30012340{one:02d}"]
        people.append(seen(*dice.sample(ids, dice.randrange(1, 4)), name=f"Nombre{one} Apellido{one}"))
    batches = [people[n::6] for n in range(6)]
    await asyncio.gather(
        *(
            consume(
                [event(each) for each in batch],
                uow=identity.uow(),
                clock=identity.clock,
                company=COMPANY,
                secret=SECRET,
            )
            for batch in batches
        )
    )
    owners = {str(trace): str(owner) for trace, owner in (await identity.owners()).items()}
    assert owners == await told_owners(identity)
    # nobody was founded twice, and nobody still belongs to a customer who was absorbed meanwhile
    active = {str(row.customer_id) for row in await identity.rows(customer) if row.state == "active"}
    assert active == set(owners.values())


async def test_a_merge_beside_a_link_leaves_nobody_with_an_absorbed_customer(identity: Identity) -> None:
    for number in range(4):
        a, b = seen(f"email:a{number}@example.com"), seen(f"account:shop:c{number}")
        await identity.happen(a, b)
        survivor, absorbed = await identity.owner(a), await identity.owner(b)
        assert survivor is not None
        assert absorbed is not None
        late = seen(f"partner:acme:p{number}", f"account:shop:c{number}")
        merge_id, _ = await asyncio.gather(
            merge_customers(
                survivor=survivor, absorbed=absorbed, reason="x", force=False, who=MARTA, attempt=None,
                uow=identity.uow(), clock=identity.clock, company=COMPANY,
            ),
            consume([event(late)], uow=identity.uow(), clock=identity.clock, company=COMPANY, secret=SECRET),
        )  # fmt: skip
        assert await identity.owner(late) == survivor
        await undo_merge(
            merge_id=merge_id,
            reason="x",
            who=MARTA,
            attempt=None,
            uow=identity.uow(),
            clock=identity.clock,
            company=COMPANY,
        )
        assert await identity.owner(late) == await identity.owner(b) == absorbed


async def test_a_fact_that_expires_may_be_asked_again(identity: Identity) -> None:
    await identity.happen(
        seen(
            "phone:3001234567",
            name=ANA,
            at=identity.clock(),
            facts=[{"key": "best_hour", "value": "tarde", "confidence": 0.9}],
        )
    )
    asked = [question["key"] for question in (await identity.told("customer-profiled"))[-1]["ask"]]
    assert "best_hour" not in asked
    identity.clock.advance(timedelta(days=366))
    assert await create_timers(runtime(identity)).drain() == 1
    asked = [question["key"] for question in (await identity.told("customer-profiled"))[-1]["ask"]]
    assert "best_hour" in asked


async def test_everything_can_be_told_anew(identity: Identity) -> None:
    a, b = seen("email:ana@example.com", name=ANA), seen("account:shop:1", name=ANA)
    await identity.happen(a)
    await identity.happen(b)
    survivor, absorbed = await identity.owner(a), await identity.owner(b)
    assert survivor is not None
    assert absorbed is not None
    await merge_customers(
        survivor=survivor, absorbed=absorbed, reason="x", force=False, who=MARTA, attempt=None, uow=identity.uow(),
        clock=identity.clock, company=COMPANY,
    )  # fmt: skip
    before = await told_owners(identity)
    identity.clock.advance(timedelta(days=1))
    told = {kind: await republish(runtime(identity)) for kind, republish in REPUBLISH.items()}
    assert told == {"links": 1, "customers": 2, "contact": 1, "profiles": 1, "access": 0}
    anew = (await identity.told("links-changed"))[-1]
    assert (anew["kind"], {move["trace_id"]: move["customer_id"] for move in anew["moves"]}) == ("republish", before)
    assert {each["state"] for each in (await identity.told("customer-changed"))[-2:]} == {"active", "merged"}
    at = int(identity.clock().timestamp() * 1_000_000)  # whoever holds on to what is gone with a backup lets go of it
    renewed = [move["revision"] for move in anew["moves"]]
    renewed += [each["revision"] for each in (await identity.told("customer-changed"))[-2:]]
    assert set(renewed) == {at}
    assert {row.revision for row in await identity.rows(trace)} == {at}


async def test_all_are_told_anew_where_they_are_more_than_a_page(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.republish.PAGE", 2)
    await identity.happen(*(seen(f"account:shop:c{n}", name=f"Cliente{n} Numero{n}") for n in range(5)))
    people, before = await identity.owners(), len(await identity.told("links-changed"))
    told = {kind: await REPUBLISH[kind](runtime(identity)) for kind in ("links", "customers", "profiles")}
    assert told == {"links": 3, "customers": 5, "profiles": 5}
    anew = [move["trace_id"] for links in (await identity.told("links-changed"))[before:] for move in links["moves"]]
    assert sorted(anew) == sorted(map(str, people))
    for kind in ("customer-changed", "customer-profiled"):
        assert {each["customer_id"] for each in (await identity.told(kind))[-5:]} == set(map(str, people.values()))
