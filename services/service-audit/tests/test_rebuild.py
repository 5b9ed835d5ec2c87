"""Evidence is built anew from the log; standards, published scorecards and what people did about it stay."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from common.bus.history import OutboxHistory
from common.bus.local import LocalReader
from common.company import Company
from common.contracts.interactions import ConversationMoved, TouchpointRecorded
from common.db import Database
from common.events import EventData
from common.service import Runtime, rebuild_projections
from common.testing import FakeClock, settings_for, waits_empty_handed
from common.uow import UnitOfWork
from service_audit.service import SERVICE
from service_audit.settings import AuditSettings
from service_audit.worker import create_consumer, create_timers, prepare

from .conftest import TRACE, Audit, case, commitment, conversation, customer, links, retracted, survey, touchpoint

WHO = UUID(int=77)
TABLES = {
    "evidence": "evidence_id, cycle, moment, scope, state, value, score, raised",
    "observation": "key, source, trace_id, noted_at",
    "link": "trace_id, customer_id, revision",
    "action": "title, state, open_key",
    "document": "kind, code, version",
}


async def rows(database: Database) -> dict[str, list[str]]:
    async with database.session(reading=True) as session:
        return {
            table: sorted(str(row) for row in (await session.execute(text(f"SELECT {columns} FROM {table}"))).all())
            for table, columns in TABLES.items()
        }


async def test_what_was_corrupted_is_right_again_and_what_people_did_stays(
    make_database: Callable[[str], Awaitable[Database]], clock: FakeClock
) -> None:
    source, database = await make_database("service_audit"), await make_database("service_audit")
    runtime = Runtime(settings_for(AuditSettings), database, Company.load(), clock)
    await prepare(runtime)
    reader = LocalReader(create_consumer(runtime), database, {"interactions": source, "identity": source}, clock=clock)
    timers = create_timers(runtime)

    async def tell(*data: EventData) -> None:
        async with UnitOfWork(source) as uow:
            uow.outbox.add_all(data, at=clock())
            await uow.commit()
        await reader.drain()

    bad, gone = survey(1), survey(1, trace_id=uuid4())
    await tell(links(WHO, TRACE, revision=1), customer(WHO, revision=1), touchpoint(), bad, gone, case("opened"))
    await tell(retracted(gone), commitment("made"))
    clock.advance(timedelta(days=9))
    await timers.drain()
    await tell(survey(5), case("resolved", hours=300))
    before = await rows(database)
    assert before["evidence"]
    assert before["action"]
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM observation WHERE source = 'survey'"))
        await connection.execute(text("UPDATE evidence SET state = 'met', raised = true"))
        await connection.execute(text("UPDATE link SET customer_id = NULL"))
    assert await rows(database) != before

    heard: list[Any] = []
    async with OutboxHistory({"interactions": source}, create_consumer(runtime).topics) as history:
        assert await rebuild_projections(SERVICE, runtime, history, tell=heard.append) > 0
    assert await rows(database) == before
    await tell(survey(2))
    assert len((await rows(database))["evidence"]) == len(before["evidence"]) + 1


@pytest.mark.parametrize("tells", [retracted, lambda seen: conversation("continued", touchpoint_id=seen.touchpoint_id)])
async def test_a_consumer_that_waits_for_a_rebuild_holds_nothing_that_it_needs(
    audit: Audit, tells: Callable[[TouchpointRecorded], EventData]
) -> None:
    await audit.hears(seen := survey(1))
    tables = SERVICE.projections.when_whole().replaced if SERVICE.projections else ()
    await waits_empty_handed(audit.runtime.database, tables, audit.hears(told := tells(seen)))
    assert bool(await audit.evidence()) is isinstance(told, ConversationMoved)
