"""Every query of the resume. Two statements: whom the identifiers reach, and all that is on record of him.

The second asks for each section by a scalar subquery that gives JSON, so that one round trip brings them all. Its text is
compiled once for each shape; a statement built anew at every reading would cost more than the database takes to answer it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal, TypeVar
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from common.db import UtcDateTime
from interactions.cases.models import case_file, case_step
from interactions.commitments.models import commitment
from interactions.contact.domain import CONTACTS
from interactions.conversations.models import conversation, conversation_entry
from interactions.parts.domain import FailedMoment, Part
from interactions.parts.models import failed_moment, part
from interactions.resume.domain import (
    MOST_CANDIDATES,
    MOST_TRACES,
    PROVEN,
    Candidate,
    CaseFile,
    Commitment,
    Memory,
    Reached,
    Reader,
    Thread,
    Touchpoint,
    Trace,
    Who,
)
from interactions.touchpoints.models import customer, touchpoint, trace, trace_identifier

RECENT = 60
GROUPS = {
    "purchases": (("purchase",), 5),
    "offers": (("campaign_send", "campaign_response", "quote"), 20),
    "forms": (("web",), 10),
}
MOST_THREADS = 50
MOST_OWED = 100
MOST_MOMENTS = 10
MOST_OUTBOUND = 200
MOST_HOPS = 16  # of absorbed customers
OWED = ("open", "late", "broken")
OPEN_CASE = ("received", "answered", "reopened")
REMEMBERED = timedelta(days=90)  # how long a failed moment of truth is an alert
LONGEST_WINDOW = timedelta(days=400)

Dialect = Literal["sqlite", "postgresql"]
Scope = Literal["customer", "traces"]
T = TypeVar("T")


@dataclass(frozen=True)
class Shape:
    """What makes one compiled statement differ from another."""

    dialect: Dialect
    scope: Scope  # all traces of a customer, or the traces named
    meant_for_customer: bool  # nothing internal
    proven: bool  # only traces that are his by attestation or a person's decision
    through_partner: bool


class ResumeRepository:
    """What is on record here, read for one resume. Never writes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._dialect: Dialect = "sqlite" if session.get_bind().dialect.name == "sqlite" else "postgresql"

    async def reached_by(self, identifier_ids: Iterable[UUID], reader: Reader) -> tuple[list[Reached], bool]:
        """The traces that carry the identifiers, with their customers as they are now, and whether there are more.

        A bound reader reaches by what he may see only: else an answer would tell him that the identifier is somebody's.
        """
        ids = list(identifier_ids)
        if not ids:
            return [], False
        looked_up = sa.union_all(*(_carrying(identifier, reader) for identifier in ids))
        rows = (await self._session.execute(looked_up)).all()
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
        known = sa.select(customer.c.merged_into).where(customer.c.customer_id == customer_id)
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
        reading = _reading(shape)
        row = (await self._session.execute(reading.statement, _values(shape, who, reader, now))).one()
        sections = {name: reading.rows(name, raw) for name, raw in zip(reading.sections, row, strict=True)}
        memory = _memory(sections)
        return memory if len(memory.touchpoints) < RECENT else await self._deeper(memory, shape, who, reader, now)

    async def _deeper(self, memory: Memory, shape: Shape, who: Who, reader: Reader, now: datetime) -> Memory:
        """With a long history, his purchases, offers and forms may lie behind his latest contacts."""
        reading = _deep_reading(shape)
        row = (await self._session.execute(reading.statement, _values(shape, who, reader, now))).one()
        known = {contact.touchpoint_id: contact for contact in memory.touchpoints}
        for name, raw in zip(reading.sections, row, strict=True):
            for found in reading.rows(name, raw):
                contact = Touchpoint(**found)
                known.setdefault(contact.touchpoint_id, contact)
        changes: dict[str, Any] = {field.name: getattr(memory, field.name) for field in fields(memory)}
        return Memory(**changes | {"touchpoints": tuple(known.values())})

    async def candidates(self, customer_ids: Sequence[UUID]) -> list[Candidate]:
        """What helps an agent to choose: names, and the last contact with each."""
        shape = Shape(self._dialect, "customer", meant_for_customer=False, proven=False, through_partner=False)
        reading = _candidate_reading(shape)
        found = []
        for customer_id in customer_ids[:MOST_CANDIDATES]:
            row = (await self._session.execute(reading.statement, {"customer": customer_id})).one()
            sections = {name: reading.rows(name, raw) for name, raw in zip(reading.sections, row, strict=True)}
            found.append(_candidate(customer_id, sections))
        return found

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


