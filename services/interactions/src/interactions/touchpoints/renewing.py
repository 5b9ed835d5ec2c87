"""Identifiers that were recorded under an older normal form are found in today's too, a slice of the log at a time, after an upgrade.

Whoever carries one carries it in both forms from then on: the same raw number finds him again. Nobody is joined by it, and
nothing is told: identity goes through what it was told in the same way.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among
from common.clock import Clock
from common.company import Company
from common.identifiers import (
    NORMALISATION,
    Identifier,
    InvalidIdentifier,
    blocked,
    identifier_id,
    read_identifiers,
)
from common.timers import Timer
from common.upgrading import Upgrade
from interactions.touchpoints.domain import Seen
from interactions.touchpoints.models import touchpoint
from interactions.uow import TRACES, InteractionsUnitOfWork

NORMAL_FORM = "carried-identifiers"  # in front of the timers that lock parties
AT_ONCE = 250


def _upgrade() -> Upgrade:
    return Upgrade(NORMAL_FORM, NORMALISATION, counted="renewed", done="identifiers_renewed")


async def renew_if_older(*, uow: InteractionsUnitOfWork, clock: Clock) -> None:
    """Have the log gone through if its identifiers are in another form than today's, or in none that was noted."""
    await _upgrade().begin_if_other(uow=uow, clock=clock)


async def renew_on(
    due: Sequence[Timer], *, uow: InteractionsUnitOfWork, clock: Clock, company: Company, secret: bytes
) -> None:
    """A timer's handler: the next slice. Does not commit."""

    async def renew_after(after: UUID | None) -> tuple[UUID | None, int]:
        rows = await _slice_after(after, uow.session)
        older = {row.touchpoint_id: row.trace_id for row in rows if todays(row, company)}
        if older:
            await uow.lock(older.values(), space=TRACES)  # what is recorded of a trace meanwhile would be overwritten
            for row in await _held(older, uow.session):
                await _carry_both(row, uow=uow, company=company, secret=secret)
        return (rows[-1].touchpoint_id if rows else None), len(older)

    await _upgrade().go_on(due, renew_after, uow=uow, clock=clock)


def todays(row: Any, company: Company) -> list[tuple[Identifier, bool]]:
    """What a touchpoint's identifiers, as they were given, are in today's form, where that is another; each with whether it is attested."""
    found: dict[str, tuple[Identifier, bool]] = {}
    for one in row.identifiers:
        for identifier in _read(one["given"], row.source, company):
            found.setdefault(identifier.text, (identifier, one["attested"] and identifier.readable))
    known = {one["normalised"] for one in row.identifiers}
    return [each for text, each in found.items() if text not in known and not blocked(each[0], company)]


def _read(given: str, source: str, company: Company) -> Iterable[Identifier]:
    try:
        return read_identifiers([given], default_region=company.phone_region, source=source).identifiers
    except InvalidIdentifier:
        return ()


async def _slice_after(after: UUID | None, session: AsyncSession) -> list[Any]:
    """Live touchpoints in the order of recording: those that do not count any more lead to nobody."""
    c = touchpoint.c
    query = _rows().where(c.state == "live").order_by(c.touchpoint_id).limit(AT_ONCE)
    return list((await session.execute(query if after is None else query.where(c.touchpoint_id > after))).all())


async def _held(touchpoint_ids: Collection[UUID], session: AsyncSession) -> list[Any]:
    """Those that are still live, locked: nobody takes them back or out until this transaction ends."""
    c = touchpoint.c
    query = _rows().where(among(c.touchpoint_id, touchpoint_ids), c.state == "live")
    return list((await session.execute(query.order_by(c.touchpoint_id).with_for_update())).all())


def _rows() -> sa.Select[Any]:
    c = touchpoint.c
    return sa.select(c.touchpoint_id, c.trace_id, c.source, c.identifiers)


async def _carry_both(row: Any, *, uow: InteractionsUnitOfWork, company: Company, secret: bytes) -> None:
    """The touchpoint and its trace are on record as if they had told both forms."""
    more = [Seen(identifier_id(found.text, secret), found, attested) for found, attested in todays(row, company)]
    both = [*row.identifiers, *(seen.as_row for seen in more)]
    await uow.touchpoints.change(row.touchpoint_id, identifiers=both)
    await uow.traces.carry({(row.trace_id, seen.identifier_id, seen.identifier.scheme) for seen in more})
    documents = [seen.identifier.text for seen in more if seen.identifier.scheme == "document"]
    for trace in (await uow.traces.known([row.trace_id])).values() if documents else ():
        await uow.traces.save([replace(trace, documents=tuple(dict.fromkeys((*trace.documents, *documents))))])
