"""Every query on what other services say."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from interactions.parts.domain import FailedMoment, Part
from interactions.parts.models import failed_moment, part

# A word that arrives late must not replace a later one: where ours is newer, each column keeps what it has.
_NEWER_PART = "CASE WHEN excluded.revision > part.revision THEN excluded.{0} ELSE part.{0} END"
_LATER_WORD = "CASE WHEN excluded.told_at >= failed_moment.told_at THEN excluded.{0} ELSE failed_moment.{0} END"


class PartRepository:
    """The latest word of each service on each customer."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def save(self, parts: Sequence[Part]) -> None:
        """Keep the parts whose revision is higher than the one on record. One part a customer and source."""
        rows = [asdict(said) for said in sorted(parts, key=lambda said: (said.customer_id, said.source))]
        columns = ("as_of", "received_at", "body", "revision")
        changes = {column: _NEWER_PART.format(column) for column in columns}
        await insert_rows(self._session, part, rows, on_conflict=changes, keys=["customer_id", "source"])

    async def save_moments(self, moments: Sequence[FailedMoment]) -> None:
        """Keep the latest verdict on each moment, by the time of the event that told it."""
        rows = [asdict(said) for said in sorted(moments, key=lambda said: said.evidence_id)]
        columns = ("critical", "at", "name", "detail", "taken_back", "received_at", "told_at")
        changes = {column: _LATER_WORD.format(column) for column in columns}
        await insert_rows(self._session, failed_moment, rows, on_conflict=changes, keys=["evidence_id"])
