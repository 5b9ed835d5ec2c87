"""Which view a credential reaches: its subject decides, a parameter may only narrow what staff sees."""

from dataclasses import replace
from uuid import UUID

from common.auth import Principal
from interactions.resume.domain import Reader, View, ViewForbidden
from interactions.uow import InteractionsUnitOfWork


def reader_of(who: Principal, view: View | None, *, partner: str | None = None) -> Reader:
    """A customer's and a partner's credential have one view each; staff and systems may ask for any."""
    if who.customer_id is not None:
        _only(view, "customer")
        return Reader("customer", bound=True, customer_id=who.customer_id)
    if who.subject is not None:
        _only(view, "partner")
        return Reader("partner", bound=True, partner=who.partner, source=who.source)
    return Reader(view or "agent", partner=partner if view == "partner" else None)


async def reader_now(who: Principal, *, uow: InteractionsUnitOfWork) -> Reader:
    """The reader as of now: a customer's credential goes on to be his when he was absorbed."""
    reader = reader_of(who, None)
    return replace(reader, customer_id=await customer_now(reader.customer_id, uow=uow))


async def customer_now(customer_id: UUID | None, *, uow: InteractionsUnitOfWork) -> UUID | None:
    """Under which id he is on record: an absorbed one leads to whoever absorbed him."""
    if customer_id is None:
        return None
    return (await uow.traces.survivors([customer_id])).get(customer_id, customer_id)


def _only(asked: View | None, allowed: View) -> None:
    if asked not in (None, allowed):
        raise ViewForbidden(f"This credential sees the view {allowed} only.")
