"""Promises: kept, waived, and late by the passing of time."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.db import outbox_table, timer_table
from common.events import decode
from common.service import Runtime
from interactions.commitments.domain import CommitmentSettled, DueInPast, UnknownCommitment
from interactions.commitments.models import commitment
from interactions.commitments.use_cases import reschedule, settle
from interactions.conversations.models import conversation
from interactions.corrections.use_cases import retract
from interactions.uow import InteractionsUnitOfWork
from interactions.worker import create_timers

PHONE = ["phone:300 123 4567"]


async def promise(world: Any, *, hours: float = 24, **said: Any) -> UUID:
    due = (world.clock() + timedelta(hours=hours)).isoformat()
    given = {
        "direction": "outbound",
        "identifiers": PHONE,
        "commitments": [{"by": "company", "text": "send it", "due_at": due}],
    }
    answer = await world.record(**{**given, **said})
    return UUID(answer["commitment_ids"][0])


def settling(world: Any) -> Any:
    return partial(settle, by="Luisa", reason="done", uow=InteractionsUnitOfWork(world.database), clock=world.clock)


async def told(world: Any) -> list[Any]:
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])
    events = [event.data for row in rows if (event := decode(row["payload"]))]
    return [data for data in events if data.type == "interactions.commitment-moved"]


async def wake(world: Any) -> int:
    return await create_timers(Runtime(world.settings, world.database, world.company, world.clock)).drain()


async def states(world: Any) -> list[str]:
    return [row["state"] for row in await world.rows(commitment)]


async def thread_state(world: Any) -> str:
    (row,) = await world.rows(conversation)
    return str(row["state"])


async def test_a_promise_that_is_kept_gives_the_turn_to_the_customer(world: Any) -> None:
    one = await promise(world)
    assert await thread_state(world) == "waiting-us"
    await settling(world)(one, "keep")
    assert (await states(world), await thread_state(world)) == (["kept"], "waiting-customer")
    assert await world.rows(timer_table) == []
    assert [(data.move, data.late_seconds) for data in await told(world)] == [("made", None), ("kept", -86400.0)]


async def test_a_promise_is_late_by_itself_and_that_is_told_once(world: Any) -> None:
    await promise(world)
    world.clock.advance(timedelta(hours=24, seconds=1))
    assert await wake(world) == 1
    assert await wake(world) == 0
    assert await states(world) == ["late"]
    assert [data.move for data in await told(world)] == ["made", "broken"]


async def test_a_promise_kept_in_time_is_never_late(world: Any) -> None:
    one = await promise(world)
    await settling(world)(one, "keep")
    world.clock.advance(timedelta(days=3))
    await wake(world)
    assert await states(world) == ["kept"]


async def test_a_late_promise_can_still_be_kept_and_says_how_late(world: Any) -> None:
    one = await promise(world)
    world.clock.advance(timedelta(hours=25))
    await wake(world)
    await settling(world)(one, "keep")
    assert (await told(world))[-1].late_seconds == 3600.0


async def test_a_contact_keeps_a_promise(world: Any) -> None:
    one = await promise(world)
    await world.record(direction="outbound", identifiers=PHONE, keeps=[str(one)], channel="email")
    assert (await states(world), await thread_state(world)) == (["kept"], "waiting-customer")
    assert ((await told(world))[-1].move, (await told(world))[-1].channel) == ("kept", "email")


async def test_a_promise_of_which_it_comes_out_late_that_it_was_not_kept_is_late_and_that_is_told(world: Any) -> None:
    one = await promise(world)
    keeper = await world.record(direction="outbound", identifiers=PHONE, keeps=[str(one)])
    world.clock.advance(timedelta(hours=30))
    assert await wake(world) == 0
    await retract(UUID(keeper["touchpoint_id"]), reason="another customer", by="Luisa", desk=world.desk)
    assert await wake(world) == 1
    assert (await states(world), await world.rows(timer_table)) == (["late"], [])
    assert [data.move for data in await told(world)] == ["made", "kept", "made", "broken"]
    assert (await told(world))[-1].at == (await told(world))[0].due_at


async def test_what_was_settled_is_not_settled_again(world: Any) -> None:
    one = await promise(world)
    await settling(world)(one, "waive")
    for act in ("keep", "waive"):
        with pytest.raises(CommitmentSettled):
            await settling(world)(one, act)
    with pytest.raises(UnknownCommitment):
        await settling(world)(uuid4(), "keep")
    assert [data.move for data in await told(world)] == ["made", "waived"]


async def test_a_promise_of_history_that_was_due_before_sets_nothing_off(world: Any) -> None:
    await promise(world, hours=-100, backfill=True)
    assert await world.rows(timer_table) == []
    assert [data.move for data in await told(world)] == ["made"]


def rescheduling(world: Any) -> Any:
    uow = InteractionsUnitOfWork(world.database)
    return partial(reschedule, by="Luisa", reason="approved anew", agreed_with="Ana", uow=uow, clock=world.clock)


async def test_a_promise_put_on_another_date_is_in_time_until_then_and_tells_the_first(world: Any) -> None:
    one, first = await promise(world), world.clock() + timedelta(hours=24)
    second = first + timedelta(days=2)
    after = await rescheduling(world)(one, second)
    assert (after.due_at, after.state, [m["agreed_with"] for m in after.earlier_dates]) == (second, "open", ["Ana"])
    assert (await rescheduling(world)(one, second)).earlier_dates == after.earlier_dates  # said twice
    world.clock.advance(timedelta(hours=25))
    assert await wake(world) == 0
    await settling(world)(one, "keep")
    (row,) = await world.rows(commitment)
    assert [moved["due_at"] for moved in row["earlier_dates"]] == [first.isoformat().replace("+00:00", "Z")]
    assert [(data.move, data.due_at) for data in await told(world)] == [
        ("made", first),
        ("rescheduled", second),
        ("kept", second),
    ]
    assert (await told(world))[-1].late_seconds == -47 * 3600.0


async def test_a_late_promise_is_owed_by_the_new_date_and_late_again_after_it(world: Any) -> None:
    one = await promise(world)
    world.clock.advance(timedelta(hours=25))
    await wake(world)
    await rescheduling(world)(one, world.clock() + timedelta(hours=1))
    assert await states(world) == ["open"]
    world.clock.advance(timedelta(hours=2))
    await wake(world)
    assert await states(world) == ["late"]
    assert [data.move for data in await told(world)] == ["made", "broken", "rescheduled", "broken"]


async def test_a_date_that_is_past_and_a_promise_that_is_settled_are_not_put_off(world: Any) -> None:
    one = await promise(world)
    with pytest.raises(DueInPast):
        await rescheduling(world)(one, world.clock())
    with pytest.raises(UnknownCommitment):
        await rescheduling(world)(uuid4(), world.clock() + timedelta(days=1))
    await settling(world)(one, "keep")
    with pytest.raises(CommitmentSettled):
        await rescheduling(world)(one, world.clock() + timedelta(days=3))
    assert [data.move for data in await told(world)] == ["made", "kept"]
