"""Telling anew what channels know of people: their topic is kept for days only, and is never replayed."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from common.service import Runtime
from interactions.touchpoints.domain import person_of
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
            seen = [person_of(row, identifiers=row["identifiers"]) for row in rows if row["identifiers"]]
            uow.outbox.add_all(seen, at=runtime.clock())
            await uow.commit()
        told, after = told + len(seen), rows[-1]["touchpoint_id"]


REPUBLISH: dict[str, Callable[[Runtime], Awaitable[int]]] = {"people": republish_people}
