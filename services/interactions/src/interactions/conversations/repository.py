"""Every query of the threads. Takes and gives domain values; never commits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, among_given, find_rows, insert_columns, insert_rows, reassign
from interactions.commitments.models import commitment
from interactions.conversations.domain import (
    Act,
    Entry,
    History,
    Placed,
    Thread,
    Threads,
    UnknownConversation,
    state_of,
)
from interactions.conversations.models import conversation, conversation_act, conversation_entry, conversation_reference
from interactions.resume.domain import Reader
from interactions.resume.repository import shown_to
from interactions.touchpoints.models import touchpoint, trace

OWED = ("open", "late")
MANY = 50  # opened threads, from which on a statement of their own costs less than that it is looked whether they are there


class ConversationRepository:
    """Threads, their entries, and what people did to them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def holding(self, touchpoint_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, UUID]]:
        """Touchpoint -> (conversation, party). A conversation's id is that of a touchpoint in it."""
        rows = await find_rows(self._session, conversation_entry, _HELD, {"touchpoint_id": list(touchpoint_ids)})
        return {row.touchpoint_id: (row.conversation_id, row.party_id) for row in rows}

    async def matched_by(self, touchpoint_id: UUID) -> str | None:
        c = conversation_entry.c
        return await self._session.scalar(select(c.matched_by).where(c.touchpoint_id == touchpoint_id))

    async def threads(self, entries: Mapping[UUID, Sequence[Entry]], *, window: timedelta) -> dict[UUID, Threads]:
        """What each party's entries may join: its open threads, those of their topics, and those that they name."""
        loaded = {party: Threads(window) for party in entries}
        every = [entry for some in entries.values() for entry in some]
        topics = dict.fromkeys((party, entry.topic or "") for party, some in entries.items() for entry in some)
        keys: dict[str, list[Any]] = {
            "party_id": [party for party, _ in topics],
            "topic": [topic for _, topic in topics],
        }
        rows = await find_rows(self._session, conversation, _ROW, keys, where=_OPEN_OR_OF_TOPIC)
        found = {row.conversation_id: row for row in rows}
        named = await self.holding(
            {e.continues for e in every if e.continues} | {e.corrects for e in every if e.corrects}
        )
        references = await self._references(
            [
                (party, r)
                for party, some in entries.items()
                for r in dict.fromkeys(r for e in some for r in e.references)
            ]
        )
        missing = {one for one, _ in named.values()} | {row.conversation_id for row in references}
        others = await find_rows(self._session, conversation, _ROW, {"conversation_id": list(missing - found.keys())})
        found |= {row.conversation_id: row for row in others}
        _fill(loaded, found.values(), named, references)
        return loaded

    async def _references(self, named: Sequence[tuple[UUID, str]]) -> list[Any]:
        asked: dict[str, list[Any]] = {
            "party_id": [party for party, _ in named],
            "reference": [reference for _, reference in named],
        }
        return await find_rows(self._session, conversation_reference, _REFERENCE, asked)

    async def join(self, placed: Mapping[UUID, Sequence[Placed]]) -> None:
        """Write which touchpoint went into which thread, by party."""
        every = [one for some in placed.values() for one in some]
        parties = [party for party, some in placed.items() for _ in some]
        entries: dict[str, list[Any]] = {
            "touchpoint_id": [one.entry.touchpoint_id for one in every],
            "conversation_id": [one.conversation_id for one in every],
            "party_id": parties,
            "matched_by": [one.matched_by for one in every],
        }
        await insert_columns(self._session, conversation_entry, entries)
        references: dict[tuple[UUID, str], UUID] = {}
        for party, one in zip(parties, every, strict=True):
            for reference in one.entry.references if one.entry.live else ():
                references.setdefault((party, reference), one.conversation_id)
        rows = [{"party_id": p, "reference": r, "conversation_id": c} for (p, r), c in sorted(references.items())]
        await insert_rows(self._session, conversation_reference, rows, on_conflict="nothing")

    async def save(self, threads: Mapping[UUID, Collection[Thread]], *, opened: Collection[UUID] = frozenset()) -> None:
        """Write the threads of each party as they stand; whose turn it is depends on the promises still open in them.

        `opened` are those that cannot be on record yet.
        """
        every = [(party, thread) for party, some in threads.items() for thread in some]
        owed = await self.promises_in({t.conversation_id for _, t in every if t.posture == "customer"})
        if len(opened) > MANY:
            new = [one for one in every if one[1].conversation_id in opened]
            every = [one for one in every if one[1].conversation_id not in opened]
            await insert_columns(self._session, conversation, _columns(new, owed))
        await insert_columns(self._session, conversation, _columns(every, owed), on_conflict=_CHANGES)

    async def promises_in(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        """How many promises of the company are still open in each thread."""
        if not conversation_ids:
            return {}
        rows = await self._session.execute(_PROMISES, {"threads": list(conversation_ids)})
        return {row.conversation_id: row.owed for row in rows.all()}

    async def restate(self, touchpoint_ids: Collection[UUID]) -> None:
        """A promise made in these touchpoints was kept, waived or taken back: say whose turn it is now."""
        if not touchpoint_ids:
            return
        held = {one for one, _ in (await self.holding(touchpoint_ids)).values()}
        owed = await self.promises_in(held)
        c = conversation.c
        for row in await self._in(select(c.conversation_id, c.posture, c.state), c.conversation_id, held):
            state = state_of(row.posture, promises=owed.get(row.conversation_id, 0))
            if state != row.state:
                await self._session.execute(
                    update(conversation).where(c.conversation_id == row.conversation_id).values(state=state)
                )

    async def spoken(self, trace_ids: Collection[UUID]) -> set[UUID]:
        """Those of the traces that have touchpoints."""
        c = touchpoint.c
        return {row.trace_id for row in await self._in(select(c.trace_id).distinct(), c.trace_id, trace_ids)}

    async def history(self, trace_ids: Collection[UUID]) -> History:
        """All touchpoints of the traces, as the fold sees them, and all that people did to their threads."""
        entries: dict[UUID, list[Entry]] = {}
        backfill: set[UUID] = set()
        t = touchpoint.c
        for row in await self._in(select(t.trace_id, t.backfill, *_FOLDED), t.trace_id, trace_ids):
            entries.setdefault(row.trace_id, []).append(_entry(row))
            if row.backfill:
                backfill.add(row.touchpoint_id)
        acts: dict[UUID, list[Act]] = {}
        c = conversation_act.c
        for row in await self._in(select(c.trace_id, c.act_id, c.touchpoint_id, c.act, c.at), c.trace_id, trace_ids):
            acts.setdefault(row.trace_id, []).append(Act(row.act_id, row.touchpoint_id, row.act, row.at))
        return History(entries, acts, frozenset(backfill))

    async def rename(self, renamed: Mapping[UUID, UUID]) -> None:
        """All that was one party's is now another's, unchanged."""
        for table in (conversation, conversation_entry, conversation_reference):
            await reassign(self._session, table, "party_id", renamed)

    async def clear(self, party_ids: Collection[UUID], touchpoint_ids: Collection[UUID]) -> None:
        """Drop the threads of the parties, and whatever still holds the touchpoints, before they are computed anew."""
        for table in (conversation, conversation_entry, conversation_reference):
            await self._delete(table, table.c.party_id, party_ids)
        await self._delete(conversation_entry, conversation_entry.c.touchpoint_id, touchpoint_ids)
        await self._delete(conversation, conversation.c.conversation_id, touchpoint_ids)

    async def add_act(self, act: Act, *, trace_id: UUID, by: str, reason: str) -> None:
        row = {**vars(act), "trace_id": trace_id, "by": by, "reason": reason}
        await insert_rows(self._session, conversation_act, [row])

    async def get(self, any_touchpoint_id: UUID) -> Any:
        """The thread that holds a touchpoint now; a corrected one leads to the version after it. Raises UnknownConversation."""
        at: UUID | None = any_touchpoint_id
        for _ in range(50):
            if at is None:
                break
            held = await self.holding([at])
            later = await self._session.scalar(
                select(touchpoint.c.corrected_by).where(touchpoint.c.touchpoint_id == at)
            )
            if held and (row := await self._row(held[at][0])) is not None and (row["entries"] or later is None):
                return row
            at = later
        raise UnknownConversation

    async def entries(
        self, conversation_id: UUID, reader: Reader, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Any]:
        """The touchpoints of a thread that the reader may see, with the rule by which each joined, the latest first."""
        t = touchpoint.c
        query = _contacts(conversation_id, reader, touchpoint, conversation_entry.c.matched_by)
        query = query.order_by(*_LATEST_FIRST).limit(limit)
        if after is not None:
            query = query.where(tuple_(t.occurred_at, t.touchpoint_id) < tuple_(*after))
        return list((await self._session.execute(query)).mappings().all())

    async def told(self, conversation_id: UUID, reader: Reader) -> list[Any]:
        """What every touchpoint of a thread that the reader may see says of where it stands, the latest first."""
        query = _contacts(conversation_id, reader, *(touchpoint.c[name] for name in _TOLD))
        return list((await self._session.execute(query.order_by(*_LATEST_FIRST))).all())

    async def references(self, conversation_id: UUID, reader: Reader) -> list[str]:
        """What the contacts of a thread that the reader may see speak of, an invoice or an order, in the order of recording; each once."""
        query = _contacts(conversation_id, reader, touchpoint.c.references).order_by(touchpoint.c.position)
        return list(dict.fromkeys(one for some in await self._session.scalars(query) for one in some))

    async def _row(self, conversation_id: UUID) -> Any:
        query = select(conversation).where(conversation.c.conversation_id == conversation_id)
        return (await self._session.execute(query)).mappings().one_or_none()

    async def _delete(self, table: Any, column: Any, values: Collection[UUID]) -> None:
        if values:
            await self._session.execute(delete(table).where(among(column, values)))

    async def _in(self, query: Any, column: Any, values: Collection[UUID]) -> list[Any]:
        return list((await self._session.execute(query.where(among(column, values)))).all()) if values else []


_NAMES = tuple(each.name for each in fields(Thread))
_HELD = ("touchpoint_id", "conversation_id", "party_id")
_REFERENCE = ("party_id", "reference", "conversation_id")
_ROW = ("party_id", *_NAMES)  # in the order of a Thread's fields
_OPEN_OR_OF_TOPIC = "t.party_id = k.party_id AND (t.state <> 'closed' OR t.topic = k.topic)"
_PROMISES = (
    select(conversation_entry.c.conversation_id, func.count().label("owed"))
    .join(commitment, commitment.c.touchpoint_id == conversation_entry.c.touchpoint_id)
    .where(
        commitment.c.by == "company",
        or_(*(commitment.c.state == state for state in OWED)),
        among_given(conversation_entry.c.conversation_id, "threads"),
    )
    .group_by(conversation_entry.c.conversation_id)
)
_CHANGES = {name: f'excluded."{name}"' for name in (*_NAMES, "party_id", "state") if name != "conversation_id"}
_ENTRY = (
    "touchpoint_id", "position", "kind", "channel", "direction", "occurred_at", "site", "topic", "outcome",
    "visibility", "summary", "stop_point", "next_step", "references", "continues", "corrects",
)  # fmt: skip
_LATEST_FIRST = (touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
_TOLD = ("touchpoint_id", "occurred_at", "channel", "site", "topic", "summary", "stop_point", "next_step")
_FOLDED = tuple(touchpoint.c[name] for name in (*_ENTRY, "state"))


def _contacts(conversation_id: UUID, reader: Reader, *columns: Any) -> Any:
    """The live touchpoints of a thread that the reader may see: looked for before they are paged, or a page would be empty."""
    e, t = conversation_entry.c, touchpoint.c
    return (
        select(*columns)
        .select_from(touchpoint)
        .join(conversation_entry, e.touchpoint_id == t.touchpoint_id)
        .outerjoin(trace, trace.c.trace_id == t.trace_id)
        .where(e.conversation_id == conversation_id, t.state == "live", *shown_to(reader))
    )


def _fill(
    loaded: Mapping[UUID, Threads],
    rows: Collection[Any],
    named: Mapping[UUID, tuple[UUID, UUID]],
    references: Sequence[Any],
) -> None:
    for row in rows:
        if row.party_id in loaded:
            _, *values = row
            loaded[row.party_id].threads[row.conversation_id] = Thread(*values)
    for touchpoint_id, (conversation_id, party) in named.items():
        if party in loaded:
            loaded[party].where[touchpoint_id] = conversation_id
    for row in references:
        loaded[row.party_id].by_reference[row.reference] = row.conversation_id


def _columns(threads: Sequence[tuple[UUID, Thread]], owed: Mapping[UUID, int]) -> dict[str, list[Any]]:
    return {
        **{name: [getattr(thread, name) for _, thread in threads] for name in _NAMES},
        "party_id": [party for party, _ in threads],
        "state": [state_of(t.posture, promises=owed.get(t.conversation_id, 0)) for _, t in threads],
    }


def _entry(row: Any) -> Entry:
    values = {name: getattr(row, name) for name in _ENTRY}
    return Entry(**{**values, "references": tuple(values["references"]), "live": row.state == "live"})
