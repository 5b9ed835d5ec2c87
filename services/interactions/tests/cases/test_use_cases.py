"""Cases on real databases: numbers, contacts on any channel, timers."""

import asyncio
from datetime import timedelta
from typing import Any

from common.db import outbox_table, timer_table
from common.events import decode
from common.service import Runtime
from interactions.cases.models import case_file, case_step
from interactions.cases.use_cases import act_on_case
from interactions.uow import InteractionsUnitOfWork
from interactions.worker import create_timers

PHONE = ["phone:300 123 4567"]


async def complain(world: Any, **said: Any) -> str:
    answer = await world.record(**{"kind": "complaint", "channel": "web", "identifiers": PHONE, **said})
    return str(answer["case_number"])


async def act(world: Any, number: str, what: Any) -> None:
    await act_on_case(
        number,
        what,
        text="the charge was returned",
        by="Luisa",
        uow=InteractionsUnitOfWork(world.database),
        clock=world.clock,
        company=world.company,
    )


async def told(world: Any) -> list[Any]:
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])
    events = [event.data for row in rows if (event := decode(row["payload"]))]
    return [data for data in events if data.type == "interactions.case-moved"]


async def wake(world: Any) -> int:
    return await create_timers(Runtime(world.settings, world.database, world.company, world.clock)).drain()


async def test_numbers_are_given_once_however_many_ask(world: Any) -> None:
    year = world.company.local_date(world.clock()).year
    numbers = await asyncio.gather(*(complain(world, identifiers=[f"email:c{n}@example.com"]) for n in range(15)))
    assert sorted(numbers) == [f"PQR-{year}-{n:06d}" for n in range(1, 16)]


async def test_a_contact_on_any_channel_in_the_thread_counts_on_the_case(world: Any) -> None:
    await complain(world, topic="billing")
    world.clock.advance(timedelta(days=1))
    await world.record(channel="call", kind="call", identifiers=PHONE)
    await world.record(channel="shop", kind="purchase", identifiers=PHONE, payload={"amount": "1"})
    await world.record(channel="call", kind="call", identifiers=PHONE, topic="delivery")  # another subject
    (row,) = await world.rows(case_file)
    assert row["contacts_count"] == 2
    assert [data.move for data in await told(world)] == ["opened", "contacted"]


async def test_a_case_is_solved_at_first_contact_when_nobody_comes_back_in_seven_days(world: Any) -> None:
    number = await complain(world)
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=7))
    await wake(world)
    moved = await told(world)
    assert [data.move for data in moved] == ["opened", "answered", "resolved"]
    assert (moved[-1].first_contact, moved[-1].contacts) == (True, 1)


async def test_a_second_contact_moves_the_seven_days_and_spoils_the_first(world: Any) -> None:
    number = await complain(world)
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=3))
    await world.record(channel="call", kind="call", identifiers=PHONE, case=number)
    world.clock.advance(timedelta(days=4))
    await wake(world)
    assert [data.move for data in await told(world)] == ["opened", "answered", "contacted"]
    world.clock.advance(timedelta(days=3))
    await wake(world)
    assert (await told(world))[-1].first_contact is False


async def test_thirty_days_without_an_answer_expire(world: Any) -> None:
    await complain(world)
    world.clock.advance(timedelta(days=30))
    await wake(world)
    assert [data.move for data in await told(world)] == ["opened", "expired"]
    assert await world.rows(timer_table) == []


async def test_an_answer_by_a_contact_that_names_the_case(world: Any) -> None:
    number = await complain(world)
    await world.record(channel="email", direction="outbound", outcome="informed", identifiers=PHONE, case=number)
    (row,) = await world.rows(case_file)
    assert row["state"] == "answered"
    assert [step["move"] for step in sorted(await world.rows(case_step), key=lambda s: s["step_id"])] == [
        "opened",
        "answered",
    ]


async def test_an_old_complaint_raises_no_alarm_today(world: Any) -> None:
    await complain(world, ago=timedelta(days=400), backfill=True)
    assert await world.rows(timer_table) == []
    assert [(data.move, data.backfill) for data in await told(world)] == [("opened", True)]


async def test_a_complaint_that_names_a_case_opens_no_other(world: Any) -> None:
    number = await complain(world)
    assert await complain(world, case=number) == number
    (row,) = await world.rows(case_file)
    assert row["contacts_count"] == 2