def _carrying(identifier: UUID, reader: Reader) -> Any:
    carrying = (
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
        .where(trace_identifier.c.identifier_id == identifier)
        .where(*(_visible_trace(reader) if reader.bound else ()))
        .order_by(trace_identifier.c.trace_id)
        .limit(MOST_TRACES + 1)
    )
    return sa.select(carrying.subquery())


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


# --- what is on record, in one statement ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A compiled statement whose columns are sections, each an array of JSON objects."""

    statement: sa.TextClause
    sections: tuple[str, ...]
    readers: Mapping[str, Mapping[str, Callable[[Any], Any]]]

    def rows(self, section: str, raw: str) -> list[dict[str, Any]]:
        read = self.readers[section]
        return [{name: read[name](value) for name, value in row.items()} for row in orjson.loads(raw)]


def _values(shape: Shape, who: Who, reader: Reader, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"since": now - LONGEST_WINDOW, "remembered": now - REMEMBERED}
    if shape.scope == "customer":
        values["customer"] = who.customer_id
    else:
        values["traces"] = list(who.anonymous)
        if shape.dialect == "sqlite":
            values["traces"] = orjson.dumps([trace_id.hex for trace_id in who.anonymous]).decode()
    if shape.through_partner:
        values |= {"partner": reader.partner, "source": reader.source}
    return values


@cache
def _reading(shape: Shape) -> Reading:
    sections = {
        "traces": _traces(shape),
        "touchpoints": _latest(shape, limit=RECENT),
        "threads": _threads(shape),
        "commitments": _commitments(shape),
        "cases": _cases(shape),
        "outbound": _outbound(shape),
    }
    if shape.meant_for_customer:
        sections["shown"] = _last_shown(shape)
    if shape.scope == "customer":
        sections |= {"parts": _parts(), "customers": _customers()}
    if not shape.meant_for_customer:
        sections["moments"] = _moments(shape)
    return _compiled(shape, sections)


@cache
def _deep_reading(shape: Shape) -> Reading:
    return _compiled(shape, {name: _latest(shape, kinds=kinds, limit=limit) for name, (kinds, limit) in GROUPS.items()})


@cache
def _candidate_reading(shape: Shape) -> Reading:
    return _compiled(shape, {"touchpoints": _latest(shape, limit=1), "parts": _parts()})


_GIVEN: dict[str, Any] = {
    "customer": sa.Uuid(),
    "partner": sa.String(),
    "source": sa.String(),
    "since": UtcDateTime(),
    "remembered": UtcDateTime(),
}
_TRACES: dict[Dialect, Any] = {"postgresql": postgresql.ARRAY(sa.Uuid()), "sqlite": sa.Text()}


def _given(name: str) -> Any:
    """A value that each reading brings; everything else is part of the statement's text."""
    return sa.literal_column(f":{name}")


def _mine(shape: Shape) -> sa.Subquery:
    """The traces that count for this reading."""
    if shape.scope == "customer":
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.customer_id == _given("customer"))
    else:
        named = _named_traces(shape.dialect)
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.trace_id.in_(named))
    if shape.proven:
        mine = mine.where(trace.c.proof.in_(sorted(PROVEN)))
    return mine.subquery("mine")


def _named_traces(dialect: Dialect) -> Any:
    if dialect == "postgresql":
        array = _given("traces")
        return sa.select(sa.func.unnest(array).table_valued("trace_id").render_derived().c.trace_id)
    return sa.select(sa.func.json_each(_given("traces")).table_valued("value").c.value)


_TOUCHPOINT = [touchpoint.c[field.name] for field in fields(Touchpoint) if field.name != "conversation_id"]


def _latest(shape: Shape, *, limit: int, kinds: tuple[str, ...] = ()) -> Any:
    """The latest live touchpoints over all traces.

    On PostgreSQL the index gives each trace's latest, so that a long history costs no more than a short one.
    """
    mine = _mine(shape)
    newest = (
        sa.select(*_TOUCHPOINT)
        .where(touchpoint.c.state == "live", *_shown(shape, touchpoint))
        .where(*([touchpoint.c.kind.in_(kinds)] if kinds else []))
        .order_by(touchpoint.c.occurred_at.desc())
        .limit(limit)
    )
    if shape.dialect == "postgresql":
        each = newest.where(touchpoint.c.trace_id == mine.c.trace_id).correlate(mine).lateral("each")
        newest = (
            sa.select(*each.c).select_from(mine.join(each, sa.true())).order_by(each.c.occurred_at.desc()).limit(limit)
        )
    else:
        newest = newest.where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)))
    found = newest.subquery("found")
    return (
        sa.select(*found.c, conversation_entry.c.conversation_id)
        .select_from(found)
        .outerjoin(conversation_entry, conversation_entry.c.touchpoint_id == found.c.touchpoint_id)
        .order_by(found.c.occurred_at.desc(), found.c.recorded_at.desc())
    )


