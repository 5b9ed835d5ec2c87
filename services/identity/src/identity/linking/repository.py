"""Every query on whose trace is whose."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import KEY_PLACE, among, find_rows, find_tuples, insert_rows, update_rows, without_row
from common.revisions import if_newer
from common.statements import fetch
from identity.customers.models import customer
from identity.linking.domain import BY_RULES, UNREACHING, Carried, Decision, Trail, World
from identity.linking.models import cannot_link, decision, trace
from identity.sightings.domain import Sighting
from identity.sightings.models import identifier, sighting, trace_identifier

_KEEP_EARLIER = "CASE WHEN excluded.first_seen < trace.first_seen THEN excluded.first_seen ELSE trace.first_seen END"
_KEEP_LATER = "CASE WHEN excluded.last_seen > trace.last_seen THEN excluded.last_seen ELSE trace.last_seen END"
__all__ = ["BY_RULES", "Decision", "Links"]
_LINK = ("customer_id", "revision", "proof", "via", "decision_id")
_CARRIED_AS_WELL = (
    "t.trace_id = k.trace_id AND t.identifier_id = k.identifier_id AND t.first_seen <= k.first_seen"
    " AND (t.attested OR NOT k.attested)"
)
# One moment and one answer for all: the driver writes an array of moments at the price of all else that is asked.
_NOT_CARRIED_POSTGRESQL = """
SELECT k.ordinal - 1 FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS k(trace_id, identifier_id, ordinal)
WHERE NOT EXISTS (
  SELECT 1 FROM trace_identifier t WHERE t.trace_id = k.trace_id AND t.identifier_id = k.identifier_id
  AND t.first_seen <= $3 AND (t.attested OR NOT $4) LIMIT 1 OFFSET 0
)"""


class Links:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def standing(
        self, traces: Collection[UUID], *, by_name: bool = True
    ) -> dict[UUID, tuple[UUID | None, Sequence[str]]]:
        """Whose each of the traces is, and by which names it goes where that is asked; those that are not known are left out."""
        asked = list(traces)
        keys = {"trace_id": asked}
        if not by_name:
            known = await find_tuples(self._session, trace, (KEY_PLACE, "customer_id"), keys)
            return {asked[place]: (owner, ()) for place, owner in known}
        rows = await find_tuples(self._session, trace, (KEY_PLACE, "customer_id", "names"), keys)
        # the driver of PostgreSQL leaves JSON as it is, and nearly all of it is what says that there is nothing
        return {asked[place]: (owner, () if names == "[]" else _words(names)) for place, owner, names in rows}

    async def with_news(self, seen: Sequence[Sighting]) -> set[UUID]:
        """Those of the sightings' traces that do not carry all of it yet, as well attested and seen as early."""
        told = await self._perhaps_news(seen)
        keys: dict[str, list[Any]] = {
            "trace_id": [each.trace_id for each, _ in told],
            "identifier_id": [carried.identifier_id for _, carried in told],
            "attested": [carried.attested for _, carried in told],
            "first_seen": [each.occurred_at for each, _ in told],
        }
        places = await without_row(self._session, trace_identifier, keys, where=_CARRIED_AS_WELL)
        return {told[place][0].trace_id for place in places}

    async def _perhaps_news(self, seen: Sequence[Sighting]) -> Sequence[tuple[Sighting, Carried]]:
        """What they carry but what was carried before any of it was told, attested if any of it is: of whom is known that is nearly all."""
        told = [(each, carried) for each in seen for carried in each.carried]
        if not told or self._session.get_bind().dialect.name != "postgresql":
            return told
        asked = (
            [each.trace_id for each, _ in told],
            [carried.identifier_id for _, carried in told],
            min([each.occurred_at for each in seen]),
            any(carried.attested for _, carried in told),
        )
        return [told[place] for (place,) in await fetch(self._session, _NOT_CARRIED_POSTGRESQL, asked)]

    async def trails(self, traces: Collection[UUID]) -> dict[UUID, Trail]:
        """The traces with what they carry; those that are not known are left out."""
        if not traces:
            return {}
        return await self._read_trails(among(trace.c.trace_id, traces))

    async def trails_of_customers(self, customers: Collection[UUID]) -> dict[UUID, Trail]:
        if not customers:
            return {}
        return await self._read_trails(among(trace.c.customer_id, customers))

    async def _read_trails(self, where: sa.ColumnElement[bool]) -> dict[UUID, Trail]:
        t, ti, i = trace.c, trace_identifier.c, identifier.c
        query = (
            sa.select(
                t.trace_id, t.scheme, t.names, t.customer_id, t.proof, t.via, t.revision,
                ti.identifier_id, i.scheme.label("carried_scheme"), i.value, ti.attested,
            )
            .select_from(
                trace.outerjoin(trace_identifier, ti.trace_id == t.trace_id)
                .outerjoin(identifier, i.identifier_id == ti.identifier_id)
            )
            .where(where)
        )  # fmt: skip
        found: dict[UUID, Trail] = {}
        carried: dict[UUID, dict[UUID, Carried]] = {}
        rows = (await self._session.execute(query)).all()
        for trace_id, scheme, names, *link, identifier_id, carried_scheme, value, attested in rows:
            own = carried.get(trace_id)
            if own is None:
                own = carried[trace_id] = {}
                found[trace_id] = Trail(trace_id, scheme, tuple(names), own, *link)
            if identifier_id is not None:
                own[identifier_id] = Carried(identifier_id, carried_scheme, value, attested)
        return found

    async def world(
        self, trails: Iterable[Trail], *, beside: Collection[UUID] = (), fresh: Collection[UUID] = ()
    ) -> World:
        """The neighbourhood in which the trails are decided: all customers they reach, with all of their traces.

        `beside`: traces whose customers belong to it too. `fresh`: traces that nobody has heard of yet.
        """
        world, given = World(), list(trails)
        carried = {c.identifier_id: c for trail in given for c in trail.carried.values()}
        # a customer's own id is written by whoever writes to him, who does not hold the decisions
        await self._look_up([c.identifier_id for c in carried.values() if c.scheme != "customer"], world)
        usable = [
            c.identifier_id for c in carried.values()
            if c.scheme not in UNREACHING and c.identifier_id not in world.unheard | world.barred
        ]  # fmt: skip
        named = {_uuid(c.value) for c in carried.values() if c.scheme == "customer"} - {None}
        reached = await self.reached_by(usable) | {t.customer_id for t in given if t.customer_id}
        if beside:
            reached |= {each for each in (await self.owners_of_traces(beside)).values() if each is not None}
        await self.add_customers(world, reached | {each for each in named if each is not None})
        if beside:  # what one shares with too many is no likeness, though nothing new was told of it
            weighed = [world.trails[trace_id] for trace_id in beside if trace_id in world.trails]
            world.barred |= await self.shared({each for trail in weighed for each in trail.carried} - carried.keys())
        for trail in given:
            world.put(trail)
        for left, right in await self.kept_apart(world.trails.keys() - fresh):
            world.keep_apart(left, right)
        return world

    async def _look_up(self, identifiers: Collection[UUID], world: World) -> None:
        """Which of the identifiers were ever heard of, and which of them reach too many customers to tell who is who."""
        rows = await find_rows(
            self._session, identifier, ("identifier_id", "shared"), {"identifier_id": list(identifiers)}
        )
        world.unheard = set(identifiers) - {row.identifier_id for row in rows}
        world.barred = {row.identifier_id for row in rows if row.shared}

    async def add_customers(self, world: World, customers: Collection[UUID]) -> None:
        """Put the customers and, of those who were absorbed, the survivors into the world, with all of their traces."""
        missing = set(customers)
        while missing:
            c = customer.c
            query = sa.select(c.customer_id, c.since, c.merged_into)
            known = among(c.customer_id, missing), c.state != "erased"
            rows = (await self._session.execute(query.where(*known))).all()
            missing = set()
            for row in rows:
                world.since[row.customer_id] = row.since
                if row.merged_into is not None:
                    world.merged_into[row.customer_id] = row.merged_into
                    if row.merged_into not in world.since:
                        missing.add(row.merged_into)
        present = [each for each in world.since if each not in world.merged_into]
        for trail in (await self.trails_of_customers(present)).values():
            world.put(trail)

    async def reached_by(self, identifiers: Collection[UUID]) -> set[UUID]:
        """The customers whose traces carry one of the identifiers.

        In two steps: joined, all traces would be read as soon as many are asked for.
        """
        asked = {"identifier_id": list(identifiers)}
        carrying = {row.trace_id for row in await find_rows(self._session, trace_identifier, ("trace_id",), asked)}
        owners = await self.owners_of_traces(carrying) if carrying else {}
        return {owner for owner in owners.values() if owner is not None}

    async def shared(self, identifiers: Collection[UUID]) -> set[UUID]:
        """Those that reach too many customers to tell who is who."""
        if not identifiers:
            return set()
        query = sa.select(identifier.c.identifier_id).where(
            among(identifier.c.identifier_id, identifiers), identifier.c.shared
        )
        return set((await self._session.scalars(query)).all())

    async def kept_apart(self, traces: Collection[UUID]) -> list[tuple[UUID, UUID]]:
        if not traces:
            return []
        c = cannot_link.c
        query = sa.select(c.left_trace, c.right_trace).where(
            sa.or_(among(c.left_trace, traces), among(c.right_trace, traces)),
            c.lifted_at.is_(None),
        )
        return [(row.left_trace, row.right_trace) for row in (await self._session.execute(query)).all()]

    async def save(self, rows: Collection[Mapping[str, Any]]) -> None:
        """Insert traces, or move the ones that are known; first and last seen widen, the fullest name is kept by the caller."""
        changes = if_newer("trace", _LINK) | {"names": "excluded.names"}
        changes |= {"first_seen": _KEEP_EARLIER, "last_seen": _KEEP_LATER}
        await insert_rows(self._session, trace, sorted(rows, key=lambda row: row["trace_id"]), on_conflict=changes)

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert traces that nobody has heard of."""
        await insert_rows(self._session, trace, rows)

    async def seen_again(self, last_seen: Mapping[UUID, datetime]) -> None:
        """Known traces were seen once more, none of them earlier than it was first."""
        rows = [{"trace_id": trace_id, "last_seen": at} for trace_id, at in last_seen.items()]
        await update_rows(self._session, trace, rows, keys=("trace_id",), where="t.last_seen < a.last_seen")

    async def move(self, trails: Collection[Trail], *, decision_id: UUID) -> None:
        """Change whose the known traces are."""
        t = trace.c
        statement = (
            sa.update(trace)
            .where(t.trace_id == sa.bindparam("of"))
            .values(
                customer_id=sa.bindparam("owner"), revision=sa.bindparam("newer"), proof=sa.bindparam("ground"),
                via=sa.bindparam("over"), decision_id=decision_id,
            )
        )  # fmt: skip
        rows = [
            {"of": x.trace_id, "owner": x.customer_id, "newer": x.revision, "ground": x.proof, "over": x.via}
            for x in sorted(trails, key=lambda trail: trail.trace_id)
        ]
        if rows:
            await self._session.execute(statement, rows)

    async def rename(self, trace_id: UUID, names: Collection[str]) -> None:
        await self._session.execute(sa.update(trace).where(trace.c.trace_id == trace_id).values(names=list(names)))

    async def carriers(self, identifiers: Collection[UUID]) -> list[Trail]:
        """The traces that carry one of the identifiers."""
        ti = trace_identifier.c
        mine = sa.select(ti.trace_id).where(among(ti.identifier_id, identifiers))
        return list((await self._read_trails(trace.c.trace_id.in_(mine))).values())

    async def carriers_among(self, traces: Collection[UUID], identifiers: Collection[UUID]) -> list[Trail]:
        """Those of the traces that carry one of the identifiers."""
        if not traces or not identifiers:
            return []
        ti = trace_identifier.c
        mine = sa.select(ti.trace_id).where(among(ti.trace_id, traces), among(ti.identifier_id, identifiers))
        return list((await self._read_trails(trace.c.trace_id.in_(mine))).values())

    async def carrying(self, identifiers: Collection[UUID], *, told_since: datetime) -> dict[UUID, Trail]:
        """Traces that carry one of the identifiers, and came or were taught anything since."""
        ti = trace_identifier.c
        mine = sa.select(ti.trace_id).where(among(ti.identifier_id, identifiers))
        taught = sa.select(sighting.c.trace_id).where(sighting.c.trace_id.in_(mine), sighting.c.came_at >= told_since)
        since = (trace.c.came_at >= told_since) | trace.c.trace_id.in_(taught)
        return await self._read_trails(trace.c.trace_id.in_(mine) & since)

    async def written_to(self, identifiers: Collection[UUID], *, since: datetime) -> dict[UUID, Trail]:
        """Traces under a customer's own id that came since, of customers whom one of the identifiers reaches."""
        t, other, ti = trace.c, trace.alias().c, trace_identifier.c
        carriers = sa.select(ti.trace_id).where(among(ti.identifier_id, identifiers))
        reached = sa.select(other.customer_id).where(other.trace_id.in_(carriers), other.customer_id.is_not(None))
        return await self._read_trails((t.scheme == "customer") & (t.came_at >= since) & t.customer_id.in_(reached))

    async def came_at(self, traces: Collection[UUID]) -> dict[UUID, datetime]:
        """When identity first heard of each trace."""
        query = sa.select(trace.c.trace_id, trace.c.came_at).where(among(trace.c.trace_id, traces))
        return {row.trace_id: row.came_at for row in (await self._session.execute(query)).all()}

    async def owners_of_traces(self, traces: Collection[UUID]) -> dict[UUID, UUID | None]:
        query = sa.select(trace.c.trace_id, trace.c.customer_id)
        rows = (await self._session.execute(query.where(among(trace.c.trace_id, traces)))).all()
        return {row.trace_id: row.customer_id for row in rows}

    # --- decisions ----------------------------------------------------------------------------------------------------

    async def record(self, decisions: Iterable[Decision]) -> None:
        rows = [{**vars(each), "before": dict(each.before or {})} for each in decisions]
        await insert_rows(self._session, decision, rows)

    async def picture(self, decision_id: UUID, before: Mapping[str, Any]) -> None:
        """More of how it was before the decision."""
        where = decision.c.decision_id == decision_id
        await self._session.execute(sa.update(decision).where(where).values(before=dict(before)))

    async def picture_active(self, customer_id: UUID) -> None:
        """Where a standing merge found him put aside, its undo is to leave him active."""
        d, him = decision.c, str(customer_id)
        his = sa.or_(d.survivor == customer_id, d.absorbed == customer_id)
        query = sa.select(d.decision_id, d.before).where(d.kind == "merge", d.undone_by.is_(None), his)
        for row in (await self._session.execute(query)).all():
            were = (row.before or {}).get("were", {})
            if him in were:
                active = {**were, him: {**were[him], "state": "active"}}
                await self.picture(row.decision_id, {**row.before, "were": active})

    async def decision(self, decision_id: UUID) -> Decision | None:
        row = (
            await self._session.execute(sa.select(decision).where(decision.c.decision_id == decision_id))
        ).one_or_none()
        return None if row is None else Decision(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def mark_undone(self, decision_id: UUID, *, by: UUID) -> None:
        await self._session.execute(
            sa.update(decision).where(decision.c.decision_id == decision_id).values(undone_by=by)
        )

    async def decisions(
        self,
        *,
        kind: str | None,
        customers: Collection[UUID] | None,
        author: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Decision]:
        """The log, the newest first. `customers`: merged, absorbed, or whose traces are where the decision put them."""
        d = decision.c
        query = sa.select(decision).order_by(d.decision_id.desc()).limit(limit)
        if kind is not None:
            query = query.where(d.kind == kind)
        if customers is not None:
            put = sa.select(trace.c.decision_id).where(among(trace.c.customer_id, customers))
            pair = sa.select(trace.c.trace_id).where(among(trace.c.customer_id, customers))
            his = [among(d.survivor, customers), among(d.absorbed, customers)]
            if kind != "merge":
                his += [d.decision_id.in_(put), d.left_trace.in_(pair), d.right_trace.in_(pair)]
            query = query.where(sa.or_(*his))
        if author is not None:
            query = query.where(d.by == author)
        if after is not None:
            query = query.where(d.decision_id < after)
        return [Decision(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def merges_on_the_word_of(self, traces: Collection[UUID], *, by: Collection[str]) -> list[Decision]:
        """Merges made because of what one of the traces carried, or of its likeness, and that stand; the newest first."""
        d = decision.c
        word = among(d.left_trace, traces) | among(d.right_trace, traces)
        query = sa.select(decision).where(d.kind == "merge", d.undone_by.is_(None), d.by.in_(by), word)
        rows = (await self._session.execute(query.order_by(d.decision_id.desc()))).all()
        return [Decision(**row._mapping) for row in rows]  # noqa: SLF001

    async def standing_merges_into(self, customers: Collection[UUID]) -> list[Decision]:
        """Merges of which one of the customers is the survivor, and that nobody undid; the oldest first."""
        d = decision.c
        query = sa.select(decision).where(d.kind == "merge", d.undone_by.is_(None), among(d.survivor, customers))
        rows = (await self._session.execute(query.order_by(d.decision_id))).all()
        return [Decision(**row._mapping) for row in rows]  # noqa: SLF001

    async def merges_beneath(self, customers: Collection[UUID]) -> list[Decision]:
        """Standing merges into the customers, into those whom they absorbed, and so on."""
        found: list[Decision] = []
        asked = set(customers)
        while asked:
            merges = await self.standing_merges_into(asked)
            found += merges
            asked = {merge.absorbed for merge in merges if merge.absorbed is not None}
        return found

    # --- pairs that are never joined ----------------------------------------------------------------------------------

    async def keep_apart(self, one: UUID, other: UUID, *, decision_id: UUID, at: datetime) -> None:
        row = {
            "left_trace": min(one, other), "right_trace": max(one, other), "decision_id": decision_id, "at": at,
            "lifted_at": None, "lifted_by": None, "lift_reason": None,
        }  # fmt: skip
        again = {name: f"excluded.{name}" for name in ("decision_id", "at", "lifted_at", "lifted_by", "lift_reason")}
        await insert_rows(self._session, cannot_link, [row], on_conflict=again)

    async def lift(self, one: UUID, other: UUID, *, by: str, reason: str, at: datetime) -> UUID | None:
        """Gives the decision that kept the two apart until now; None where nothing did."""
        c = cannot_link.c
        lifted: UUID | None = await self._session.scalar(
            sa.update(cannot_link)
            .where(c.left_trace == min(one, other), c.right_trace == max(one, other), c.lifted_at.is_(None))
            .values(lifted_at=at, lifted_by=by, lift_reason=reason)
            .returning(c.decision_id)
        )
        return lifted


def _words(names: Any) -> Sequence[str]:
    told: Sequence[str] = orjson.loads(names) if isinstance(names, str) else names
    return told


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
