"""Evidence is built anew from the log; standards, published scorecards and what people did about it stay."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
from service_audit.standards.shipped import shipped
from service_audit.standards.use_cases import put_cycle
from service_audit.worker import create_consumer, prepare, republish

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


@dataclass
class Logged(Audit):
    """The service on one database, which hears from a log that it can be built anew from."""

    source: Database

    async def tell(self, *data: EventData) -> None:
        sources = {"interactions": self.source, "identity": self.source}
        async with UnitOfWork(self.source) as uow:
            uow.outbox.add_all(data, at=self.clock())
            await uow.commit()
        await LocalReader(create_consumer(self.runtime), self.runtime.database, sources, clock=self.clock).drain()

    async def rebuild(self) -> int:
        async with OutboxHistory({"interactions": self.source}, create_consumer(self.runtime).topics) as history:
            return await rebuild_projections(SERVICE, self.runtime, history, tell=lambda _: None)


@pytest.fixture
async def logged(make_database: Callable[[str], Awaitable[Database]], clock: FakeClock) -> Logged:
    source, database = await make_database("service_audit"), await make_database("service_audit")
    runtime = Runtime(settings_for(AuditSettings), database, Company.load(), clock)
    await prepare(runtime)
    return Logged(runtime, clock, source)


async def test_what_was_corrupted_is_right_again_and_what_people_did_stays(logged: Logged) -> None:
    """Whether a failure was told as well, by history: what answers, and calls all of it met, has no failure that could say so."""
    database = logged.runtime.database
    bad, gone = survey(1), survey(1, trace_id=uuid4())
    await logged.tell(links(WHO, TRACE, revision=1), customer(WHO, revision=1), touchpoint(), bad, gone, case("opened"))
    await logged.tell(retracted(gone), commitment("made"))
    await logged.passes(days=9)
    await logged.tell(survey(5), case("resolved", hours=300))
    before = await rows(database)
    assert before["evidence"]
    assert before["action"]
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM observation WHERE source = 'survey'"))
        await connection.execute(text("UPDATE evidence SET state = 'met', raised = true"))
        await connection.execute(text("UPDATE link SET customer_id = NULL"))
    assert await rows(database) != before

    assert await logged.rebuild() > 0
    assert await rows(database) == before
    await logged.tell(survey(2))
    assert len((await rows(database))["evidence"]) == len(before["evidence"]) + 1


async def test_a_failure_that_only_a_later_standard_made_is_not_told_after_a_rebuild_either(logged: Logged) -> None:
    """History is judged by today's standard; whether a failure was told is what the live side says, wherever both have one."""
    await logged.tell(survey(1), survey(4))
    stricter = shipped("contact")
    stricter["moments"][0]["standard"]["minimum"] = 5
    await put_cycle("contact", stricter, expected=1, by="test", uow=logged.uow(), clock=logged.clock)
    before = sorted((e.value, e.state, e.raised) for e in await logged.evidence())
    assert before == [(1.0, "failed", True), (4.0, "failed", False)]
    await logged.rebuild()
    assert sorted((e.value, e.state, e.raised) for e in await logged.evidence()) == before
    assert await republish(logged.runtime) == 1


@pytest.mark.parametrize("tells", [retracted, lambda seen: conversation("continued", touchpoint_id=seen.touchpoint_id)])
async def test_a_consumer_that_waits_for_a_rebuild_holds_nothing_that_it_needs(
    audit: Audit, tells: Callable[[TouchpointRecorded], EventData]
) -> None:
    await audit.hears(seen := survey(1))
    tables = SERVICE.projections.when_whole().replaced if SERVICE.projections else ()
    await waits_empty_handed(audit.runtime.database, tables, audit.hears(told := tells(seen)))
    assert bool(await audit.evidence()) is isinstance(told, ConversationMoved)
