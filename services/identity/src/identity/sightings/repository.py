"""Every query on what was seen."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import Conflict, among, find_rows, insert_columns, insert_rows, update_rows, without_row
from identity.linking.domain import Carried
from identity.sightings.domain import (
    LONGEST_IDENTIFIER,
    ProfileValue,
    Sighting,
    digest_of,
    minted_at,
    search_words,
)
from identity.sightings.models import identifier, name_token, profile_value, sighting, trace_identifier

_EARLIER = "CASE WHEN excluded.{1} < {0}.{1} THEN excluded.{1} ELSE {0}.{1} END"
_LATER = "CASE WHEN excluded.{1} > {0}.{1} THEN excluded.{1} ELSE {0}.{1} END"


def _seen(table: str) -> dict[str, str]:
    return {"first_seen": _EARLIER.format(table, "first_seen"), "last_seen": _LATER.format(table, "last_seen")}


# The customer's one value of its key, told by the same source no earlier: whichever rule chooses, it is chosen.
_ALONE_OF_ITS_KEY = """
    t.trace_id = k.trace_id AND t.key = k.key AND t.source = k.source AND t.digest = k.digest AND t.first_seen <= k.first_seen
    AND NOT EXISTS (
        SELECT 1 FROM trace told JOIN trace his ON his.customer_id = told.customer_id
        JOIN profile_value other ON other.trace_id = his.trace_id AND other.key = k.key
        WHERE told.trace_id = k.trace_id AND (other.trace_id <> t.trace_id OR other.source <> t.source OR other.digest <> t.digest)
    )"""


class Lessons(NamedTuple):
    """All that is on record of one trace: rows of who carries what, and of profile values."""

    carried: list[dict[str, Any]]
    values: list[dict[str, Any]]


class Sightings:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, touchpoints: Collection[UUID]) -> set[UUID]:
        """Those that were counted already, or taken back before they came."""
        rows = await find_rows(self._session, sighting, ("touchpoint_id",), {"touchpoint_id": list(touchpoints)})
        return {row.touchpoint_id for row in rows}

    async def add(
        self,
        sightings: Sequence[Sighting],
        *,
        at: datetime,
        fresh: Collection[UUID] = (),
        settled: Collection[UUID] = (),
        unheard: Collection[UUID] = (),
    ) -> dict[UUID, Lessons]:
        """Store the sightings and what they teach: identifiers, who carries them, profile values, search words.

        Each is a microsecond after the one before it, so that the order in which they were decided can be told again.
        `fresh`: traces of which nothing is on record; `settled`: traces that carry all of it already; `unheard`: identifiers
        that are not on record. Gives what is on record by now of the fresh ones. The caller holds the decisions.
        """
        rows = [
            {
                "touchpoint_id": s.touchpoint_id, "trace_id": s.trace_id, "occurred_at": s.occurred_at,
                "source": s.source, "channel": s.channel, "profile": dict(s.profile), "unseen": False,
                "identifiers": [{"id": str(c.identifier_id), "attested": c.attested} for c in s.carried],
                "came_at": at + timedelta(microseconds=place),
            }
            for place, s in enumerate(sightings)
        ]  # fmt: skip
        await insert_rows(self._session, sighting, rows)
        await self._see_again([each for each in sightings if each.trace_id in settled] if settled else [])
        return await self._add_lessons(sightings, fresh=fresh, settled=settled, unheard=unheard)

    async def _see_again(self, sightings: Iterable[Sighting]) -> None:
        latest: dict[tuple[UUID, UUID], datetime] = {}
        for s in sightings:
            for c in s.carried:
                place = s.trace_id, c.identifier_id
                latest[place] = max(s.occurred_at, latest.get(place, s.occurred_at))
        rows = [{"trace_id": of, "identifier_id": over, "last_seen": at} for (of, over), at in latest.items()]
        keys, later = ("trace_id", "identifier_id"), "t.last_seen < a.last_seen"
        await update_rows(self._session, trace_identifier, rows, keys=keys, where=later)

    async def _add_lessons(
        self,
        sightings: Sequence[Sighting],
        *,
        fresh: Collection[UUID] = (),
        settled: Collection[UUID] = (),
        unheard: Collection[UUID] = (),
    ) -> dict[UUID, Lessons]:
        identifiers: dict[UUID, dict[str, Any]] = {}
        carried: dict[tuple[UUID, UUID], dict[str, Any]] = {}
        for s in sightings:
            if s.trace_id in settled:
                continue
            for c in s.carried:
                _merge_identifier(identifiers, c, s.occurred_at)
                _merge_carried(carried, s.trace_id, c, s.source, s.occurred_at, by_person=False)
        await self._write_identifiers(identifiers, carried, fresh=fresh, unheard=unheard)
        told = ((s.trace_id, k, v, s.source, False, s.occurred_at) for s in sightings for k, v in s.profile.items())
        values = await self._write_values(told, fresh=fresh)
        words = {(word, s.trace_id) for s in sightings if s.profile for word in search_words(s.profile)}
        await self.add_words(words, fresh=fresh)
        lessons = {trace_id: Lessons([], []) for trace_id in fresh}
        for (trace_id, *_), row in carried.items():
            if trace_id in lessons:
                lessons[trace_id].carried.append(row)
        for (trace_id, *_), row in values.items():
            if trace_id in lessons:
                lessons[trace_id].values.append(row)
        return lessons

    async def _write_identifiers(
        self,
        identifiers: Mapping[UUID, dict[str, Any]],
        carried: Mapping[tuple[UUID, UUID], dict[str, Any]],
        *,
        fresh: Collection[UUID] = (),
        unheard: Collection[UUID] = (),
    ) -> None:
        earlier = {"first_seen": _EARLIER.format("identifier", "first_seen")}
        await self._put(identifier, identifiers, lambda key: key in unheard, earlier)
        more = {
            "attested": "excluded.attested OR trace_identifier.attested",
            "by_person": "excluded.by_person OR trace_identifier.by_person",
        }
        await self._put(trace_identifier, carried, lambda key: key[0] in fresh, _seen("trace_identifier") | more)

    async def _put(
        self, table: sa.Table, rows: Mapping[Any, dict[str, Any]], is_new: Callable[[Any], bool], conflict: Conflict
    ) -> None:
        """Rows by their keys: those of which no other can be on record at a third less than the others."""
        await insert_rows(self._session, table, [row for key, row in rows.items() if is_new(key)])
        others = sorted(key for key in rows if not is_new(key))
        await insert_rows(self._session, table, [rows[key] for key in others], on_conflict=conflict)

    async def carry(self, trace_id: UUID, carried: Carried, *, source: str, at: datetime) -> None:
        """A person says that the trace carries the identifier."""
        identifiers: dict[UUID, dict[str, Any]] = {}
        rows: dict[tuple[UUID, UUID], dict[str, Any]] = {}
        _merge_identifier(identifiers, carried, at)
        _merge_carried(rows, trace_id, carried, source, at, by_person=True)
        await self._write_identifiers(identifiers, rows)

    async def write_profile(
        self, trace_id: UUID, values: Mapping[str, str | None], *, source: str, at: datetime
    ) -> None:
        """What a person put on record: verified. Null takes a value away."""
        await self._write_values((trace_id, key, value, source, True, at) for key, value in values.items())
        told = {key: value for key, value in values.items() if value is not None}
        await self.add_words({(word, trace_id) for word in search_words(told)})

    async def _write_values(
        self, values: Iterable[tuple[UUID, str, str | None, str, bool, datetime]], *, fresh: Collection[UUID] = ()
    ) -> dict[tuple[Any, ...], dict[str, Any]]:
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for trace_id, key, value, source, verified, at in values:
            row = {
                "trace_id": trace_id, "key": key, "source": source, "digest": digest_of(value), "value": value,
                "verified": verified, "first_seen": at, "last_seen": at,
            }  # fmt: skip
            place = (trace_id, key, source, row["digest"])
            known = rows.setdefault(place, row)
            known["first_seen"] = min(known["first_seen"], at)
            known["last_seen"] = max(known["last_seen"], at)
        conflict = _seen("profile_value") | {"verified": "excluded.verified OR profile_value.verified"}
        await self._put(profile_value, rows, lambda key: key[0] in fresh, conflict)
        return rows

    async def telling_otherwise(self, sightings: Iterable[Sighting]) -> set[UUID]:
        """Those of the sightings' traces by which their customers may have other values than they had."""
        told = [(each, key, value) for each in sightings for key, value in each.profile.items()]
        keys: dict[str, list[Any]] = {
            "trace_id": [each.trace_id for each, _, _ in told],
            "key": [key for _, key, _ in told],
            "source": [each.source for each, _, _ in told],
            "digest": [digest_of(value) for _, _, value in told],
            "first_seen": [each.occurred_at for each, _, _ in told],
        }
        places = await without_row(self._session, profile_value, keys, where=_ALONE_OF_ITS_KEY)
        return {told[place][0].trace_id for place in places}

    async def name_anew(self, traces: Collection[UUID]) -> None:
        """The traces are found by the words of the names on record, and by no others."""
        c = name_token.c
        values = [each for each in await self.values_of(traces) if each.value is not None]
        words = {(word, each.trace_id) for each in values for word in search_words({each.key: str(each.value)})}
        query = sa.select(c.token, c.trace_id).where(among(c.trace_id, traces))
        found = {(row.token, row.trace_id) for row in (await self._session.execute(query)).all()}
        if over := {trace_id for _, trace_id in found - words}:
            await self._session.execute(sa.delete(name_token).where(among(c.trace_id, over)))
        await self.add_words({each for each in words if each not in found or each[1] in over})

    async def add_words(self, words: Collection[tuple[str, UUID]], *, fresh: Collection[UUID] = ()) -> None:
        new = [each for each in words if each[1] in fresh]
        others = sorted(words if not new else [each for each in words if each[1] not in fresh])
        await self._write_words(new, "fail")
        await self._write_words(others, "nothing")

    async def _write_words(self, words: Sequence[tuple[str, UUID]], conflict: Conflict) -> None:
        columns: dict[str, Sequence[Any]] = {
            "token": [word for word, _ in words],
            "trace_id": [trace_id for _, trace_id in words],
        }
        await insert_columns(self._session, name_token, columns, on_conflict=conflict)

    async def values_of(self, traces: Collection[UUID]) -> list[ProfileValue]:
        c = profile_value.c
        query = sa.select(c.trace_id, c.key, c.value, c.source, c.verified, c.first_seen, c.last_seen)
        rows = (await self._session.execute(query.where(among(c.trace_id, traces)))).all()
        return [ProfileValue(*row) for row in rows]

    async def identifiers_of(self, traces: Collection[UUID]) -> list[Any]:
        """Rows of trace_id, identifier_id, scheme, value, shared, attested, source, first_seen, last_seen."""
        ti = trace_identifier.c
        query = sa.select(
            ti.trace_id, ti.identifier_id, identifier.c.scheme, identifier.c.value, identifier.c.shared, ti.attested,
            ti.source, ti.first_seen, ti.last_seen,
        ).join(identifier, identifier.c.identifier_id == ti.identifier_id)  # fmt: skip
        return list((await self._session.execute(query.where(among(ti.trace_id, traces)))).all())

    async def share(self, identifiers: Collection[UUID]) -> None:
        """They reach too many customers: from now on they prove contact, not identity."""
        where = among(identifier.c.identifier_id, identifiers)
        await self._session.execute(sa.update(identifier).where(where).values(shared=True))

    async def unsee(self, touchpoint_id: UUID, trace_id: UUID, *, at: datetime) -> list[Sighting]:
        """Forget what one touchpoint taught, before or after it came; gives what the trace's other touchpoints taught.

        The trace's identifiers, values and words are written anew from those that are left: exact, whatever the order.
        """
        row = {
            "touchpoint_id": touchpoint_id, "trace_id": trace_id, "occurred_at": at, "source": "", "channel": "",
            "identifiers": [], "profile": {}, "unseen": True, "came_at": at,
        }  # fmt: skip
        emptied = {name: f"excluded.{name}" for name in ("identifiers", "profile", "unseen")}
        await insert_rows(self._session, sighting, [row], on_conflict=emptied)
        left = await self._left_of(trace_id)
        await self._clear(trace_id)
        await self._add_lessons(left)
        return left

    async def _left_of(self, trace_id: UUID) -> list[Sighting]:
        return [sighting for _, sighting in await self.story_of([trace_id])]

    async def story_of(self, traces: Collection[UUID]) -> list[tuple[datetime, Sighting]]:
        """What the traces' touchpoints taught, in the order in which we took it in, each with the moment."""
        rows = await self.identifiers_of(traces)
        known = {row.identifier_id: row for row in rows}
        query = sa.select(sighting).where(among(sighting.c.trace_id, traces), ~sighting.c.unseen)
        told = (await self._session.execute(query)).all()
        story = [(row.came_at or minted_at(row.touchpoint_id), _sighting_of(row, known)) for row in told]
        return sorted(story, key=lambda told: (told[0], told[1].touchpoint_id))

    async def tellings_of(self, traces: Collection[UUID], *, at_once: int) -> AsyncIterator[list[Sighting]]:
        """The same story, so many at once: however much was told of a trace, no more of it is held."""
        known = {row.identifier_id: row for row in await self.identifiers_of(traces)}
        c = sighting.c
        query = sa.select(sighting).where(among(c.trace_id, traces), ~c.unseen)
        # what came before that was noted is the oldest, and its ids were minted in order
        query = query.order_by(c.came_at.asc().nulls_first(), c.touchpoint_id)
        async for rows in (await self._session.stream(query)).partitions(at_once):
            yield [_sighting_of(row, known) for row in rows]

    async def count_of(self, traces: Collection[UUID]) -> int:
        """How many touchpoints told us who was behind these traces."""
        where = among(sighting.c.trace_id, traces), ~sighting.c.unseen
        return int(await self._session.scalar(sa.select(sa.func.count()).select_from(sighting).where(*where)) or 0)

    async def linked_by_hand(self, traces: Collection[UUID]) -> set[tuple[UUID, UUID]]:
        """Trace and identifier, where a person said that the one carries the other."""
        ti = trace_identifier.c
        query = sa.select(ti.trace_id, ti.identifier_id).where(among(ti.trace_id, traces), ti.by_person)
        return {(row.trace_id, row.identifier_id) for row in (await self._session.execute(query)).all()}

    async def _clear(self, trace_id: UUID) -> None:
        ti = trace_identifier
        await self._session.execute(sa.delete(ti).where(ti.c.trace_id == trace_id, ~ti.c.by_person))
        mine = profile_value.c.trace_id == trace_id
        await self._session.execute(sa.delete(profile_value).where(mine, ~profile_value.c.verified))
        await self._session.execute(sa.delete(name_token).where(name_token.c.trace_id == trace_id))


