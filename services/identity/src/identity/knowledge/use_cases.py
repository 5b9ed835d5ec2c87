"""What a caller can ask for about facts and questions: learn a fact, note that he would not answer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from common.moments import check_occurred
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import STAFF, own_trace
from identity.knowledge.domain import Fact, FactExpiresBeforeItWasObserved, Put, UnknownQuestion, check_answer
from identity.reach import held
from identity.uow import IdentityUnitOfWork


async def learn_fact(
    *,
    customer_id: UUID,
    key: str,
    value: Any,
    confidence: float,
    observed_at: datetime | None,
    expires_at: datetime | None,
    source: str | None,
    question_id: str | None,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> Fact:
    """One more entry of the series; without an expiry it holds as long as the company says facts of its key do.

    Raises UnknownQuestion, AnswersAnotherQuestion, OccurredInFuture, FactExpiresBeforeItWasObserved.
    """
    now = clock()
    check_occurred(observed_at or now, now=now, pointer="/observed_at")
    observed = min(observed_at or now, now)  # by a clock that goes ahead: what is said next must not be outdated by it
    if question_id is not None:
        check_answer(key, company.question(question_id))
    if expires_at is None and (validity := company.valid_for(key, question_id)) is not None:
        expires_at = observed + validity
    if expires_at is not None and expires_at <= observed:
        raise FactExpiresBeforeItWasObserved(pointer="/expires_at")
    async with uow:
        answer = await recall(uow, attempt, who)
        customer = await held(customer_id, who, uow)
        if answer is not None and (known := await uow.knowledge.get(UUID(answer["fact_id"]))) is not None:
            return known
        own = await own_trace(customer, uow=uow, secret=secret, by=who.known_as, now=now, himself=who.customer_id)
        fact = Fact(
            new_id(), own, key, value,
            "customer" if who.customer_id is not None else source or who.source or STAFF, confidence, observed,
            expires_at, None, question_id, who.known_as,
        )  # fmt: skip
        await uow.knowledge.add([fact])
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        await remember(uow, attempt, who, {"fact_id": str(fact.fact_id)}, at=now)
        await uow.commit()
    return fact


async def decline_question(
    *,
    customer_id: UUID,
    question_id: str,
    who: Principal,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> None:
    """He would rather not say: the question rests for half a year."""
    if company.question(question_id) is None:
        raise UnknownQuestion
    now = clock()
    async with uow:
        customer = await held(customer_id, who, uow)
        own = await own_trace(customer, uow=uow, secret=secret, by=who.known_as, now=now, himself=who.customer_id)
        await uow.knowledge.put([(Put(own, question_id, "declined", now), None)])
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        await uow.commit()
