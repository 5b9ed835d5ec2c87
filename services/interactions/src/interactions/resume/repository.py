"""Every query of the resume: whom the identifiers reach, and all that is on record of him. Never writes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.clock import Clock
from common.db import Database
from common.statements import fetch_alone
from interactions.parts.domain import CONTACT, PROFILE, FailedMoment, Part
from interactions.parts.models import part
from interactions.resume.domain import (
    MOST_TRACES,
    PROVEN,
    Candidate,
    CaseFile,
    Commitment,
    LastContact,
    Memory,
    Reached,
    Reader,
    Thread,
    Touchpoint,
    Trace,
    Who,
)
from interactions.resume.sections import Reading, Sections, Written, as_asked
from interactions.resume.statements import Shape, carrying, lookup, moments_at, reading
from interactions.resume.together import Together
from interactions.touchpoints.models import customer, touchpoint, trace, trace_identifier

MOST_HOPS = 16  # of absorbed customers
# Of readings in one statement, and of statements of a kind under way: two of half the size overlap with the telling of others,
# and cost as much more as that brings; whoever comes at half the rate waits longer.
MOST_TOGETHER = 32
AT_ONCE = 1
# Of how many parties it is remembered what was made of the words in which the database told of them, where these are few: 40 KB
# for an agent as a rule. And for how long: nobody's data stay for ever because nobody else is asked for.
MOST_REMEMBERED = 400
MOST_WORDS = 16_000  # characters
KEPT = timedelta(minutes=10)

# The same traces and customers are reached again and again.
_id = lru_cache(maxsize=16_384)(UUID)


@dataclass(frozen=True)
class Party:
    """Whose history is read, and in which shape."""

    shape: Shape
    customer: UUID | None
    traces: tuple[UUID, ...]
    partner: str | None
    source: str | None

    def brings(self) -> Mapping[str, Any]:
        return {"customer": self.customer, "traces": self.traces, "partner": self.partner, "source": self.source}


class Resumes:
    """What all readings of one process share: those that come together are one statement. Never writes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._remembered = lru_cache(MOST_REMEMBERED)(_remembered)
        self._kept_since = clock()
        self._carrying = Together(self._look_up, most=MOST_TOGETHER, at_once=AT_ONCE)
        self._parties = Together(self._recall, most=MOST_TOGETHER, at_once=AT_ONCE)
        self._engine = database.reading

    async def reached_by(self, identifier_ids: Iterable[UUID], reader: Reader) -> tuple[list[Reached], bool]:
        """The traces that carry the identifiers, with their customers as they are now, and whether there are more.

        A bound reader reaches by what he may see only: else an answer would tell him that the identifier is somebody's.
        """
        ids = list(identifier_ids)
        if reader.bound:
            async with self.alone() as one:
                each = [await one.carrying(identifier_id, reader) for identifier_id in ids]
        else:
            each = (
                await asyncio.gather(*map(self._carrying.of, ids))
                if len(ids) > 1
                else [await self._carrying.of(identifier_id) for identifier_id in ids]
            )
        found = [reached for carrying in each for reached in carrying[:MOST_TRACES]]
        absorbed = {reached.customer_id for reached in found if reached.absorbed and reached.customer_id}
        if absorbed:
            async with self.alone() as one:
                survivors = await one.survivors(absorbed)
            found = [replace(t, customer_id=_survivor(t.customer_id, survivors)) for t in found]
        return found, any(len(carrying) > MOST_TRACES for carrying in each)

    async def remember(self, who: Who, reader: Reader) -> Memory:
        """All that is on record of the party, before `for_reader` takes out what is not for this reader."""
        if who.customer_id is None and not who.anonymous:
            return Memory()
        shape = Shape(
            dialect=self._database.dialect,
            scope="traces" if who.customer_id is None else "customer",
            meant_for_customer=not reader.internal,
            proven=reader.view == "customer",
            through_partner=reader.restricted_to_partner,
        )
        through = (reader.partner, reader.source) if reader.restricted_to_partner else (None, None)
        traces = who.anonymous if who.customer_id is None else ()
        return await self._parties.of(Party(shape, who.customer_id, traces, *through))

    async def existing(self, customer_id: UUID) -> UUID | None:
        """The customer of that id, or who absorbed him; None where we never heard of one."""
        async with self.alone() as one:
            return await one.existing(customer_id)

    async def candidates(self, customer_ids: Sequence[UUID]) -> list[Candidate]:
        """What helps an agent to choose: names, and the last contact with each."""
        async with self.alone() as one:
            return await one.candidates(customer_ids)

    async def names_of(self, customer_ids: Collection[UUID]) -> dict[UUID, str | None]:
        """How those of them are called whom identity has told of, and the use of whose data is not restricted."""
        async with self.alone() as one:
            return await one.names_of(customer_ids)

    async def accounts_on(self, customer_id: UUID, identifier_ids: Iterable[UUID], reader: Reader) -> set[UUID]:
        """Which of the identifiers lie on traces that the reader may see."""
        async with self.alone() as one:
            return await one.accounts_on(customer_id, identifier_ids, reader)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator["ResumeRepository"]:
        """For what is asked too seldom to be gathered."""
        async with AsyncSession(self._engine) as session:
            yield ResumeRepository(session)

    async def _look_up(self, identifier_ids: Sequence[UUID]) -> dict[UUID, list[Reached]]:
        asked = lookup(self._database.dialect)
        found = await self._read(asked, [{"identifier": each} for each in identifier_ids], {})
        return {
            each: [
                _reached(each, row[0], _id(row[1]), _read_id(row[2]), *row[3:])
                for row in asked.read(written)["carrying"]
            ]
            for each, written in zip(identifier_ids, found, strict=True)
        }

    async def _recall(self, parties: Sequence[Party]) -> dict[Party, Memory]:
        recalled: dict[Party, Memory] = {}
        for shape in dict.fromkeys(party.shape for party in parties):
            alike = [party for party in parties if party.shape == shape]
            shared = moments_at(self._clock())
            found = await self._read(reading(shape), [party.brings() for party in alike], shared)
            recalled |= {party: self._memory_in(shape, written) for party, written in zip(alike, found, strict=True)}
        return recalled

    def _memory_in(self, shape: Shape, written: Written) -> Memory:
        now = self._clock()
        if not timedelta() <= now - self._kept_since < KEPT:
            self._remembered.cache_clear()
            self._kept_since = now
        is_short = sum(map(len, written)) <= MOST_WORDS
        return (self._remembered if is_short else _remembered)(shape, written)

    async def _read(
        self, asked: Reading, readings: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]
    ) -> list[Written]:
        values = {"asked": as_asked(self._database.dialect, readings), **shared}
        async with self._engine.connect() as connection:
            if self._database.dialect == "postgresql":
                rows = await fetch_alone(connection, asked.text, [values[name] for name in asked.names])
            else:
                rows = list((await connection.execute(asked.statement, values)).all())
        return [tuple(row[1:]) for row in sorted(rows, key=lambda row: int(row[0]))]