def _sighting_of(row: Any, known: Mapping[UUID, Any]) -> Sighting:
    """A row as the rules work on it; `known`: identifiers by id. One that nobody carries any more is left out."""
    carried = [(known.get(UUID(each["id"])), each) for each in row.identifiers]
    return Sighting(
        row.touchpoint_id, row.trace_id, row.occurred_at, row.source, row.channel,
        tuple(Carried(of.identifier_id, of.scheme, of.value, each["attested"]) for of, each in carried if of is not None),
        row.profile,
    )  # fmt: skip


def _merge_identifier(rows: dict[UUID, dict[str, Any]], c: Carried, at: datetime) -> None:
    row = {
        "identifier_id": c.identifier_id,
        "scheme": c.scheme,
        "value": c.value[:LONGEST_IDENTIFIER],
        "shared": False,
        "first_seen": at,
    }
    known = rows.setdefault(c.identifier_id, row)
    known["first_seen"] = min(known["first_seen"], at)


def _merge_carried(
    rows: dict[tuple[UUID, UUID], dict[str, Any]],
    trace_id: UUID,
    c: Carried,
    source: str,
    at: datetime,
    *,
    by_person: bool,
) -> None:
    row = {
        "trace_id": trace_id, "identifier_id": c.identifier_id, "attested": c.attested, "source": source,
        "by_person": by_person, "first_seen": at, "last_seen": at,
    }  # fmt: skip
    known = rows.setdefault((trace_id, c.identifier_id), row)
    known["attested"] = known["attested"] or c.attested
    known["first_seen"] = min(known["first_seen"], at)
    known["last_seen"] = max(known["last_seen"], at)
