"""Identity's part of a batch: finding out whose traces five hundred touchpoints are, by exact identifiers."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from common.clock import utc_now
from common.company import Company
from common.contracts.interactions import PersonSeen
from common.db import Database
from common.events import Event
from identity.consumers import consume
from identity.linking.use_cases import Desk
from identity.sightings.domain import sighting_of
from identity.uow import IdentityUnitOfWork

from .grounds import Grounds
from .results import Report, at_most, median, plain

BATCH = 500
PEOPLE = 50_000
SPACE = UUID("0d3cf3c1-9a55-4f8f-9f0a-3d3f8ff0d6a5")


def seen(person: int, *, by: str = "phone", also: str | None = None) -> PersonSeen:
    """A touchpoint of a person under one identifier, and perhaps with a second as evidence."""
    kinds = {
        "phone": f"+57300{person:07}",
        "email": f"p{person}@example.com",
        "document": f"co-cc:{10_000_000 + person}",
    }
    identifiers = [
        {"id": str(uuid5(SPACE, f"{kind}:{kinds[kind]}")), "scheme": kind, "value": kinds[kind], "attested": True}
        for kind in (by, also)
        if kind is not None
    ]
    return PersonSeen(
        touchpoint_id=uuid4(),
        trace_id=uuid5(SPACE, f"trace:{by}:{person}"),
        source="bench",
        channel="call",
        occurred_at=datetime.now(UTC),
        identifiers=identifiers,
    )


def batches(events: Iterator[PersonSeen]) -> Iterator[list[Event]]:
    some: list[Event] = []
    for data in events:
        some.append(
            Event(
                id=uuid4(), type=data.type, source="/interactions", time=data.occurred_at, subject=data.key(), data=data
            )
        )
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some


async def measured(url: str, *, people: int, rounds: int) -> dict[str, float]:
    """Microseconds an event."""
    database, company = Database.connect(url), Company.load(None)

    async def whole(events: list[Event]) -> float:
        begun = time.perf_counter()
        await consume(events, uow=IdentityUnitOfWork(database), clock=utc_now, company=company, secret=b"of nobody")
        return (time.perf_counter() - begun) / len(events) * 1e6

    async def resolve(events: list[Event]) -> tuple[float, float]:
        """The lookup of the traces alone, and the whole decision, of a transaction that is rolled back."""
        sightings = [sighting_of(event.data, company) for event in events]
        async with IdentityUnitOfWork(database) as uow:
            await uow.links.standing([sightings[0].trace_id])
            begun = time.perf_counter()
            await uow.links.standing({each.trace_id for each in sightings})
            looked = time.perf_counter() - begun
            begun = time.perf_counter()
            await Desk(uow, company, utc_now()).open(sightings)
            return looked / len(events) * 1e6, (time.perf_counter() - begun) / len(events) * 1e6

    new = [await whole(events) for events in batches(seen(n, also="email") for n in range(people))]
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM ANALYZE")
    step = max(1, people // (BATCH * rounds * 4))
    known = list(batches(seen(n * step) for n in range(BATCH * rounds * 4)))
    other = list(batches(seen(n * step, by="email") for n in range(BATCH * rounds * 4)))
    # A connection's first plans are another matter.
    await resolve(known[0])
    looks, decided, by_email, consumed = [], [], [], []
    for events, others in zip(known, other, strict=True):
        looked, opened = await resolve(events)
        looks.append(looked)
        decided.append(opened)
        by_email.append((await resolve(others))[1])
        consumed.append(await whole(events))
    await database.dispose()
    return {
        "look": median(looks),
        "known": median(decided),
        "other": median(by_email),
        "whole": median(consumed),
        "new": median(new[len(new) // 2 :]),
    }


def identity(place: Grounds, *, rounds: int, seconds: float, scale: int = PEOPLE) -> Report:
    """Exact resolution of batches of 500 in a population of 50,000 people with two identifiers each."""
    place.migrated("identity")
    found: dict[str, Any] = asyncio.run(measured(place.postgres.url("identity"), people=scale, rounds=rounds))
    report = Report(
        "identity", f"Batches of {BATCH} sightings in a population of {scale:,} people with a phone and an e-mail each."
    )
    report.figures = [
        at_most("exact resolve of known people, an event", found["known"], 10, unit=" us"),
        plain("of it, reading the traces by their ids", found["look"], unit=" us"),
        plain("exact resolve of a new trace by a known e-mail", found["other"], unit=" us"),
        plain("the whole consumer, known people", found["whole"], unit=" us"),
        plain("the whole consumer, new people (customer, links, events)", found["new"], unit=" us"),
    ]
    return report