class ResumeRepository:
    """What is on record here, read for one resume. Never writes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def carrying(self, identifier_id: UUID, reader: Reader) -> list[Reached]:
        """The traces that carry the identifier and that the reader may see; one more than are looked at."""
        visible = carrying(identifier_id).where(*_visible_trace(reader))
        rows = (await self._session.execute(visible)).all()
        return [_reached(identifier_id, *row) for row in rows]

    async def survivors(self, customer_ids: Iterable[UUID]) -> dict[UUID, UUID]:
        """Who absorbed whom, to the end of the chain; customers that stand for themselves are left out."""
        survivors: dict[UUID, UUID] = {}
        asked = set(customer_ids)
        for _ in range(MOST_HOPS):
            if not asked:
                break
            absorbed = sa.select(customer.c.customer_id, customer.c.merged_into).where(
                customer.c.customer_id.in_(asked), customer.c.merged_into.is_not(None)
            )
            rows = (await self._session.execute(absorbed)).all()
            survivors |= {row.customer_id: row.merged_into for row in rows}
            asked = {row.merged_into for row in rows} - survivors.keys()
        return {absorbed: _end_of(absorbed, survivors) for absorbed in survivors}

    async def existing(self, customer_id: UUID) -> UUID | None:
        """The customer of that id, or who absorbed him; None where we never heard of one."""
        known = sa.select(customer.c.merged_into).where(
            customer.c.customer_id == customer_id, customer.c.state != "erased"
        )
        traced = sa.select(trace.c.trace_id).where(trace.c.customer_id == customer_id)
        found = (
            await self._session.execute(sa.select(sa.exists(known), sa.exists(traced), known.scalar_subquery()))
        ).one()
        if found[2] is not None:
            return _survivor(customer_id, await self.survivors({customer_id}))
        return customer_id if found[0] or found[1] else None

    async def candidates(self, customer_ids: Sequence[UUID]) -> list[Candidate]:
        """What helps an agent to choose: names, and the last contact with each."""
        if not customer_ids:
            return []
        profiles = sa.select(part.c.customer_id, part.c.body).where(
            part.c.customer_id.in_(customer_ids), part.c.source == PROFILE
        )
        said: dict[UUID, Any] = {row.customer_id: row.body for row in (await self._session.execute(profiles)).all()}
        last: dict[UUID, LastContact] = {}
        for row in (await self._session.execute(_last_contacts(customer_ids))).all():
            last.setdefault(row.customer_id, LastContact(row.occurred_at, row.channel, row.kind, row.topic))
        return [
            _candidate(customer_id, said.get(customer_id, {}), last.get(customer_id)) for customer_id in customer_ids
        ]

    async def names_of(self, customer_ids: Collection[UUID]) -> dict[UUID, str | None]:
        """How those of them are called whom identity has told of, and the use of whose data is not restricted."""
        wishes = part.alias("wishes")
        restricted = sa.exists().where(
            wishes.c.customer_id == part.c.customer_id,
            wishes.c.source == CONTACT,
            wishes.c.body["restricted"].as_boolean(),
        )
        told = sa.select(part.c.customer_id, part.c.body["display_name"].as_string().label("display_name")).where(
            part.c.customer_id.in_(customer_ids), part.c.source == PROFILE, ~restricted
        )
        return {row.customer_id: row.display_name for row in (await self._session.execute(told)).all()}

    async def accounts_on(self, customer_id: UUID, identifier_ids: Iterable[UUID], reader: Reader) -> set[UUID]:
        """Which of the identifiers lie on traces that the reader may see."""
        on_trace = sa.select(trace_identifier.c.identifier_id).join(
            trace, trace.c.trace_id == trace_identifier.c.trace_id
        )
        wanted = on_trace.where(
            trace.c.customer_id == customer_id, trace_identifier.c.identifier_id.in_(list(identifier_ids))
        )
        rows = (await self._session.execute(wanted.where(*_visible_trace(reader)))).all()
        return {row.identifier_id for row in rows}


# --- the lookup -------------------------------------------------------------------------------------------------------


def seen_by(reader: Reader, query: Any, touchpoint_id: Any) -> Any:
    """A query of what stands in contacts (`touchpoint_id`: the column that says in which), for what the reader may see of it."""
    if reader.internal:
        return query
    joined = query.join(touchpoint, touchpoint.c.touchpoint_id == touchpoint_id)
    joined = joined.join(trace, trace.c.trace_id == touchpoint.c.trace_id)
    return joined.where(touchpoint.c.state == "live", *shown_to(reader))


def shown_to(reader: Reader) -> list[Any]:
    """What the reader may see of live touchpoints, each joined with its trace: the rule of `for_reader`, for a query."""
    return [*_his_trace(reader), *meant_for(reader)]


def _visible_trace(reader: Reader) -> list[Any]:
    if not reader.restricted_to_partner:
        return _his_trace(reader)
    seen = sa.select(touchpoint.c.touchpoint_id).where(
        touchpoint.c.trace_id == trace.c.trace_id, touchpoint.c.state == "live", *meant_for(reader)
    )
    return [sa.exists(seen)]


def _his_trace(reader: Reader) -> list[Any]:
    if reader.view != "customer":
        return []
    own = [trace.c.customer_id == reader.customer_id] if reader.bound else []
    return [trace.c.proof.in_(sorted(PROVEN)), *own]


def meant_for(reader: Reader) -> list[Any]:
    """What of a party's live touchpoints is meant for the reader, whoever's its traces are."""
    conditions: list[Any] = [] if reader.internal else [touchpoint.c.visibility == "customer"]
    if reader.restricted_to_partner:
        unnamed = sa.and_(touchpoint.c.partner.is_(None), touchpoint.c.source == reader.source)
        conditions.append(
            sa.or_(touchpoint.c.partner == reader.partner, unnamed if reader.source is not None else sa.false())
        )
    return conditions


def _survivor(customer_id: UUID | None, survivors: Mapping[UUID, UUID]) -> UUID | None:
    return customer_id if customer_id is None else survivors.get(customer_id, customer_id)


def _end_of(absorbed: UUID, survivors: Mapping[UUID, UUID]) -> UUID:
    for _ in range(MOST_HOPS):
        if absorbed not in survivors:
            break
        absorbed = survivors[absorbed]
    return absorbed


# --- rows to values ---------------------------------------------------------------------------------------------------


def _reached(
    identifier_id: UUID,
    scheme: str,
    trace_id: UUID,
    customer_id: UUID | None,
    revision: int,
    proof: str | None,
    merged_into: object,
) -> Reached:
    return Reached(identifier_id, scheme, trace_id, customer_id, revision, proof, merged_into is not None)


def _read_id(text: str | None) -> UUID | None:
    return None if text is None else _id(text)


def _remembered(shape: Shape, written: Written) -> Memory:
    """What the database wrote of a party. Whoever is read again in the very same words is not taken apart again."""
    return _memory(reading(shape).read(written))


def _memory(sections: Sections) -> Memory:
    contacts = [*sections["recent"], *sections["rare"], *sections.get("shown", [])]
    known = {row[0]: Touchpoint._make(row) for row in contacts}
    key_account, since = next(iter(sections.get("customers", [])), (False, None))
    return Memory(
        traces=tuple(Trace(*row) for row in sections.get("traces", [])),
        touchpoints=tuple(known.values()),
        threads=tuple(Thread(*row) for row in sections["threads"]),
        commitments=tuple(Commitment(*row) for row in sections["commitments"]),
        cases=tuple(_case(row) for row in sections["cases"]),
        outbound=tuple(row[0] for row in sections.get("outbound", [])),
        parts={row[1]: Part(_id(row[0]), *row[1:]) for row in sections.get("parts", [])},
        moments=tuple(FailedMoment(_id(row[0]), _id(row[1]), *row[2:]) for row in sections.get("moments", [])),
        key_account=key_account,
        since=since,
        linked=bool(sections.get("linked")),
    )


def _case(row: Sequence[Any]) -> CaseFile:
    move, at, by, text = row[-4:]
    step = {"move": move, "at": at, "by": by, "text": text}
    return CaseFile(*(*row[:-4], step if move is not None else None))


def _last_contacts(customer_ids: Sequence[UUID]) -> Any:
    """The last contact on each trace of the customers, the latest first."""
    newest = (
        sa.select(touchpoint.c.touchpoint_id)
        .where(touchpoint.c.trace_id == trace.c.trace_id, touchpoint.c.state == "live")
        .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
        .limit(1)
        .correlate(trace)
        .scalar_subquery()
    )
    each = (
        sa.select(trace.c.customer_id, newest.label("touchpoint_id"))
        .where(trace.c.customer_id.in_(customer_ids))
        .subquery("each")
    )
    told = [touchpoint.c[name] for name in ("occurred_at", "channel", "kind", "topic")]
    return (
        sa.select(each.c.customer_id, *told)
        .select_from(each.join(touchpoint, touchpoint.c.touchpoint_id == each.c.touchpoint_id))
        .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
    )


def _candidate(customer_id: UUID, profile: Mapping[str, Any], last: LastContact | None) -> Candidate:
    return Candidate(customer_id, profile.get("preferred_name"), profile.get("display_name"), last)
