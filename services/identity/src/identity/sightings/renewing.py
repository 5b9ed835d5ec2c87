"""Identifiers that were taken in under an older normal form are found in today's too, a slice at a time, after an upgrade.

Whoever carries one carries it in both forms from then on: the same raw number finds him again, and what is told of him next
leads to him. Nobody is joined by it, as by the index of matching that is made anew.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.clock import Clock
from common.company import Company
from common.identifiers import NORMALISATION, Identifier, InvalidIdentifier, blocked, identifier_id, parse_identifier
from common.timers import Timer
from common.upgrading import Upgrade
from identity.sightings.models import identifier, sighting, trace_identifier
from identity.uow import IdentityUnitOfWork

NORMAL_FORM = "identifiers"
AT_ONCE = 500


def _upgrade() -> Upgrade:
    return Upgrade(NORMAL_FORM, NORMALISATION, counted="renewed", done="identifiers_renewed")


async def renew_if_older(*, uow: IdentityUnitOfWork, clock: Clock) -> None:
    """Have the identifiers gone through if they are in another form than today's, or in none that was noted."""
    await _upgrade().begin_if_other(uow=uow, clock=clock)


async def renew_on(
    due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company, secret: bytes
) -> None:
    """A timer's handler: the next slice. Does not commit."""

    async def renew_after(after: UUID | None) -> tuple[UUID | None, int]:
        await uow.lock_decisions()  # what is told of a trace meanwhile would be overwritten
        rows = await _slice_after(after, uow.session)
        older = {row.identifier_id: found for row in rows if (found := todays(row, company)) is not None}
        await _carry_both(older, uow.session, secret=secret)
        return (rows[-1].identifier_id if rows else None), len(older)

    await _upgrade().go_on(due, renew_after, uow=uow, clock=clock)


def todays(row: Any, company: Company) -> Identifier | None:
    """Today's form of an identifier (`scheme`, `value`) that was taken in under an older one; None where it is in it.

    Of what had no normal form then only its folded spelling is left: where even that reads today, it is that number.
    """
    text = f"{row.scheme}:{row.value}"
    try:
        found = parse_identifier(f"{row.scheme}:{row.value.removeprefix('~')}", default_region=company.phone_region)
    except InvalidIdentifier:
        return None
    return None if found.text == text or blocked(found, company) else found


async def _slice_after(after: UUID | None, session: AsyncSession) -> Sequence[Any]:
    c = identifier.c
    query = sa.select(c.identifier_id, c.scheme, c.value).order_by(c.identifier_id).limit(AT_ONCE)
    return (await session.execute(query if after is None else query.where(c.identifier_id > after))).all()


async def _carry_both(older: Mapping[UUID, Identifier], session: AsyncSession, *, secret: bytes) -> None:
    """Whoever carries the older form carries today's as well, and is on record as if every touchpoint had told both."""
    if not older:
        return
    new = {old: identifier_id(found.text, secret) for old, found in older.items()}
    i, ti = identifier.c, trace_identifier.c
    rows = (await session.execute(sa.select(identifier).where(among(i.identifier_id, older.keys())))).mappings().all()
    fresh = [
        dict(row) | {"identifier_id": new[row["identifier_id"]], "scheme": found.scheme, "value": found.value}
        for row in rows
        for found in (older[row["identifier_id"]],)
    ]
    await insert_rows(session, identifier, fresh, on_conflict="nothing")
    query = sa.select(trace_identifier).where(among(ti.identifier_id, older.keys()))
    carried = (await session.execute(query)).mappings().all()
    both = [dict(row) | {"identifier_id": new[row["identifier_id"]]} for row in carried]
    await insert_rows(session, trace_identifier, both, on_conflict="nothing")
    await _tell_both({row["trace_id"] for row in carried}, {str(old): str(now) for old, now in new.items()}, session)


async def _tell_both(traces: Collection[UUID], new: Mapping[str, str], session: AsyncSession) -> None:
    """A retraction, or an undo that tells the past again, finds what the traces carry in their touchpoints."""
    s = sighting.c
    query = sa.select(s.touchpoint_id, s.identifiers).where(among(s.trace_id, traces))
    for row in (await session.execute(query)).all():
        known = {one["id"] for one in row.identifiers}
        more = [one | {"id": new[one["id"]]} for one in row.identifiers if new.get(one["id"], one["id"]) not in known]
        if more:
            changed = sa.update(sighting).where(s.touchpoint_id == row.touchpoint_id)
            await session.execute(changed.values(identifiers=[*row.identifiers, *more]))
