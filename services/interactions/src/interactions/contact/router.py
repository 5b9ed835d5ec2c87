"""HTTP in, HTTP out: whether somebody may contact a customer now."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from common.auth import Principal, needs
from common.errors import Forbidden
from common.http import ClockOf, CompanyOf, DatabaseOf
from common.ids import new_id
from common.problems import problems_of
from common.uow import UnitOfWork
from interactions.contact.domain import Request, UnknownChannel, check_channel
from interactions.contact.models import contact_decision
from interactions.contact.schemas import MayContactRead, ReasonRead
from interactions.contact.use_cases import Answered, may_contact
from interactions.journal import Journal, journal_of
from interactions.resume.domain import UnknownCustomer
from interactions.touchpoints.domain import channel_of

router = APIRouter(prefix="/interactions/v1/customers", tags=["contact"])

CanAsk = Annotated[Principal, needs("contact:read")]
JournalOf = Annotated[Journal, Depends(journal_of)]


class StaffOnly(Forbidden):
    code = "staff-only"
    title = "Only staff and systems may ask this: the answer tells of his value"


@router.get(
    "/{customer_id}/may-contact",
    summary="May I contact him now?",
    responses=problems_of(UnknownCustomer, UnknownChannel, StaffOnly),
)
async def get_may_contact(
    customer_id: UUID,
    who: CanAsk,
    database: DatabaseOf,
    clock: ClockOf,
    company: CompanyOf,
    journal: JournalOf,
    channel: Annotated[
        str,
        Query(
            min_length=1, max_length=60, description="By which of the company's channels (canal)", examples=["whatsapp"]
        ),
    ],
    purpose: Annotated[
        str,
        Query(
            min_length=1,
            max_length=60,
            description="What for (finalidad). service, transactional and legal serve him; every other needs his consent",
            examples=["marketing"],
        ),
    ] = "service",
    topic: Annotated[str | None, Query(max_length=100, description="What about (tema)", examples=["loyalty"])] = None,
) -> MayContactRead:
    """Yes or no, with every reason (¿lo puedo contactar ahora?): do-not-contact, consent, quiet time, frequency, topics, value.

    An answer within an open conversation or case is service: it needs no consent to marketing. Each decision is kept.
    """
    if who.subject is not None:
        raise StaffOnly
    channel, purpose = channel_of(channel), purpose.strip().lower()
    check_channel(channel, company.channels)
    paid = company.channel(channel).paid_outbound
    request = Request(channel, purpose, company.topic_of(topic) or topic, paid)
    uow = UnitOfWork(database, reading=True)
    answered = await may_contact(customer_id, request, uow=uow, clock=clock, company=company)
    _note(journal, answered, request, who)
    return MayContactRead(
        customer_id=answered.customer_id,
        channel=channel,
        purpose=purpose,
        allowed=answered.decision.allowed,
        reasons=[ReasonRead.model_validate(asdict(reason)) for reason in answered.decision.reasons],
        quota_left=answered.quota_left,
        not_before=answered.not_before,
        as_of=answered.at,
    )


def _note(journal: Journal, answered: Answered, request: Request, who: Principal) -> None:
    journal.note(
        contact_decision,
        {
            "decision_id": new_id(),
            "customer_id": answered.customer_id,
            "channel": request.channel,
            "purpose": request.purpose,
            "allowed": answered.decision.allowed,
            "reasons": [reason.code for reason in answered.decision.reasons],
            "at": answered.at,
            "asked_by": (who.known_as)[:200],
        },
    )
