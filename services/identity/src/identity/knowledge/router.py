"""Facts and questions over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.company import FactCategory
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.moments import OccurredInFuture
from common.pagination import Paging
from common.problems import problems_of
from identity.callers import Reading, Secret, Writing
from identity.contact.use_cases import is_restricted
from identity.customers.domain import UnknownCustomer, knowledge_of, known_keys, survivors
from identity.knowledge.domain import (
    DRIP_LIMIT,
    AnswersAnotherQuestion,
    FactExpiresBeforeItWasObserved,
    UnknownQuestion,
    current_facts,
    next_questions,
    record_of_questions,
)
from identity.knowledge.schemas import (
    AskedRead,
    FactLearn,
    FactPage,
    FactRead,
    KnowledgeRead,
    QuestionRead,
    QuestionRecord,
    Questions,
)
from identity.knowledge.use_cases import decline_question, learn_fact
from identity.reach import ForStaffOnly, for_staff, visible

router = APIRouter(prefix="/identity/v1/customers/{customer_id}", tags=["facts (lo que sabemos)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanLearn = Annotated[Principal, needs("facts:write")]


@router.post(
    "/facts",
    status_code=201,
    summary="Learn a fact",
    responses=problems_of(
        UnknownCustomer,
        UnknownQuestion,
        AnswersAnotherQuestion,
        OccurredInFuture,
        FactExpiresBeforeItWasObserved,
        KeyReused,
    ),
)
async def learn(
    customer_id: UUID,
    body: FactLearn,
    who: CanLearn,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> FactRead:
    """One more entry of a dated series, with source, confidence and expiry; the latest stands, none is overwritten."""
    fact = await learn_fact(
        customer_id=customer_id, **body.model_dump(), who=who, attempt=attempt, uow=uow, clock=clock, company=company,
        secret=secret,
    )  # fmt: skip
    return FactRead.of(fact, definition=company.fact(fact.key), now=clock())


@router.get("/facts", summary="Read the series of facts", responses=problems_of(UnknownCustomer, ForStaffOnly))
async def list_facts(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    company: CompanyOf,
    page: Paging,
    key: Annotated[str | None, Query(max_length=100, description="One series only")] = None,
    category: Annotated[
        FactCategory | None, Query(description="Those that tell this of him: `fear`, `desire` (la mente del cliente)")
    ] = None,
) -> FactPage:
    """Everything that was ever learnt about him, the newest first; what his channels learnt and what staff wrote."""
    for_staff(who)
    keys = None if category is None else company.facts_about(category)
    if key is not None:
        keys = [key] if keys is None or key in keys else []
    async with uow:
        found = await visible(customer_id, who, uow)
        traces = [info.trace_id for info in await uow.customers.traces_of([found.customer_id])]
        after = page.after(datetime, UUID)
        facts = await uow.knowledge.series(
            traces, keys=keys, after=(after[0], after[1]) if after else None, limit=page.fetch
        )
    kept, following = page.cut(facts, key=lambda fact: (fact.observed_at, fact.fact_id))
    items = [FactRead.of(fact, definition=company.fact(fact.key), now=clock()) for fact in kept]
    return FactPage(items=items, next=following)


@router.get("/questions", summary="What to ask next", responses=problems_of(UnknownCustomer, ForStaffOnly))
async def ask_next(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    company: CompanyOf,
    channel: Annotated[str | None, Query(max_length=60, description="Only questions that suit it")] = None,
    limit: Annotated[int, Query(ge=0, le=DRIP_LIMIT, description="At most a couple")] = DRIP_LIMIT,
) -> Questions:
    """The drip dialogue (diálogo por goteo): at most two questions.

    None while a complaint is open or the use of his data is restricted, none that is answered and fresh, was put lately, or that he would not answer.
    """
    for_staff(who)
    async with uow:
        found = await visible(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([found.customer_id]))[found.customer_id]
        complains = await uow.knowledge.has_open_case([info.trace_id for info in dossier.traces])
        restricted = await is_restricted(found.customer_id, uow)
    if restricted:
        return Questions(items=[], none_because="use-restricted")
    if complains:
        return Questions(items=[], none_because="open-case")
    questions = next_questions(
        company.questions_for(channel), current_facts(dossier.facts), dossier.puts,
        known=known_keys(dossier, survivors(dossier.values, company.survivorship)), now=clock(), limit=limit,
    )  # fmt: skip
    items = [QuestionRead(question_id=q.id, key=q.key, text=q.text, channels=sorted(q.channels)) for q in questions]
    return Questions(items=items, none_because=None if items or not limit else "nothing-left-to-ask")


@router.get(
    "/questions/record", summary="What became of each question", responses=problems_of(UnknownCustomer, ForStaffOnly)
)
async def read_record(
    customer_id: UUID, who: CanRead, uow: Reading, clock: ClockOf, company: CompanyOf
) -> QuestionRecord:
    """Answered, declined, asked in vain, asked again although we knew (pregunta repetida), and until when it rests."""
    for_staff(who)
    async with uow:
        found = await visible(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([found.customer_id]))[found.customer_id]
    record = record_of_questions(
        company.questions_for(None), dossier.facts, dossier.puts,
        known=known_keys(dossier, survivors(dossier.values, company.survivorship)), now=clock(),
    )  # fmt: skip
    return QuestionRecord(items=[AskedRead.of(asked) for asked in record])


@router.get("/knowledge", summary="How well we know him", responses=problems_of(UnknownCustomer, ForStaffOnly))
async def read_knowledge(
    customer_id: UUID, who: CanRead, uow: Reading, clock: ClockOf, company: CompanyOf
) -> KnowledgeRead:
    """The knowledge index (ubicarlo, comprenderlo, relacionarlo): three parts from 0 to 1, each with what is missing (S4-18).

    Located: a phone, an e-mail, an address of his own, an identity that is proved. Understood: how sure we are of the facts that
    the company wants to know, stale ones counting nothing. Related: a dialogue within 180 days, links to others, wishes or
    consents on record, somebody of ours who owns him.
    """
    for_staff(who)
    now = clock()
    async with uow:
        found = await visible(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([found.customer_id]))[found.customer_id]
        traces = [info.trace_id for info in dossier.traces]
        wishes = bool(await uow.contact.preferences_of(traces) or await uow.contact.consents_of(traces))
    return KnowledgeRead.of(knowledge_of(dossier, company, wishes=wishes, now=now), as_of=now)


@router.post(
    "/questions/{question_id}:decline",
    status_code=204,
    summary="He would rather not say",
    responses=problems_of(UnknownCustomer, UnknownQuestion),
)
async def decline(
    customer_id: UUID,
    question_id: str,
    who: CanLearn,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
    secret: Secret,
) -> None:
    """The question rests for half a year."""
    await decline_question(
        customer_id=customer_id, question_id=question_id, who=who, uow=uow, clock=clock, company=company, secret=secret
    )
