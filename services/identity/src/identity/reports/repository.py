"""The counts of identity's health."""

from collections import Counter
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from identity.customers.domain import REACHED_BY
from identity.customers.models import customer
from identity.guards.models import guard_trip
from identity.linking.domain import BY_RULES
from identity.linking.models import decision, trace
from identity.reports.domain import Acts, Backlog, Contactable, Spread, contradicts
from identity.reviews.models import review
from identity.sightings.models import identifier, trace_identifier


class HealthFigures:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def customers(self) -> dict[str, int]:
        """How many there are by state."""
        query = sa.select(customer.c.state, sa.func.count()).group_by(customer.c.state)
        return {row[0]: int(row[1]) for row in (await self._session.execute(query)).all()}

    async def identifiers(self) -> tuple[dict[str, int], dict[str, int]]:
        """Identifiers by scheme: all of them, and those that too many share."""
        c = identifier.c
        query = (
            sa.select(c.scheme, c.shared, sa.func.count()).where(c.scheme != "customer").group_by(c.scheme, c.shared)
        )
        all_of: Counter[str] = Counter()
        shared: Counter[str] = Counter()
        for scheme, is_shared, number in (await self._session.execute(query)).all():
            all_of[scheme] += number
            shared[scheme] += number if is_shared else 0
        return dict(all_of), {scheme: n for scheme, n in shared.items() if n}

    async def carried(self) -> tuple[Spread, dict[bool, Contactable]]:
        """How many identifiers customers have; and how many active ones can be reached, key accounts apart (True).

        What too many share reaches nobody in particular. One pass over who carries what: seconds, with a million customers.
        """
        ti, t, i, c = trace_identifier.c, trace.c, identifier.c, customer.c
        reaches = i.scheme.in_(REACHED_BY) & ~i.shared
        proved = reaches & (ti.attested | (t.proof == "person"))
        each = (
            sa.select(
                t.customer_id,
                sa.func.count(sa.distinct(sa.case((i.scheme != "customer", ti.identifier_id)))).label("number"),
                sa.func.max(sa.case((reaches, 1), else_=0)).label("reachable"),
                sa.func.max(sa.case((proved, 1), else_=0)).label("verified"),
            )
            .select_from(trace.join(trace_identifier, ti.trace_id == t.trace_id))
            .join(identifier, i.identifier_id == ti.identifier_id)
            .where(t.customer_id.is_not(None))
            .group_by(t.customer_id)
            .subquery()
        )
        e = each.c
        groups = (c.state, c.key_account, sa.func.coalesce(e.number, 0))
        sums = sa.func.count(), sa.func.sum(e.reachable), sa.func.sum(e.verified)
        everybody = customer.outerjoin(each, e.customer_id == c.customer_id)
        counts: Counter[int] = Counter()
        contactable = {False: Contactable(0, 0, 0), True: Contactable(0, 0, 0)}
        query = sa.select(*groups, *sums).select_from(everybody).group_by(*groups)
        for state, is_key, number, *some in (await self._session.execute(query)).all():
            found = Contactable(*(int(n or 0) for n in some))
            if number:
                counts[int(number)] += found.customers
            if state == "active":
                contactable[is_key] += found
        return Spread(counts), contactable

    async def acts(self, *, since: datetime, until: datetime) -> Acts:
        d, undo, r = decision.c, decision.alias("undo"), review.c
        made = (d.at > since) & (d.at <= until)
        undone = sa.exists().where(undo.c.decision_id == d.undone_by, undo.c.at <= until)
        merged = sa.select(
            sa.func.count().filter(d.kind == "merge", d.by == BY_RULES),
            sa.func.count().filter(d.kind == "merge", d.by != BY_RULES),
            sa.func.count().filter(d.kind == "merge", undone),
            sa.func.count().filter(d.kind == "undo"),
        ).where(made)
        by_rules, by_people, taken_back, undos = (await self._session.execute(merged)).one()
        founded = sa.select(sa.func.count()).where(customer.c.since > since, customer.c.since <= until)
        decided = (r.decided_at > since) & (r.decided_at <= until)
        doubted = sa.select(
            sa.func.count().filter(r.opened_at > since, r.opened_at <= until),
            sa.func.count().filter(r.state == "same", decided),
            sa.func.count().filter(r.state == "different", decided),
        )
        opened, same, different = (await self._session.execute(doubted)).one()
        number = int(await self._session.scalar(founded) or 0)
        return Acts(number, by_rules, by_people, taken_back, undos, opened, same, different)

    async def backlog(self, *, at: datetime) -> Backlog:
        """Pairs in doubt that were open at that moment."""
        r = review.c
        query = sa.select(r.opened_at, r.explanation).where(
            r.opened_at <= at, sa.or_(r.decided_at.is_(None), r.decided_at > at)
        )
        reasons: Counter[str] = Counter()
        number, conflicts, oldest = 0, 0, None
        for row in (await self._session.execute(query)).all():
            said = [str(reason) for reason in row.explanation["reasons"]]
            number, oldest = number + 1, min(row.opened_at, oldest or row.opened_at)
            conflicts += any(map(contradicts, said))
            reasons.update(said)
        return Backlog(number, oldest, dict(reasons), conflicts)

    async def guards(self, *, since: datetime, until: datetime) -> dict[str, int]:
        """Guards that bit."""
        c = guard_trip.c
        query = sa.select(c.guard, sa.func.count()).where(c.at > since, c.at <= until).group_by(c.guard)
        return {row[0]: int(row[1]) for row in (await self._session.execute(query)).all()}
