"""Every query on whose traces are whose."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from common.contracts.identity import CustomerChanged, Move
from common.revisions import if_newer, latest
from service_audit.customers.models import customer, link

LONGEST_CHAIN = 50  # a merge of a merge of a merge; more is a circle


class Customers:
    """The projection of identity: links and customers, the highest revision of each."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def link(self, moves: Iterable[Move]) -> None:
        rows = [
            {"trace_id": trace_id, "customer_id": move.customer_id, "revision": move.revision}
            for trace_id, move in latest(moves, key=lambda move: move.trace_id).items()
        ]
        await insert_rows(self._session, link, rows, on_conflict=if_newer("link", ("customer_id", "revision")))

    async def change(self, changed: Iterable[CustomerChanged]) -> None:
        names = ("revision", "state", "merged_into")
        rows = [
            {"customer_id": customer_id, **{name: getattr(one, name) for name in names}}
            for customer_id, one in latest(changed, key=lambda one: one.customer_id).items()
        ]
        await insert_rows(self._session, customer, rows, on_conflict=if_newer("customer", names))

    async def survivor_of(self, customer_id: UUID) -> UUID | None:
        """The customer himself, or whoever absorbed him; None where nobody is known under the id."""
        for _ in range(LONGEST_CHAIN):
            row = (
                await self._session.execute(select(customer).where(customer.c.customer_id == customer_id))
            ).one_or_none()
            if row is None:
                linked = select(link.c.trace_id).where(link.c.customer_id == customer_id).limit(1)
                return customer_id if await self._session.scalar(linked) is not None else None
            if row.merged_into is None:
                return None if row.state == "erased" else customer_id
            customer_id = row.merged_into
        return None
