"""HTTP in, HTTP out: a thread with its contacts; parked and closed by people."""

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
from interactions.touchpoints.domain import KnownTrace
from interactions.touchpoints.router import DeskOf, reader_sees
from interactions.uow import InteractionsUnitOfWork

router = APIRouter(prefix="/interactions/v1/conversations", tags=["conversations (hilos)"])

CanRead = Annotated[Principal, needs("timeline:read")]
CanWrite = Annotated[Principal, needs("conversations:write")]


@router.get("/{conversation_id}", summary="Read a thread", responses=problems_of(UnknownConversation))
async def read_conversation(
    conversation_id: UUID, who: CanRead, database: DatabaseOf, page: Paging
) -> ConversationRead:
    """A conversation over all its channels (hilo). Any touchpoint of it will do as its id: every id ever given out leads to the present thread."""
    return await _shown(conversation_id, who, page, database)


@router.post(
    "/{conversation_id}:park",
    summary="Park a thread",
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
        found = await uow.conversations.entries(
            thread["conversation_id"], after=page.after(datetime, UUID), limit=page.fetch
        )
        known = await uow.traces.known([row["trace_id"] for row in found])
        owner = await uow.traces.survivors([thread["party_id"]])
        if reader.view == "agent":
            thread = {**thread, "references": await uow.conversations.references(thread["conversation_id"])}
    rows, following = page.cut(found, lambda row: (row["occurred_at"], row["touchpoint_id"]))
    seen = [row for row in rows if reader_sees(reader, row, known.get(row["trace_id"]))]
    if reader.view != "agent":
        if not seen:
            raise UnknownConversation
        thread = _as_seen(thread, seen)
    return _read(thread, seen, following, customer_id=_owner(thread, known, owner))


def _as_seen(thread: Any, seen: list[Any]) -> dict[str, Any]:
    """The thread as the contacts that the reader may see tell it: what others said in it does not show through."""
    latest, names = seen[0], ("summary", "stop_point", "next_step")
    return {
        **thread,
        **{name: next((row[name] for row in seen if row[name] is not None), None) for name in names},
        "started_at": seen[-1]["occurred_at"],
        "last_at": latest["occurred_at"],
        "last_channel": latest["channel"],
        "last_site": latest["site"],
        "last_touchpoint_id": latest["touchpoint_id"],
        "references": list(dict.fromkeys(one for row in seen for one in row["references"])),
    }


def _owner(thread: Any, known: dict[UUID, KnownTrace], survivors: dict[UUID, UUID]) -> UUID | None:
    party: UUID = thread["party_id"]
    is_customer = party in survivors or any(trace.customer_id == party for trace in known.values())
    return party if is_customer else None


def _read(thread: Any, rows: list[Any], following: str | None, *, customer_id: UUID | None) -> ConversationRead:
    names = (
        "conversation_id", "topic", "state", "started_at", "last_at", "last_channel", "last_site", "summary",
        "stop_point", "next_step", "references", "last_touchpoint_id",
    )  # fmt: skip
    return ConversationRead(
        **{name: thread[name] for name in names},
        customer_id=customer_id,
        items=[_entry(row) for row in rows],
        next=following,
    )


def _entry(row: Any) -> EntryRead:
    actor = {"kind": row["actor_kind"], "id": row["actor_id"], "name": row["actor_name"]} if row["actor_kind"] else None
    return EntryRead(**{name: row[name] for name in EntryRead.model_fields if name != "actor"}, actor=actor)
