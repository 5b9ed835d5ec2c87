"""Every query on pairs in doubt."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from identity.reviews.domain import ENTERED_AGAIN, Review
from identity.reviews.models import review


class Reviews:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def open(self, reviews: Collection[Review]) -> None:
        """Open the pairs; one that is open, or was decided, stays as it is."""
        once = {(r.left_trace, r.right_trace): r for r in reversed(list(reviews))}
        rows = [vars(once[pair]) for pair in sorted(once)]
        await insert_rows(self._session, review, rows, on_conflict="nothing", keys=("left_trace", "right_trace"))

    async def drop_but(
        self, doubted: Collection[tuple[UUID, UUID]], *, within: Collection[UUID], since: datetime
    ) -> None:
        """Open pairs of the traces `within` that the rules have doubted since then and doubt no more; `doubted`: which they do.

        A pair that staff gave rise to is for a person to decide, whatever the rules say.
        """
        c = review.c
        both = among(c.left_trace, within), among(c.right_trace, within)
        query = sa.select(c.review_id, c.left_trace, c.right_trace, c.explanation).where(
            *both, c.state == "open", c.opened_at >= since
        )
        gone = [
            row.review_id
            for row in (await self._session.execute(query)).all()
            if (row.left_trace, row.right_trace) not in doubted and ENTERED_AGAIN not in row.explanation["reasons"]
        ]
        if gone:
            await self._session.execute(sa.delete(review).where(among(c.review_id, gone)))

    async def get(self, review_id: UUID, *, locked: bool = False) -> Review | None:
        query = sa.select(review).where(review.c.review_id == review_id)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else Review(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def page(self, *, state: str | None, after: UUID | None, limit: int) -> list[Review]:
        """The oldest first."""
        query = sa.select(review).order_by(review.c.review_id).limit(limit)
        if state is not None:
            query = query.where(review.c.state == state)
        if after is not None:
            query = query.where(review.c.review_id > after)
        return [Review(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def decide(
        self, review_id: UUID, *, state: str, by: str, reason: str, at: datetime, decision_id: UUID | None
    ) -> None:
        await self._session.execute(
            sa.update(review)
            .where(review.c.review_id == review_id)
            .values(state=state, decided_by=by, reason=reason, decided_at=at, decision_id=decision_id)
        )

    async def decide_pair(
        self, one: UUID, other: UUID, *, state: str, by: str, reason: str, at: datetime, decision_id: UUID
    ) -> None:
        """Whatever was thought of the pair, this was decided on it now."""
        c = review.c
        await self._session.execute(
            sa.update(review)
            .where(c.left_trace == min(one, other), c.right_trace == max(one, other))
            .values(state=state, decided_by=by, reason=reason, decided_at=at, decision_id=decision_id)
        )

    async def close_within(
        self, traces: Collection[UUID], *, by: str, reason: str, at: datetime, decision_id: UUID
    ) -> None:
        """Pairs of which both traces are one customer's by now need no decision any more."""
        if not traces:
            return
        both = among(review.c.left_trace, traces) & among(review.c.right_trace, traces)
        await self._session.execute(
            sa.update(review)
            .where(both, review.c.state == "open")
            .values(state="same", decided_by=by, reason=reason, decided_at=at, decision_id=decision_id)
        )

    async def open_within(self, traces: Collection[UUID]) -> int:
        """How many open pairs lie within the traces."""
        both = among(review.c.left_trace, traces), among(review.c.right_trace, traces), review.c.state == "open"
        return int(await self._session.scalar(sa.select(sa.func.count()).select_from(review).where(*both)) or 0)

    async def reopen(self, decision_id: UUID) -> None:
        """The decision was undone: what it settled is open again."""
        await self._session.execute(
            sa.update(review)
            .where(review.c.decision_id == decision_id)
            .values(state="open", decided_by=None, reason=None, decided_at=None, decision_id=None)
        )