def _shown(shape: Shape, table: sa.Table) -> list[Any]:
    conditions: list[Any] = []
    if shape.meant_for_customer:
        conditions.append(table.c.visibility == "customer")
    if shape.through_partner:
        conditions.append(_through(touchpoint))
    return conditions


def _through(table: sa.Table) -> Any:
    # A null parameter equals nothing: a partner without a source is known by his name alone.
    unnamed = sa.and_(table.c.partner.is_(None), table.c.source == _given("source"))
    return sa.or_(table.c.partner == _given("partner"), unnamed)


def _traces(shape: Shape) -> Any:
    mine = _mine(shape)
    revision = sa.select(trace.c.revision).where(trace.c.trace_id == mine.c.trace_id).scalar_subquery()
    return sa.select(mine.c.trace_id, mine.c.proof, revision.label("revision"))


def _parties(shape: Shape) -> Any:
    if shape.scope == "customer":
        return conversation.c.party_id == _given("customer")
    return conversation.c.party_id.in_(_named_traces(shape.dialect))


def _open_threads(shape: Shape) -> Any:
    return (
        sa.select(*(conversation.c[field.name] for field in fields(Thread)))
        .where(_parties(shape), conversation.c.state != "closed", conversation.c.dialogue, conversation.c.entries > 0)
        .order_by(conversation.c.last_at.desc())
        .limit(MOST_THREADS)
    )


def _threads(shape: Shape) -> Any:
    return _open_threads(shape)


def _last_shown(shape: Shape) -> Any:
    """The last touchpoint of each open thread that may be shown, and the last that says where it stopped."""
    open_threads = _open_threads(shape).subquery("open_threads")
    entry = conversation_entry.alias("entry")
    told = sa.or_(touchpoint.c.stop_point.is_not(None), touchpoint.c.next_step.is_not(None))
    mine = _mine(shape)

    def last(*conditions: Any) -> Any:
        return (
            sa.select(touchpoint.c.touchpoint_id)
            .select_from(touchpoint)
            .join(entry, entry.c.touchpoint_id == touchpoint.c.touchpoint_id)
            .where(entry.c.conversation_id == open_threads.c.conversation_id, touchpoint.c.state == "live")
            .where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)), *_shown(shape, touchpoint), *conditions)
            .order_by(touchpoint.c.occurred_at.desc())
            .limit(1)
            .correlate(open_threads)
            .scalar_subquery()
        )

    ids = sa.union_all(
        sa.select(open_threads.c.conversation_id, last().label("touchpoint_id")),
        sa.select(open_threads.c.conversation_id, last(told).label("touchpoint_id")),
    ).subquery("ids")
    shown = touchpoint.join(ids, ids.c.touchpoint_id == touchpoint.c.touchpoint_id)
    return sa.select(*_TOUCHPOINT, ids.c.conversation_id).select_from(shown)


def _commitments(shape: Shape) -> Any:
    mine, source = _mine(shape), {"partner", "source"}
    owed = (
        sa.select(
            *(commitment.c[field.name] for field in fields(Commitment) if field.name not in source),
            touchpoint.c.partner,
            touchpoint.c.source,
        )
        .select_from(commitment.join(touchpoint, touchpoint.c.touchpoint_id == commitment.c.touchpoint_id))
        .where(commitment.c.trace_id.in_(sa.select(mine.c.trace_id)), commitment.c.state.in_(OWED))
        .order_by(commitment.c.due_at)
        .limit(MOST_OWED)
    )
    return owed.where(*_shown(shape, commitment))


def _cases(shape: Shape) -> Any:
    mine = _mine(shape)
    step, later = case_step.alias("step"), case_step.alias("later")
    last = (
        sa.select(later.c.step_id)
        .where(later.c.number == case_file.c.number)
        .order_by(later.c.step_id.desc())
        .limit(1)
        .correlate(case_file)
        .scalar_subquery()
    )
    return (
        sa.select(
            *(case_file.c[field.name] for field in fields(CaseFile) if field.name != "last_step"),
            step.c.move.label("step_move"),
            step.c.at.label("step_at"),
            step.c.by.label("step_by"),
            step.c.text.label("step_text"),
        )
        .select_from(case_file.outerjoin(step, step.c.step_id == last))
        .where(case_file.c.trace_id.in_(sa.select(mine.c.trace_id)), case_file.c.state.in_(OPEN_CASE))
        .order_by(case_file.c.occurred_at)
        .limit(MOST_OWED)
    )


