"""Telling anew what channels know of people: their topic is kept for days only, and is never replayed."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from common.contracts.interactions import PersonSeen
from common.service import Runtime
from interactions.uow import InteractionsUnitOfWork

PAGE = 500


async def republish_people(runtime: Runtime) -> int:
    """What each live touchpoint tells of its person, in the order of recording. Whoever knows the touchpoint learns nothing new."""
    told, after = 0, UUID(int=0)
    while True:
        async with InteractionsUnitOfWork(runtime.database) as uow:
            rows = await uow.touchpoints.live_after(after, limit=PAGE)
            if not rows:
                return told
            seen = [person_of(row) for row in rows if row["identifiers"]]
            uow.outbox.add_all(seen, at=runtime.clock())
            await uow.commit()
        told, after = told + len(seen), rows[-1]["touchpoint_id"]


def person_of(row: Any) -> PersonSeen:
    """The event as it was told when the touchpoint was recorded, without what has been redacted since."""
    return PersonSeen(
        touchpoint_id=row["touchpoint_id"],
        trace_id=row["trace_id"],
        source=row["source"],
        channel=row["channel"],
        occurred_at=row["occurred_at"],
        backfill=row["backfill"],
        identifiers=[{name: one[name] for name in ("id", "scheme", "value", "attested")} for one in row["identifiers"]],
        profile=row["profile"],
        facts=row["facts"],
        has_open_case=row["kind"] in {"complaint", "claim"},
    )


REPUBLISH: dict[str, Callable[[Runtime], Awaitable[int]]] = {"people": republish_people}
