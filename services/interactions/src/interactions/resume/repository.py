"""Every query of the resume: whom the identifiers reach, and all that is on record of him. Never writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from interactions.parts.domain import PROFILE, FailedMoment, Part
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
from interactions.resume.sections import Dialect, Sections
from interactions.resume.statements import RECENT, Shape, deep_reading, reading, values_of
from interactions.touchpoints.models import customer, touchpoint, trace, trace_identifier

MOST_HOPS = 16  # of absorbed customers


class ResumeRepository:
    """What is on record here, read for one resume. Never writes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._dialect: Dialect = "sqlite" if session.get_bind().dialect.name == "sqlite" else "postgresql"

    async def open(self) -> None:
        """Each statement by itself: reading needs no transaction, and BEGIN and ROLLBACK are two round trips of four."""
        if self._dialect == "postgresql":
            await self._session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})

    async def reached_by(self, identifier_ids: Iterable[UUID], reader: Reader) -> tuple[list[Reached], bool]:
        """The traces that carry the identifiers, with their customers as they are now, and whether there are more.

        A bound reader reaches by what he may see only: else an answer would tell him that the identifier is somebody's.
        """
        ids = list(identifier_ids)
        if not ids:
            return [], False
        carrying = _CARRYING.where(*_visible_trace(reader)) if reader.bound else _CARRYING
        rows = [row for each in ids for row in (await self._session.execute(carrying, {"identifier": each})).all()]
        counts: dict[UUID, int] = {}
        found: list[Reached] = []
        for row in rows:
            counts[row.identifier_id] = counts.get(row.identifier_id, 0) + 1
            if counts[row.identifier_id] <= MOST_TRACES:
                found.append(Reached(*row[:6]))
        survivors = await self.survivors({row.customer_id for row in rows if row.merged_into is not None})
        present = [
            Reached(t.identifier_id, t.scheme, t.trace_id, _survivor(t.customer_id, survivors), t.revision, t.proof)
            for t in found
        ]
        return present, any(count > MOST_TRACES for count in counts.values())

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

    async def remember(self, who: Who, reader: Reader, *, now: datetime) -> Memory:
        """All that is on record of the party, before `for_reader` takes out what is not for this reader."""
        if who.customer_id is None and not who.anonymous:
            return Memory()
        shape = Shape(
            dialect=self._dialect,
            scope="traces" if who.customer_id is None else "customer",
            meant_for_customer=not reader.internal,
            proven=reader.view == "customer",
            through_partner=reader.restricted_to_partner,
        )
        asked = reading(shape)
        row = (await self._session.execute(asked.statement, values_of(shape, who, reader, now))).one()
        memory = _memory(asked.read(row))
        return memory if len(memory.touchpoints) < RECENT else await self._deeper(memory, shape, who, reader, now)

    async def _deeper(self, memory: Memory, shape: Shape, who: Who, reader: Reader, now: datetime) -> Memory:
        """With a long history, his purchases, offers and forms may lie behind his latest contacts."""
        asked = deep_reading(shape)
        row = (await self._session.execute(asked.statement, values_of(shape, who, reader, now))).one()
        deeper = (Touchpoint(**found) for section in asked.read(row).values() for found in section)
        known = {contact.touchpoint_id: contact for contact in (*memory.touchpoints, *deeper)}
        return replace(memory, touchpoints=tuple(known.values()))

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


_CARRYING = (
    sa.select(
        trace_identifier.c.identifier_id,
        trace_identifier.c.scheme,
        trace.c.trace_id,
        trace.c.customer_id,
        trace.c.revision,
        trace.c.proof,
        customer.c.merged_into,
    )
    .select_from(trace_identifier)
    .join(trace, trace.c.trace_id == trace_identifier.c.trace_id)
    .outerjoin(customer, customer.c.customer_id == trace.c.customer_id)
    .where(trace_identifier.c.identifier_id == sa.bindparam("identifier"))
    .order_by(trace_identifier.c.trace_id)
    .limit(MOST_TRACES + 1)
)


def _visible_trace(reader: Reader) -> list[Any]:
    if reader.view == "customer":
        return [
            trace.c.proof.in_(sorted(PROVEN)),
            *([trace.c.customer_id == reader.customer_id] if reader.bound else []),
        ]
    if not reader.restricted_to_partner:
        return []
    unnamed = sa.and_(touchpoint.c.partner.is_(None), touchpoint.c.source == reader.source)
    through = sa.or_(touchpoint.c.partner == reader.partner, unnamed if reader.source is not None else sa.false())
    seen = sa.select(touchpoint.c.touchpoint_id).where(
        touchpoint.c.trace_id == trace.c.trace_id,
        touchpoint.c.state == "live",
        touchpoint.c.visibility == "customer",
        through,
    )
    return [sa.exists(seen)]


def _survivor(customer_id: UUID | None, survivors: Mapping[UUID, UUID]) -> UUID | None:
    return customer_id if customer_id is None else survivors.get(customer_id, customer_id)


def _end_of(absorbed: UUID, survivors: Mapping[UUID, UUID]) -> UUID:
    for _ in range(MOST_HOPS):
        if absorbed not in survivors:
            break
        absorbed = survivors[absorbed]
    return absorbed


# --- rows to values ---------------------------------------------------------------------------------------------------


def _memory(sections: Sections) -> Memory:
    known = {
        found["touchpoint_id"]: Touchpoint(**found) for found in [*sections["touchpoints"], *sections.get("shown", [])]
    }
    about = next(iter(sections.get("customers", [])), {})
    return Memory(
        traces=tuple(Trace(**found) for found in sections["traces"]),
        touchpoints=tuple(known.values()),
        threads=tuple(Thread(**found) for found in sections["threads"]),
        commitments=tuple(Commitment(**found) for found in sections["commitments"]),
        cases=tuple(_case(found) for found in sections["cases"]),
        outbound=tuple(found["occurred_at"] for found in sections.get("outbound", [])),
        parts={found["source"]: Part(**found) for found in sections.get("parts", [])},
        moments=tuple(FailedMoment(**found) for found in sections.get("moments", [])),
        key_account=bool(about.get("key_account")),
        since=about.get("since"),
    )


def _case(found: dict[str, Any]) -> CaseFile:
    step = {name: found.pop(f"step_{name}") for name in ("move", "at", "by", "text")}
    return CaseFile(**found, last_step=step if step["move"] is not None else None)


def _last_contacts(customer_ids: Sequence[UUID]) -> Any:
    """The last contact on each trace of the customers, the latest first."""
    newest = (
        sa.select(touchpoint.c.touchpoint_id)
        .where(touchpoint.c.trace_id == trace.c.trace_id, touchpoint.c.state == "live")
        .order_by(touchpoint.c.occurred_at.desc())
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
        .order_by(touchpoint.c.occurred_at.desc())
    )


def _candidate(customer_id: UUID, profile: Mapping[str, Any], last: LastContact | None) -> Candidate:
    return Candidate(customer_id, profile.get("preferred_name"), profile.get("display_name"), last)
