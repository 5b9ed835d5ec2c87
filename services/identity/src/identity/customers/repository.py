"""Every query on customers."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, find_rows, insert_rows
from identity.assignments.repository import Assignments
from identity.customers.domain import CarriedIdentifier, Customer, Dossier, TraceInfo
from identity.customers.models import customer
from identity.knowledge.repository import Knowledge
from identity.linking.models import trace
from identity.parties.repository import Parties
from identity.relationships.domain import MOST_TOLD, Relationship, staff_of
from identity.relationships.repository import Relationships
from identity.sightings.domain import ProfileValue
from identity.sightings.models import name_token, trace_identifier
from identity.sightings.repository import Sightings

MOST_TRACES = 200  # a switchboard's number reaches thousands: so many are looked at, and the answer says so
MOST_CANDIDATES = 20
MOST_NAMED = 2 * MOST_TOLD  # people of an organisation whose names are read; some may have left
T = TypeVar("T")


class Customers:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, customers: Iterable[Customer]) -> None:
        await insert_rows(self._session, customer, [vars(each) for each in customers])

    async def get(self, customer_id: UUID) -> Customer | None:
        return (await self.get_all([customer_id])).get(customer_id)

    async def get_all(self, customers: Collection[UUID]) -> dict[UUID, Customer]:
        if not customers:
            return {}
        query = sa.select(customer).where(among(customer.c.customer_id, customers))
        rows = (await self._session.execute(query)).all()
        return {row.customer_id: Customer(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's documented access

    async def archived(self, customers: Collection[UUID]) -> list[UUID]:
        """Those of the customers whom we have put aside."""
        put_aside = "t.customer_id = k.customer_id AND t.state = 'archived'"
        rows = await find_rows(
            self._session, customer, ("customer_id",), {"customer_id": [*customers]}, where=put_aside
        )
        return [row.customer_id for row in rows]

    async def resolve(self, customer_id: UUID) -> Customer | None:
        """The customer, or whoever absorbed him; None for an id that was never given out, or whose person was erased."""
        found = await self.get(customer_id)
        while found is not None and found.merged_into is not None:
            found = await self.get(found.merged_into)
        return None if found is not None and found.state == "erased" else found

    async def change(self, customer_id: UUID, **values: Any) -> None:
        await self._session.execute(sa.update(customer).where(customer.c.customer_id == customer_id).values(**values))

    async def told(
        self, rows: Sequence[tuple[UUID, int, str]], *, revision: Literal["profiled", "contacted"], digest: str
    ) -> None:
        """Remember what was last told: the revision and the digest of the content."""
        statement = (
            sa.update(customer)
            .where(customer.c.customer_id == sa.bindparam("of"))
            .values({revision: sa.bindparam("newer"), digest: sa.bindparam("content")})
        )
        if rows:
            parameters = [{"of": of, "newer": newer, "content": content} for of, newer, content in sorted(rows)]
            await self._session.execute(statement, parameters)

    async def page(self, *, after: UUID | None, limit: int) -> list[Customer]:
        """All customers by id, for telling them anew."""
        query = sa.select(customer).order_by(customer.c.customer_id).limit(limit)
        if after is not None:
            query = query.where(customer.c.customer_id > after)
        return [Customer(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def traces_of(self, customers: Collection[UUID]) -> list[TraceInfo]:
        t = trace.c
        query = sa.select(t.trace_id, t.customer_id, t.scheme, t.proof, t.via, t.first_seen, t.last_seen).where(
            among(t.customer_id, customers)
        )
        return [
            TraceInfo(*row) for row in (await self._session.execute(query.order_by(t.first_seen, t.trace_id))).all()
        ]

    async def dossiers(self, customers: Collection[UUID]) -> dict[UUID, Dossier]:
        """All that the golden record and the next questions are made of, in as many statements as there are kinds of it."""
        found = await self.get_all(customers)
        infos = await self.traces_of(found.keys()) if found else []
        if not infos:
            return {customer_id: Dossier(each) for customer_id, each in found.items()}
        owner = {info.trace_id: info.customer_id for info in infos}
        sightings, knowledge = Sightings(self._session), Knowledge(self._session)
        grouped = _grouper(owner)
        traces = _by(infos, lambda info: info.customer_id)
        values = grouped(await sightings.values_of(owner))
        carried = grouped([CarriedIdentifier(*row) for row in await sightings.identifiers_of(owner)])
        facts = grouped(await knowledge.facts_of(owner))
        puts = grouped(await knowledge.puts_of(owner))
        assigned = grouped(await Assignments(self._session).of(owner))
        said = await Relationships(self._session).of(owner)
        roles = grouped(await Parties(self._session).roles_of(owner))
        contacts = await self._contacts({c for c, each in found.items() if each.kind == "organisation"}, said)
        return {
            customer_id: Dossier(
                each, traces[customer_id], values[customer_id], carried[customer_id], facts[customer_id],
                puts[customer_id], assigned[customer_id],
                frozenset(info.trace_id for info in traces[customer_id] if info.proven),
                [r for r in said if customer_id in (r.from_customer, r.to_customer)],
                contacts.get(customer_id, ()), roles[customer_id],
            )
            for customer_id, each in found.items()
        }  # fmt: skip

    async def _contacts(
        self, organisations: Collection[UUID], said: Iterable[Relationship]
    ) -> dict[UUID, list[tuple[Relationship, Sequence[ProfileValue]]]]:
        """Of each organisation those who work for it, who decide first, with the values that name them."""
        people = staff_of(organisations, said, most=MOST_NAMED)
        if not people:
            return {}
        persons = {r.from_customer for r in people if r.from_customer is not None}
        owner = {info.trace_id: info.customer_id for info in await self.traces_of(persons)}
        values = _grouper(owner)(await Sightings(self._session).values_of(owner))
        found: defaultdict[UUID, list[tuple[Relationship, Sequence[ProfileValue]]]] = defaultdict(list)
        for each in people:
            if each.to_customer is not None and each.from_customer is not None:
                found[each.to_customer].append((each, values.get(each.from_customer, ())))
        return found

    # --- finding ------------------------------------------------------------------------------------------------------

    async def carrying(self, identifiers: Collection[UUID]) -> tuple[list[UUID], bool]:
        """Customers whose traces carry one of the identifiers, and whether there may be more than were looked at."""
        ti = trace_identifier.c
        query = (
            sa.select(trace.c.customer_id, trace.c.last_seen)
            .select_from(trace_identifier.join(trace, trace.c.trace_id == ti.trace_id))
            .where(among(ti.identifier_id, identifiers), trace.c.customer_id.is_not(None))
            .limit(MOST_TRACES + 1)
        )
        rows = (await self._session.execute(query)).all()
        latest: dict[UUID, datetime] = {}
        for row in rows[:MOST_TRACES]:
            latest[row.customer_id] = max(row.last_seen, latest.get(row.customer_id, row.last_seen))
        ordered = sorted(latest, key=lambda c: (latest[c], c), reverse=True)
        return ordered[:MOST_CANDIDATES], len(rows) > MOST_TRACES or len(ordered) > MOST_CANDIDATES

    async def named(self, words: Sequence[str], *, after: UUID | None, limit: int) -> list[UUID]:
        """Customers each of whose names' words begins with one of `words`, all of them; by id."""
        t = trace.c
        owned = [
            sa.select(t.customer_id)
            .select_from(name_token.join(trace, t.trace_id == name_token.c.trace_id))
            .where(name_token.c.token >= word, name_token.c.token < f"{word}\x7f", t.customer_id.is_not(None))
            for word in words
        ]
        first, *others = owned
        query = first.distinct()
        for other in others:
            query = query.where(t.customer_id.in_(other))
        if after is not None:
            query = query.where(t.customer_id > after)
        return [row[0] for row in (await self._session.execute(query.order_by(t.customer_id).limit(limit))).all()]


def _by(items: Iterable[T], key: Callable[[T], UUID]) -> defaultdict[UUID, list[T]]:
    groups: defaultdict[UUID, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _grouper(owner: dict[UUID, UUID]) -> Callable[[Sequence[Any]], defaultdict[UUID, list[Any]]]:
    def grouped(items: Sequence[Any]) -> defaultdict[UUID, list[Any]]:
        return _by(items, lambda item: owner[item.trace_id])

    return grouped
