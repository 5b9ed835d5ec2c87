"""HTTP in, HTTP out: a thread with its contacts; parked and closed by people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter

from common.auth import Principal, needs
from common.http import DatabaseOf
from common.pagination import PageQuery, Paging
from common.problems import problems_of
from interactions.conversations import use_cases
from interactions.conversations.domain import ConversationClosed, ConversationParked, UnknownConversation
from interactions.conversations.schemas import ConversationRead, ConversationReason, EntryRead
from interactions.readers import reader_now
from interactions.resume.domain import told_by
from interactions.touchpoints.router import DeskOf
from interactions.touchpoints.schemas import actor_of, told_of
from interactions.uow import InteractionsUnitOfWork

router = APIRouter(prefix="/interactions/v1/conversations", tags=["conversations (hilos)"])

CanRead = Annotated[Principal, needs("timeline:read")]
CanWrite = Annotated[Principal, needs("conversations:write")]


@router.get(
    "/{conversation_id}",
    summary="Read a thread",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownConversation),
)
async def read_conversation(
    conversation_id: UUID, who: CanRead, database: DatabaseOf, page: Paging
) -> ConversationRead:
    """A conversation over all its channels (hilo). Any touchpoint of it will do as its id: every id ever given out leads to the present thread."""
    return await _shown(conversation_id, who, page, database)


@router.post(
    "/{conversation_id}:park",
    summary="Park a thread",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownConversation, ConversationClosed, ConversationParked),
)
async def park_conversation(
    conversation_id: UUID, body: ConversationReason, who: CanWrite, desk: DeskOf
) -> ConversationRead:
    """It rests (aparcar) until the next contact on it."""
    return await _act(conversation_id, "park", body, who, desk)


@router.post(
    "/{conversation_id}:close",
    summary="Close a thread",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownConversation, ConversationClosed),
)
async def close_conversation(
    conversation_id: UUID, body: ConversationReason, who: CanWrite, desk: DeskOf
) -> ConversationRead:
    """The subject is settled (cerrar). A new contact on it resumes it."""
    return await _act(conversation_id, "close", body, who, desk)


async def _act(
    conversation_id: UUID, act: Any, body: ConversationReason, who: Principal, desk: DeskOf
) -> ConversationRead:
    first = PageQuery(None, 20)
    await _shown(conversation_id, who, first, desk.database)  # a foreign one is unknown to him
    await use_cases.act_on_conversation(
        conversation_id,
        act,
        reason=body.reason,
        by=who.known_as,
        uow=InteractionsUnitOfWork(desk.database),
        clock=desk.clock,
        company=desk.company,
    )
    return await _shown(conversation_id, who, first, desk.database)


async def _shown(conversation_id: UUID, who: Principal, page: PageQuery, database: DatabaseOf) -> ConversationRead:
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        reader = await reader_now(who, uow=uow)
        thread = await uow.conversations.get(conversation_id)
        at = thread["conversation_id"]
        found = await uow.conversations.entries(at, reader, after=page.after(datetime, UUID), limit=page.fetch)
        told = {} if reader.internal else _as_told(thread, await uow.conversations.told(at, reader))
        references = await uow.conversations.references(at, reader)
        of_nobody = await uow.traces.known([thread["party_id"]])  # a trace is its own party while it is nobody's
    rows, following = page.cut(found, lambda row: (row["occurred_at"], row["touchpoint_id"]))
    owner = None if of_nobody else thread["party_id"]
    return _read(
        {**thread, **told, "references": references, "customer_id": owner}, rows, following, internal=reader.internal
    )


def _as_told(thread: dict[str, Any], contacts: list[Any]) -> dict[str, Any]:
    """The thread as all contacts that the reader may see tell it: what others said in it does not show through."""
    if not contacts:
        raise UnknownConversation
    first, last = contacts[-1], contacts[0]
    told = told_by(contacts, topic=thread["topic"])
    return {**told, "started_at": first.occurred_at, "last_touchpoint_id": last.touchpoint_id}


def _read(thread: dict[str, Any], rows: Sequence[Any], following: str | None, *, internal: bool) -> ConversationRead:
    told = {name: thread[name] for name in ConversationRead.model_fields if name in thread}
    return ConversationRead(**told, items=[_entry(row, internal=internal) for row in rows], next=following)


def _entry(row: Any, *, internal: bool) -> EntryRead:
    told = told_of(row, EntryRead.model_fields, internal=internal)
    return EntryRead(**told, actor=actor_of(row, internal=internal))
