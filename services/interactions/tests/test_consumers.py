"""What interactions does when the others speak: redelivered, out of order, and taken back."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from common.access import access_key_table
from common.bus.delivery import Delivery, Record
from common.contracts.identity import AccessChanged, CustomerChanged, CustomerErased, LinksChanged, Move
from common.contracts.interactions import CaseMove, ConversationMove, ConversationMoveRetracted
from common.db import inbox_table, outbox_table, parked_table
from common.events import Event, EventData, decode, encode
from common.service import CHANNELS_TOPIC, Runtime
from interactions.consumers import consume
from interactions.conversations.models import conversation, conversation_act, conversation_entry, conversation_reference
from interactions.conversations.use_cases import act_on_conversation
from interactions.touchpoints.models import customer, touchpoint, trace
from interactions.uow import PARTIES, InteractionsUnitOfWork
from interactions.worker import create_consumer

ANA, OTHER = uuid4(), uuid4()


def event(data: EventData, event_id: UUID | None = None) -> Event:
    from common.clock import utc_now

    return Event(
        id=event_id or uuid4(), type=data.type, source="/identity", time=utc_now(), subject=data.key(), data=data
    )


def links(*moves: tuple[UUID, UUID | None, int], kind: Any = "link") -> LinksChanged:
    some = [Move(trace_id=trace_id, customer_id=owner, revision=revision) for trace_id, owner, revision in moves]
    return LinksChanged(decision_id=uuid4(), kind=kind, moves=some)


async def hear(world: Any, *events: Event) -> None:
    await consume(events, uow=InteractionsUnitOfWork(world.database), clock=world.clock, company=world.company)


async def owners(world: Any) -> dict[UUID, UUID | None]:
    return {row["trace_id"]: row["customer_id"] for row in await world.rows(trace)}


async def threads(world: Any) -> list[dict[str, Any]]:
    """All that is computed of threads, without the owner: to be compared."""
    found = [dict(row) for row in await world.rows(conversation)]
    entries = [dict(row) for row in await world.rows(conversation_entry)]
    references = [dict(row) for row in await world.rows(conversation_reference)]
    return sorted([*found, *entries, *references], key=str)


async def write(world: Any, phone: str, **said: Any) -> UUID:
    answer = await world.record(identifiers=[f"phone:{phone}"], **said)
    rows: Sequence[Any] = await world.rows(touchpoint)
    return next(row["trace_id"] for row in rows if str(row["touchpoint_id"]) == answer["touchpoint_id"])


async def told(world: Any, *, after: int = 0) -> list[Any]:
    """What was told of threads and cases, from a place of the outbox on."""
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])[after:]
    events = [event.data for row in rows if (event := decode(row["payload"])) is not None]
    return [data for data in events if isinstance(data, ConversationMove | CaseMove)]


async def test_a_decision_joins_threads_and_tells_only_what_is_otherwise(world: Any) -> None:
    one = await write(world, "3001112233", topic="billing", ago=timedelta(hours=5))
    other = await write(world, "3004445566", topic="billing")
    before = len(await world.rows(outbox_table))
    await hear(world, event(links((one, ANA, 1), (other, ANA, 1))))
    (thread,) = await world.rows(conversation)
    assert (thread["party_id"], thread["entries"]) == (ANA, 2)
    wrong, right = await told(world, after=before)
    assert isinstance(wrong, ConversationMoveRetracted)
    assert (wrong.trace_id, wrong.move, wrong.conversation_id) == (other, "opened", wrong.touchpoint_id)
    assert (right.trace_id, right.move, right.conversation_id) == (other, "continued", thread["conversation_id"])


async def test_a_decision_that_moves_no_thread_tells_nothing(world: Any) -> None:
    one = await write(world, "3001112233", topic="billing")
    other = await write(world, "3004445566", topic="delivery")
    await write(world, "3004445566", topic="delivery")
    before = len(await world.rows(outbox_table))
    await hear(world, event(links((one, ANA, 1), (other, ANA, 1))))
    assert len(await world.rows(outbox_table)) == before


async def test_of_the_threads_of_an_erased_person_nothing_is_told_anew_whichever_is_heard_first(world: Any) -> None:
    """What is told anew would be news to the others, and take back verdicts that are to stay in the scores."""
    one = await write(world, "3001112233", topic="billing", ago=timedelta(hours=5))
    other = await write(world, "3004445566", topic="billing")
    await hear(world, event(links((one, ANA, 1), (other, ANA, 1))))
    before = len(await world.rows(outbox_table))
    await hear(world, event(links((one, None, 2), (other, None, 2), kind="erase")))
    erasure = CustomerErased(
        erasure_id=uuid4(), customer_id=ANA, customers=[ANA], traces=[one, other], erased_at=world.clock()
    )
    await hear(world, event(erasure))
    assert await told(world, after=before) == []
    assert await owners(world) == {one: None, other: None}
    assert await world.rows(conversation) == await world.rows(conversation_entry) == await world.rows(touchpoint) == []


async def test_whoever_loses_a_trace_is_waited_for_as_well_as_whoever_wins_it(world: Any) -> None:
    """His threads are computed anew without it: beside a contact that is recorded for him one of the two would be undone."""
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    one = await write(world, "3001112233")
    await hear(world, event(links((one, ANA, 1))))
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
    for party in (ANA, OTHER):
        async with InteractionsUnitOfWork(world.database) as recording:
            await recording.lock([party], space=PARTIES)
            moving = asyncio.create_task(hear(world, event(links((one, OTHER, 2)))))
            while not await recording.session.scalar(waiting):
                assert not moving.done()
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)


async def test_a_redelivered_decision_changes_nothing(world: Any) -> None:
    one = await write(world, "3001112233")
    same = event(links((one, ANA, 1)))
    await hear(world, same)
    later = event(links((one, OTHER, 2)))
    await hear(world, later)
    after = await threads(world)
    await hear(world, same, later, same)
    assert await owners(world) == {one: OTHER}
    assert await threads(world) == after


async def test_what_was_handled_is_known_in_the_same_transaction(world: Any) -> None:
    said = event(links((uuid4(), ANA, 1)))
    await hear(world, said)
    assert [(row["event_id"], row["consumer"]) for row in await world.rows(inbox_table)] == [(said.id, "interactions")]


async def test_decisions_out_of_order_end_the_same(world: Any) -> None:
    one = await write(world, "3001112233")
    await hear(world, event(links((one, OTHER, 2))))
    await hear(world, event(links((one, ANA, 1))))
    assert await owners(world) == {one: OTHER}
    assert {row["party_id"] for row in await world.rows(conversation)} == {OTHER}


async def test_a_decision_on_a_trace_that_is_not_known_yet_is_kept(world: Any) -> None:
    one = await write(world, "3001112233")
    unknown = uuid4()
    await hear(world, event(links((unknown, ANA, 1), (one, ANA, 1))))
    assert (await owners(world))[unknown] == ANA
    assert len(await world.rows(conversation)) == 1


async def test_a_new_customers_first_trace_keeps_its_threads(world: Any) -> None:
    one = await write(world, "3001112233", topic="billing", references=["invoice:F-1"])
    await write(world, "3001112233", topic="delivery")
    before = await threads(world)
    await hear(world, event(links((one, ANA, 1))))
    assert [{**row, "party_id": None} for row in await threads(world)] == [{**row, "party_id": None} for row in before]
    assert {row["party_id"] for row in await threads(world)} == {ANA}


async def test_merge_and_undo_leave_threads_as_if_there_had_been_no_merge(world: Any) -> None:
    one = await write(world, "3001112233", topic="billing", ago=timedelta(hours=50), references=["invoice:F-1"])
    await write(world, "3001112233", ago=timedelta(hours=49), direction="outbound", outcome="resolved", topic="billing")
    other = await write(world, "3004445566", topic="billing", ago=timedelta(hours=48), summary="otra")
    await hear(world, event(links((one, ANA, 1), (other, OTHER, 1))))
    await write(world, "3001112233", ago=timedelta(hours=2))
    parked = next(row["conversation_id"] for row in await world.rows(conversation) if row["topic"] is None)
    uow = InteractionsUnitOfWork(world.database)
    await act_on_conversation(
        parked, "park", reason="waits", by="Luisa", uow=uow, clock=world.clock, company=world.company
    )
    never_merged = await threads(world)
    await hear(world, event(links((other, ANA, 2), kind="merge")))
    assert await threads(world) != never_merged
    assert {row["party_id"] for row in await world.rows(conversation)} == {ANA}
    await hear(world, event(links((other, OTHER, 3), kind="undo")))
    assert await threads(world) == never_merged
    assert len(await world.rows(conversation_act)) == 1


async def test_a_trace_may_go_back_to_nobody(world: Any) -> None:
    one = await write(world, "3001112233")
    await hear(world, event(links((one, ANA, 1))))
    await hear(world, event(links((one, None, 2), kind="split")))
    assert {row["party_id"] for row in await world.rows(conversation)} == {one}


async def test_a_contact_recorded_between_merge_and_undo_goes_where_its_trace_goes(world: Any) -> None:
    one, other = await write(world, "3001112233", topic="billing"), await write(world, "3004445566", topic="billing")
    await hear(world, event(links((one, ANA, 1), (other, OTHER, 1))))
    await hear(world, event(links((other, ANA, 2), kind="merge")))
    await write(world, "3004445566", topic="billing", channel="call")
    await hear(world, event(links((other, OTHER, 3), kind="undo")))
    assert {row["party_id"]: row["entries"] for row in await world.rows(conversation)} == {ANA: 1, OTHER: 2}


async def test_of_a_customer_the_highest_revision_stays(world: Any) -> None:
    merged = CustomerChanged(customer_id=OTHER, revision=5, state="merged", merged_into=ANA)
    earlier = CustomerChanged(customer_id=OTHER, revision=2, state="active")
    await hear(world, event(merged))
    await hear(world, event(earlier), event(earlier))
    (row,) = await world.rows(customer)
    assert (row["state"], row["merged_into"]) == ("merged", ANA)


async def test_credentials_are_followed(world: Any) -> None:
    await hear(world, event(AccessChanged(key_id="k1", revision=1, hash="0" * 64, scopes=["resume:read"])))
    assert [row["key_id"] for row in await world.rows(access_key_table)] == ["k1"]


async def test_a_consumer_that_fails_leaves_nothing_behind(world: Any) -> None:
    one = await write(world, "3001112233")

    def broken() -> Any:
        raise RuntimeError("half way")

    said = event(links((one, ANA, 1)))
    with pytest.raises(RuntimeError):
        await consume([said], uow=InteractionsUnitOfWork(world.database), clock=broken, company=world.company)
    assert await owners(world) == {one: None}
    await hear(world, said)  # not claimed by the attempt that failed
    assert await owners(world) == {one: ANA}


def delivery(world: Any) -> Delivery:
    runtime = Runtime(world.settings, world.database, world.company, world.clock)
    return Delivery(create_consumer(runtime), world.database, clock=world.clock)


async def test_an_unreadable_event_is_parked_and_the_others_take_effect(world: Any) -> None:
    one = await write(world, "3001112233")
    _, good = encode(links((one, ANA, 1)), at=world.clock())
    bad = good.replace(str(one).encode(), b"nobody").replace(b'"id":"', b'"id":"', 1)
    await delivery(world).deliver(
        [Record("identity.v1", "k", b"{"), Record("identity.v1", "k", bad), Record("identity.v1", "k", good)]
    )
    assert await owners(world) == {one: ANA}
    assert {row["code"] for row in await world.rows(parked_table)} == {"bad-json", "bad-schema"}


async def test_the_channels_topic_has_the_same_fate_as_a_post(world: Any) -> None:
    body = (
        '{"source": "pos", "external_id": "1", "kind": "message", "channel": "shop", '
        f'"occurred_at": "{world.clock().isoformat()}", "identifiers": ["phone:3001112233"]}}'
    ).encode()
    records = [Record(CHANNELS_TOPIC, "k", value) for value in (body, body, b"nonsense", body.replace(b"shop", b"web"))]
    await delivery(world).deliver(records)
    await delivery(world).deliver(records)
    async with world.database.session(reading=True) as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(touchpoint)) == 1
    assert {row["code"] for row in await world.rows(parked_table)} == {"malformed", "different-body"}
