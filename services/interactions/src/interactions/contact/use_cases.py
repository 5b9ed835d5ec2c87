"""What a caller can ask for: whether he may contact a customer now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.uow import UnitOfWork
from interactions.contact.domain import Decision, Request, Wishes, decide, wishes_of
from interactions.contact.repository import ContactRepository
from interactions.parts.domain import CONTACT, VALUE
from interactions.resume.domain import UnknownCustomer
from interactions.resume.repository import ResumeRepository


@dataclass(frozen=True)
class Answered:
    """The decision, about whom (an absorbed id leads to who he is now) and as of when."""

    customer_id: UUID
    decision: Decision
    quota_left: int | None
    not_before: datetime | None
    at: datetime


async def may_contact(
    customer_id: UUID, request: Request, *, uow: UnitOfWork, clock: Clock, company: Company
) -> Answered:
    """Yes or no with every reason. Raises UnknownCustomer."""
    now = clock()
    async with uow:
        meant = await ResumeRepository(uow.session).existing(customer_id)
        if meant is None:
            raise UnknownCustomer
        contacts = ContactRepository(uow.session)
        said = await contacts.said_of(meant)
        wishes = wishes_of(said.get(CONTACT), said.get(VALUE), time_zone=company.time_zone)
        talk = await contacts.talk_with(meant, now=now, window_days=wishes.per_days)
    decision = decide(request, wishes, talk, now=now)
    return Answered(meant, decision, wishes.quota_left(talk.outbound, now), _not_before(decision, wishes, now), now)


def _not_before(decision: Decision, wishes: Wishes, now: datetime) -> datetime | None:
    """When to ask again, where nothing but his quiet time speaks against it."""
    blocking = [reason.code for reason in decision.reasons if reason.blocks]
    return wishes.quiet_until(now) if blocking == ["quiet-time"] else None