def _outbound(shape: Shape) -> Any:
    mine = _mine(shape)
    return (
        sa.select(touchpoint.c.occurred_at)
        .where(
            touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)),
            touchpoint.c.occurred_at > _given("since"),
            touchpoint.c.direction == "outbound",
            touchpoint.c.kind.in_(CONTACTS),
            touchpoint.c.state == "live",
        )
        .order_by(touchpoint.c.occurred_at.desc())
        .limit(MOST_OUTBOUND)
    )


def _parts() -> Any:
    return sa.select(*(part.c[field.name] for field in fields(Part))).where(part.c.customer_id == _given("customer"))


def _customers() -> Any:
    return sa.select(customer.c.key_account, customer.c.since).where(customer.c.customer_id == _given("customer"))


def _moments(shape: Shape) -> Any:
    mine = _mine(shape)
    return (
        sa.select(*(failed_moment.c[field.name] for field in fields(FailedMoment)))
        .where(
            failed_moment.c.trace_id.in_(sa.select(mine.c.trace_id)),
            failed_moment.c.at > _given("remembered"),
            ~failed_moment.c.taken_back,
        )
        .order_by(failed_moment.c.at.desc())
        .limit(MOST_MOMENTS)
    )


# --- compiling --------------------------------------------------------------------------------------------------------


def _compiled(shape: Shape, sections: Mapping[str, Any]) -> Reading:
    columns = [_as_json(shape.dialect, selected, name).label(name) for name, selected in sections.items()]
    made: Any = postgresql.dialect() if shape.dialect == "postgresql" else sqlite.dialect()
    written = str(sa.select(*columns).compile(dialect=made, compile_kwargs={"literal_binds": True}))
    types = _GIVEN | {"traces": _TRACES[shape.dialect]}
    used = [name for name in types if re.search(rf"(?<!:):{name}\b", written)]
    statement = sa.text(written).bindparams(*(sa.bindparam(name, type_=types[name]) for name in used))
    readers = {
        name: {column.name: _reader_of(column.type) for column in selected.selected_columns}
        for name, selected in sections.items()
    }
    return Reading(statement, tuple(sections), readers)


def _as_json(dialect: Dialect, selected: Any, name: str) -> Any:
    inner = selected.subquery(f"in_{name}")
    if dialect == "postgresql":
        row = sa.func.to_jsonb(inner.table_valued())
        array = sa.func.coalesce(sa.func.jsonb_agg(row), sa.text("'[]'::jsonb"))
        return sa.select(sa.cast(array, sa.Text)).select_from(inner).scalar_subquery()
    pairs: list[Any] = []
    for column in inner.c:
        pairs += [sa.literal_column(f"'{column.name}'"), _plain(column)]
    return sa.select(sa.func.json_group_array(sa.func.json_object(*pairs))).select_from(inner).scalar_subquery()


def _plain(column: Any) -> Any:
    return sa.func.json(column) if isinstance(column.type, sa.JSON) else column


def _reader_of(kind: Any) -> Callable[[Any], Any]:
    """From a JSON value, as either database gives it, to ours."""
    if isinstance(kind, sa.Uuid):
        return _optional(UUID)
    if isinstance(kind, UtcDateTime):
        return _optional(_moment)
    if isinstance(kind, sa.Boolean):
        return _optional(bool)
    return _as_it_is


def _optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


def _as_it_is(value: Any) -> Any:
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


# --- rows to values ---------------------------------------------------------------------------------------------------

Sections = Mapping[str, list[dict[str, Any]]]


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
        outbound=tuple(found["occurred_at"] for found in sections["outbound"]),
        parts={found["source"]: Part(**found) for found in sections.get("parts", [])},
        moments=tuple(FailedMoment(**found) for found in sections.get("moments", [])),
        key_account=bool(about.get("key_account")),
        since=about.get("since"),
    )


def _case(found: dict[str, Any]) -> CaseFile:
    step = {name: found.pop(f"step_{name}") for name in ("move", "at", "by", "text")}
    return CaseFile(**found, last_step=step if step["move"] is not None else None)


def _candidate(customer_id: UUID, sections: Sections) -> Candidate:
    profile: dict[str, Any] = next((found["body"] for found in sections["parts"] if found["source"] == "identity"), {})
    last = next((Touchpoint(**found) for found in sections["touchpoints"]), None)
    return Candidate(customer_id, profile.get("preferred_name"), profile.get("display_name"), last)
