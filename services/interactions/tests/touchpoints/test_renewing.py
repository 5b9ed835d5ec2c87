"""Identifiers that were recorded under an older normal form: the same raw number picks up the thread after the upgrade."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from common.db import outbox_table
from common.identifiers import NORMALISATION, Identifier, identifier_id, trace_of
from common.service import Runtime
from common.testing import woken
from common.timers import Timer
from common.upgrading import NEVER, WHOLE
from interactions.corrections.use_cases import retract
from interactions.tables import METADATA
from interactions.touchpoints import renewing
from interactions.touchpoints.models import touchpoint, trace, trace_identifier
from interactions.touchpoints.renewing import NORMAL_FORM, renew_on
from interactions.uow import InteractionsUnitOfWork
from interactions.worker import create_timers, prepare

ANA = {"full_name": "Ana María López"}
# Raw, and what the first normal form made of it.
OLDER = {
    "document:es-nif:12345678Z": "document:es-nif:12345678Z",  # now under its own kind
    "document:pe-dni:10117410-2": "document:pe-dni:101174102",  # now without the check digit
    "document:co-cedula:52123456": "document:co-cedula:52123456",
    "phone:310 123 4567 (casa)": "phone:~3101234567casa",  # could not be read
    "phone:+56 2 345 6789": "phone:~+5623456789",
}
RAW = next(iter(OLDER))


def runtime(world: Any) -> Runtime:
    return Runtime(world.settings, world.database, world.company, world.clock)


async def recorded_by_the_first(world: Any, raw: str, **said: Any) -> UUID:
    """A touchpoint of a customer, as the first version recorded it under the raw identifier."""
    answer = await world.record(identifiers=[raw], profile=ANA, **said)
    touchpoint_id = UUID(answer["touchpoint_id"])
    await _on_the_trace_of(world, touchpoint_id, OLDER[raw])
    await world.link(raw)
    await _carrying(world, touchpoint_id, OLDER[raw])
    return touchpoint_id


async def _on_the_trace_of(world: Any, touchpoint_id: UUID, text: str) -> None:
    scheme, _, value = text.partition(":")
    older = trace_of(
        [Identifier(scheme, value, text)], name=ANA["full_name"], source="", external_id="",
        secret=world.settings.identifier_secret,
    ).trace_id  # fmt: skip
    async with InteractionsUnitOfWork(world.database) as uow:
        now_is = (await uow.touchpoints.get(touchpoint_id))["trace_id"]
        for column in [table.c[name] for table in METADATA.tables.values() for name in ("trace_id", "party_id") if name in table.c]:  # fmt: skip
            await uow.session.execute(sa.update(column.table).where(column == now_is).values({column.name: older}))
        await uow.commit()


async def _carrying(world: Any, touchpoint_id: UUID, text: str) -> None:
    async with InteractionsUnitOfWork(world.database) as uow:
        row = await uow.touchpoints.get(touchpoint_id)
        (one,) = row["identifiers"]
        changed = {"value": text.partition(":")[2], "normalised": text}
        older = one | changed | {"id": str(identifier_id(text, world.settings.identifier_secret))}
        await uow.touchpoints.change(touchpoint_id, identifiers=[older])
        renamed = sa.update(trace_identifier).where(trace_identifier.c.identifier_id == UUID(one["id"]))
        await uow.session.execute(renamed.values(identifier_id=UUID(older["id"])))
        if one["scheme"] == "document":
            his = sa.update(trace).where(trace.c.trace_id == row["trace_id"])
            await uow.session.execute(his.values(documents=[text]))
        await uow.commit()


async def upgraded(world: Any, most: int = 100) -> int:
    """A worker of this version starts and wakes as often as it is due; gives how often."""
    await prepare(runtime(world))
    return await woken(lambda: create_timers(runtime(world)), world.clock, most=most)


async def noted(world: Any) -> Timer:
    async with InteractionsUnitOfWork(world.database, reading=True) as uow:
        found = await uow.timers.get(NORMAL_FORM, WHOLE)
    assert found is not None
    return found


async def resume(world: Any, raw: str) -> Mapping[str, Any]:
    async with world.client() as client:
        packet: dict[str, Any] = (await client.post("/interactions/v1/resume", json={"identifiers": [raw]})).json()
    return packet


async def whole(world: Any) -> list[list[sa.RowMapping]]:
    return [await world.rows(table) for table in (touchpoint, trace_identifier, trace, outbox_table)]


@pytest.mark.parametrize("raw", OLDER)
async def test_the_resume_by_the_same_raw_number_picks_up_the_thread_again(world: Any, raw: str) -> None:
    await recorded_by_the_first(world, raw, summary="She waits for the plumber")
    assert (await resume(world, raw))["who"]["recognised"] == "unknown"  # which is why
    told = await world.rows(outbox_table)
    await upgraded(world)
    packet = await resume(world, raw)
    assert packet["who"]["recognised"] == "customer"
    assert packet["recap"][0]["summary"] == "She waits for the plumber"
    assert await world.rows(outbox_table) == told  # and nobody was told anything


async def test_the_next_contact_under_the_same_raw_number_is_his_and_contradicts_nothing(world: Any) -> None:
    raw = "document:pe-dni:10117410-2"  # of one type in both forms: two numbers of it would be two persons
    await recorded_by_the_first(world, raw)
    await upgraded(world)
    his = (await resume(world, raw))["who"]["customer_id"]
    await world.record(identifiers=[raw, "account:shop:9"], profile=ANA)
    account = await resume(world, "account:shop:9")
    assert (account["who"]["recognised"], account["who"]["customer_id"]) == ("customer", his)


async def test_gone_through_again_nothing_changes(world: Any) -> None:
    for raw in OLDER:
        await recorded_by_the_first(world, raw)
    await upgraded(world)
    before = await whole(world)
    async with InteractionsUnitOfWork(world.database) as uow:
        await uow.timers.cancel(NORMAL_FORM, WHOLE)
        await uow.commit()
    await upgraded(world)
    assert await whole(world) == before
    assert (await noted(world)).payload["renewed"] == 0


async def test_what_is_in_todays_form_stays_as_it_is(world: Any) -> None:
    await world.record(identifiers=["phone:3001112233", "email:ana@example.com", "account:9"], profile=ANA)
    await world.record(identifiers=["document:co-cc:52123456", "whatsapp:3001112233"])
    await world.record(identifiers=[])
    before = await whole(world)
    await upgraded(world)
    assert await whole(world) == before
    done = await noted(world)
    assert (done.due_at, done.payload["form"], done.payload["renewed"]) == (NEVER, NORMALISATION, 0)


async def test_where_nothing_was_recorded_it_is_done_at_once(world: Any) -> None:
    assert await upgraded(world) == 1
    assert (await noted(world)).due_at == NEVER
    assert await upgraded(world) == 0  # and at the next start not even that


async def test_killed_half_way_it_goes_on_where_it_was(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in OLDER:
        await recorded_by_the_first(world, raw)
    monkeypatch.setattr(renewing, "AT_ONCE", 1)
    await upgraded(world, most=2)
    half = await noted(world)
    assert half.payload["renewed"] == 2  # of the five
    before = await whole(world)
    async with InteractionsUnitOfWork(world.database) as uow:  # no commit: as if it was killed
        await renew_on(
            [half], uow=uow, clock=world.clock, company=world.company, secret=world.settings.identifier_secret
        )
    assert await whole(world) == before
    assert await upgraded(world) == len(OLDER) - 2 + 1  # one by one, and once to see that nothing follows
    assert (await noted(world)).payload["renewed"] == len(OLDER)
    for raw in OLDER:
        assert (await resume(world, raw))["who"]["recognised"] == "customer", raw
    assert len(await world.rows(trace_identifier)) == 2 * len(OLDER)


async def test_a_retraction_takes_both_forms_away(world: Any) -> None:
    touchpoint_id = await recorded_by_the_first(world, RAW)
    await upgraded(world)
    await retract(touchpoint_id, reason="a test", by="ana", desk=world.desk)
    assert await world.rows(trace_identifier) == []


async def test_what_was_retracted_leads_to_nobody_again(world: Any) -> None:
    touchpoint_id = await recorded_by_the_first(world, RAW)
    await retract(touchpoint_id, reason="a test", by="ana", desk=world.desk)
    await upgraded(world)
    assert await world.rows(trace_identifier) == []


async def test_two_versions_side_by_side_leave_it_to_the_one_that_began(world: Any) -> None:
    await recorded_by_the_first(world, RAW)
    async with InteractionsUnitOfWork(world.database) as uow:
        later = {"form": NORMALISATION + 1, "renewed": 0, "after": None}
        await uow.timers.set(NORMAL_FORM, WHOLE, world.clock(), later)
        await uow.commit()
    await create_timers(runtime(world)).fire()
    assert (await noted(world)).payload == later
    assert (await resume(world, RAW))["who"]["recognised"] == "unknown"
