"""Every query on what other services say."""

from collections.abc import Sequence

from orjson import Fragment
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from common.revisions import if_newer
from interactions.parts.domain import FailedMoment, Said
from interactions.parts.models import failed_moment, part


class PartRepository:
    """The latest word of each service on each customer."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def save(self, parts: Sequence[Said]) -> None:
        """Keep the parts whose revision is higher than the one on record. One part a customer and source."""
        ordered = sorted(parts, key=lambda said: (said.customer_id, said.source))
        rows = [vars(said) | {"body": Fragment(said.body)} for said in ordered]
        columns = ("as_of", "received_at", "body", "revision")
        await insert_rows(
            self._session, part, rows, on_conflict=if_newer("part", columns), keys=["customer_id", "source"]
        )

    async def save_moments(self, moments: Sequence[FailedMoment]) -> None:
        """Keep the latest verdict on each moment, by the time of the event that told it."""
        rows = [vars(said) for said in sorted(moments, key=lambda said: said.evidence_id)]
        columns = ("trace_id", "critical", "at", "name", "detail", "taken_back", "received_at", "told_at")
        newer = if_newer("failed_moment", columns, by="told_at", than=">=")
        await insert_rows(self._session, failed_moment, rows, on_conflict=newer, keys=["evidence_id"])
