"""What other services say is kept whatever the order and number in which it arrives."""

from datetime import timedelta
from uuid import uuid4

import pytest

from common.contracts.identity import AccessChanged, ContactChanged, CustomerProfiled
from common.contracts.scoring import ValueChanged
from common.contracts.service_audit import MomentFailed
from interactions.parts.models import failed_moment, part


def value(customer, revision, tier, world):
    return ValueChanged(customer_id=customer, revision=revision, as_of=world.clock(), value={"tier": tier})


async def test_each_source_has_its_own_part(world):
    customer = uuid4()
    await world.say(
        value(customer, 1, "MVC", world),
        CustomerProfiled(customer_id=customer, revision=7, preferred_name="Ana"),
        ContactChanged(customer_id=customer, revision=3, ranking=["email"]),
        AccessChanged(key_id="k", revision=1, hash="h", scopes=[]),
    )
    rows = {row["source"]: row for row in await world.rows(part)}
    assert set(rows) == {"scoring", "identity", "identity-contact"}
    assert rows["identity"]["body"]["preferred_name"] == "Ana"
    assert rows["scoring"]["body"]["value"] == {"tier": "MVC"}


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (2, 2, 1)])
@pytest.mark.parametrize("together", [True, False])
async def test_the_highest_revision_stays_in_any_order_of_arrival(world, order, together):
    customer = uuid4()
    said = [value(customer, revision, f"r{revision}", world) for revision in order]
    for batch in [said] if together else [[one] for one in said]:
        await world.say(*batch)
    (row,) = await world.rows(part)
    assert (row["revision"], row["body"]["value"]) == (2, {"tier": "r2"})


@pytest.mark.parametrize("late_first", [True, False])
async def test_a_moment_that_was_taken_back_stays_so_in_any_order_of_arrival(world, late_first):
    failed = MomentFailed(
        evidence_id=uuid4(), trace_id=uuid4(), cycle="c", moment="m", name="n", critical=False, at=world.clock()
    )
    said = [
        (failed, world.clock()),
        (failed.model_copy(update={"taken_back": True}), world.clock() + timedelta(seconds=1)),
    ]
    for data, at in reversed(said) if late_first else said:
        await world.say(data, at=at)
    (row,) = await world.rows(failed_moment)
    assert row["taken_back"]


async def test_a_failed_moment_with_a_long_name_is_kept_by_the_beginning_of_it(world):
    await world.say(
        MomentFailed(
            evidence_id=uuid4(),
            trace_id=uuid4(),
            cycle="c",
            moment="m",
            name="n" * 500,
            critical=True,
            at=world.clock(),
        )
    )
    (row,) = await world.rows(failed_moment)
    assert row["name"] == "n" * 200


@pytest.mark.parametrize("late_first", [True, False])
async def test_a_failed_moment_is_his_of_whom_it_was_told_last_in_any_order_of_arrival(world, late_first):
    """After an undo the same failure may be another's than the one whom it was told of while the two were one."""
    failed = MomentFailed(
        evidence_id=uuid4(), trace_id=uuid4(), cycle="c", moment="m", name="n", critical=False, at=world.clock()
    )
    another = failed.model_copy(update={"trace_id": uuid4()})
    said = [(failed, world.clock()), (another, world.clock() + timedelta(seconds=1))]
    for data, at in reversed(said) if late_first else said:
        await world.say(data, at=at)
    (row,) = await world.rows(failed_moment)
    assert row["trace_id"] == another.trace_id
