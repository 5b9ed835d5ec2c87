"""Whatever is told, taken back, merged and undone, and in whatever order: everybody stands on what is told at present."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.contracts.interactions import PersonSeen
from identity.customers.models import customer
from identity.linking.domain import adrift
from identity.linking.models import decision
from identity.merges.domain import KeptApart

from ..conftest import Identity, seen, unseen  # noqa: TID252
from ..test_worker import told_owners  # noqa: TID252
from .test_undoing import HUNT, two_towns
from .test_use_cases import merge, undo

IDENTIFIERS = [
    "phone:3011122100", "email:ana@example.com", "email:am@work.example.com", "account:shop:1", "document:co-cc:52123456",
    "partner:acme:7", "device:9f31",
]  # fmt: skip
NAMES = ["Ana María Boralu", "A. M. Boralu", "Luis Boralu", None, None]
Which = st.integers(0, 10)

Said = st.tuples(
    st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=3, unique=True), st.sampled_from(NAMES), st.booleans()
)
Steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.lists(Said, min_size=1, max_size=2)),
        st.tuples(st.just("retract"), Which),
        st.tuples(st.just("merge"), Which, Which),
        st.tuples(st.just("undo"), Which),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.parametrize("make_database", ["sqlite"], indirect=True)
@settings(
    max_examples=HUNT or 40,
    derandomize=not HUNT,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=Steps)
async def test_a_hunt_for_somebody_who_stands_on_what_was_taken_back(identity: Identity, steps: list[Any]) -> None:
    await two_towns(identity)
    told: list[PersonSeen] = []
    for act, *what in steps:
        await globals()[f"_{act}"](identity, told, *what)
        await stand(identity)


async def _say(identity: Identity, told: list[PersonSeen], said: list[Any]) -> None:
    batch = [seen(*ids, name=name, attests=("*",) if proved else ()) for ids, name, proved in said]
    await identity.happen(*batch)
    told += batch


async def _retract(identity: Identity, told: list[PersonSeen], which: int) -> None:
    if told:
        await identity.happen(unseen(told.pop(which % len(told))))


async def _merge(identity: Identity, _: list[PersonSeen], one: int, other: int) -> None:
    active = sorted(row.customer_id for row in await identity.rows(customer) if row.state == "active")
    if active and one % len(active) != other % len(active):
        with suppress(KeptApart):
            await merge(identity, active[one % len(active)], active[other % len(active)], force=True)


async def _undo(identity: Identity, _: list[PersonSeen], which: int) -> None:
    log = await identity.rows(decision)
    standing = sorted(row.decision_id for row in log if row.kind == "merge" and row.undone_by is None)
    if standing:
        await undo(identity, standing[which % len(standing)])


async def stand(identity: Identity) -> None:
    owners = await identity.owners()
    told = await told_owners(identity)
    assert {str(trace): owner and str(owner) for trace, owner in owners.items()} == {
        str(trace): told.get(str(trace)) for trace in owners
    }
    whose = {owner for owner in owners.values() if owner is not None}
    assert {row.customer_id for row in await identity.rows(customer) if row.state == "active"} == whose
    async with identity.uow() as uow:
        world = await uow.links.world((await uow.links.trails(owners)).values())
    assert adrift(whose, world) == []
