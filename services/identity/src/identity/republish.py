"""Telling current state anew: links, customers, contact, profiles and access keys, for projections that are built from nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import sqlalchemy as sa

from common.bulk import update_rows
from common.contracts.identity import LinksChanged, Move
from common.ids import new_id
from common.service import Runtime
from identity.access_keys.repository import AccessKeyRows
from identity.customers.domain import Customer
from identity.customers.models import customer
from identity.customers.telling import changed, tell_contact, tell_profiles
from identity.linking.domain import next_revision
from identity.linking.models import trace
from identity.uow import CUSTOMERS, IdentityUnitOfWork

PAGE = 500


async def republish_links(runtime: Runtime) -> int:
    """Every link, under a new revision: whoever holds on to a decision that is gone with a restored backup lets go of it."""
    told, after = 0, UUID(int=0)
    t = trace.c
    while True:
        async with IdentityUnitOfWork(runtime.database) as uow:
            await uow.lock_decisions()  # nobody gives a link a revision that is older than the one told here
            query = sa.select(t.trace_id, t.customer_id, t.revision, t.proof).where(t.trace_id > after, t.revision > 0)
            rows = (await uow.session.execute(query.order_by(t.trace_id).limit(PAGE))).all()
            if not rows:
                return told
            now = runtime.clock()
            links = [Move(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented access
            moves = [one.model_copy(update={"revision": next_revision(one.revision, now)}) for one in links]
            renewed = [{"trace_id": one.trace_id, "revision": one.revision} for one in moves]
            await update_rows(uow.session, trace, renewed, keys=("trace_id",))
            uow.outbox.add(LinksChanged(decision_id=new_id(), kind="republish", moves=moves), at=now)
            await uow.commit()
        told, after = told + 1, rows[-1].trace_id


async def republish_customers(runtime: Runtime) -> int:
    """That they exist, and where they went, under a new revision each."""
    told = 0
    async for uow, page in _pages(runtime):
        now = runtime.clock()
        found = await uow.customers.get_all([each.customer_id for each in page])  # as they are now that they are locked
        anew = [replace(each, revision=next_revision(each.revision, now)) for each in found.values()]
        renewed = [{"customer_id": each.customer_id, "revision": each.revision} for each in anew]
        await update_rows(uow.session, customer, renewed, keys=("customer_id",))
        uow.outbox.add_all(map(changed, anew), at=now)
        told += len(anew)
    return told


async def republish_contact(runtime: Runtime) -> int:
    """How they may be contacted."""
    told = 0
    async for uow, page in _pages(runtime):
        told += await tell_contact([each.customer_id for each in page], uow=uow, now=runtime.clock(), anew=True)
    return told


async def republish_profiles(runtime: Runtime) -> int:
    """How they are known; the people topic itself is never replayed."""
    told = 0
    async for uow, page in _pages(runtime):
        told += await tell_profiles(
            [each.customer_id for each in page], uow=uow, company=runtime.company, now=runtime.clock(), anew=True
        )
    return told


async def republish_access(runtime: Runtime) -> int:
    """The credentials, as hashes."""
    told, after = 0, None
    while True:
        async with IdentityUnitOfWork(runtime.database) as uow:
            page = await AccessKeyRows(uow.session).page(after=after, limit=PAGE)
            if not page:
                return told
            uow.outbox.add_all(page, at=runtime.clock())
            await uow.commit()
        told, after = told + len(page), page[-1].key_id


async def _pages(runtime: Runtime) -> AsyncIterator[tuple[IdentityUnitOfWork, list[Customer]]]:
    """All customers, page by page, each page in a short transaction that is committed when the next is asked for."""
    after: UUID | None = None
    while True:
        async with IdentityUnitOfWork(runtime.database) as uow:
            page = await uow.customers.page(after=after, limit=PAGE)
            if not page:
                return
            await uow.lock([each.customer_id for each in page], space=CUSTOMERS)
            yield uow, page
            await uow.commit()
        after = page[-1].customer_id


REPUBLISH: dict[str, Callable[[Runtime], Awaitable[int]]] = {
    "links": republish_links,
    "customers": republish_customers,
    "contact": republish_contact,
    "profiles": republish_profiles,
    "access": republish_access,
}
