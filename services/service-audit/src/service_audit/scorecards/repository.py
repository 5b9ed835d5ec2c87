"""Every query on published scorecards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from service_audit.scorecards.models import publication


@dataclass(frozen=True)
class Publication:
    """What was told of a month when it had ended."""

    period: str
    total: float | None
    attributes: Sequence[Mapping[str, Any]]
    at: datetime


class Publications:
    """The scorecards as they were published."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, period: str) -> Publication | None:
        row = (await self._session.execute(select(publication).where(publication.c.period == period))).one_or_none()
        return None if row is None else Publication(row.period, row.total, row.attributes, row.at)

    async def save(self, published: Publication) -> None:
        row = {
            "period": published.period,
            "total": published.total,
            "attributes": list(published.attributes),
            "at": published.at,
        }
        changes = {name: f"excluded.{name}" for name in ("total", "attributes", "at")}
        await insert_rows(self._session, publication, [row], on_conflict=changes)
