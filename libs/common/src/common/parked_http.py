"""The parked store over HTTP, the same in all four services: list, look, repair, send again, drop with a reason."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.auth import Principal, needs
from common.db import is_transient
from common.errors import Conflict, Refusal, Stale, Unavailable, VersionMissing
from common.events import Unreadable
from common.http import ClockOf, DatabaseOf
from common.pagination import Paging
from common.parked import AlreadyMoved, ParkedItem, UnknownParked
from common.problems import problems_of
from common.uow import UnitOfWork
from common.versions import ExpectedVersion, etag_of

# Handles one parked body again: raises a Refusal, Unreadable or whatever its handler raises when it still cannot be handled.
Replay = Callable[[ParkedItem, Principal], Awaitable[Any]]


class StillRefused(Conflict):
    code = "still-refused"
    title = "It still cannot be handled; repair it first"


_STORABLE = r"^[^\x00]*$"  # PostgreSQL keeps no NUL
_EXAMPLE: dict[str, Any] = {
    "id": "0192f0c1-2222-7000-8000-000000000001",
    "kind": "touchpoint",
    "origin": "whatsapp-gateway",
    "code": "invalid-identifier",
    "problem": {"errors": [{"pointer": "/identifiers/0", "code": "invalid-identifier"}]},
    "state": "parked",
    "parked_at": "2026-11-20T20:04:05Z",
    "moved_at": None,
    "moved_by": None,
    "reason": None,
    "version": 1,
}


class ParkedRead(BaseModel):
    """One parked thing without its body."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: UUID
    kind: Literal["touchpoint", "event"]
    origin: str
    code: str
    problem: dict[str, Any]
    state: Literal["parked", "replayed", "dropped"]
    parked_at: AwareDatetime
    moved_at: AwareDatetime | None
    moved_by: str | None
    reason: str | None
    version: int


class ParkedBodyRead(ParkedRead):
    """One parked thing with its body as it came."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "body": '{"external_id": "wamid.0001"}'}})

    body: str


class ParkedPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [_EXAMPLE], "next": None}})

    items: list[ParkedRead]
    next: str | None


class ParkedRepair(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "body": {
                    "source": "whatsapp",
                    "external_id": "wamid.0001",
                    "kind": "message",
                    "channel": "whatsapp",
                    "occurred_at": "2026-11-20T15:04:05-05:00",
                    "identifiers": ["phone:300 123 4567"],
                }
            }
        },
    )

    body: Annotated[str, Field(min_length=1, pattern=_STORABLE)] | dict[str, Any] = Field(
        description="The whole mended body: the JSON document itself, or its text where it is not JSON"
    )

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else orjson.dumps(self.body).decode()


class ParkedReason(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "A test of the gateway"}})

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")


def parked_router(service: str, replays: Mapping[str, Replay]) -> APIRouter:
    """The routes `/{service}/v1/parked...`. `replays` says, by kind (touchpoint, event), how a body is handled again."""
    router = APIRouter(prefix=f"/{service}/v1/parked", tags=["parked (apartados)"])

    @router.get("", summary="List what could not be handled")
    async def list_parked(
        who: Annotated[Principal, needs("parked:read")],  # noqa: ARG001
        database: DatabaseOf,
        page: Paging,
        state: Annotated[Literal["parked", "replayed", "dropped"], Query(description="What became of it")] = "parked",
        kind: Annotated[
            Literal["touchpoint", "event"] | None, Query(description="Refused touchpoints or unhandled events only")
        ] = None,
        code: Annotated[
            str | None,
            Query(max_length=60, pattern=_STORABLE, description="One reason only, such as invalid-identifier"),
        ] = None,
    ) -> ParkedPage:
        """Refused touchpoints and events that no handler could take (apartados), the newest first, each with its reason."""
        after = page.after(UUID)
        async with UnitOfWork(database, reading=True) as uow:
            items = await uow.parked.page(
                state=state, kind=kind, code=code, after=after[0] if after else None, limit=page.fetch
            )
        kept, following = page.cut(items, key=lambda item: (item.id,))
        return ParkedPage(items=[ParkedRead(**_head(item)) for item in kept], next=following)

    @router.get("/{parked_id}", summary="Look at one", responses=problems_of(UnknownParked))
    async def read_parked(
        parked_id: UUID,
        who: Annotated[Principal, needs("parked:read")],  # noqa: ARG001
        database: DatabaseOf,
        response: Response,
    ) -> ParkedBodyRead:
        """The body as it came, why it was refused, and what became of it. The ETag is its version."""
        async with UnitOfWork(database, reading=True) as uow:
            item = await uow.parked.get(parked_id)
        response.headers["ETag"] = etag_of(item.version)
        return ParkedBodyRead(**_head(item), body=item.body)

    @router.put(
        "/{parked_id}", summary="Repair one", responses=problems_of(UnknownParked, AlreadyMoved, Stale, VersionMissing)
    )
    async def repair_parked(
        parked_id: UUID,
        repair: ParkedRepair,
        who: Annotated[Principal, needs("parked:write")],
        version: ExpectedVersion,
        database: DatabaseOf,
        clock: ClockOf,
        response: Response,
    ) -> ParkedBodyRead:
        """Put a mended body in the place of the old one; send If-Match with the version that was read. Then replay it."""
        async with UnitOfWork(database) as uow:
            item = await uow.parked.repair(parked_id, body=repair.text, version=version, by=who.log_name, at=clock())
            await uow.commit()
        response.headers["ETag"] = etag_of(item.version)
        return ParkedBodyRead(**_head(item), body=item.body)

    @router.post(
        "/{parked_id}:replay",
        summary="Send one again",
        responses=problems_of(UnknownParked, AlreadyMoved, StillRefused),
    )
    async def replay_parked(
        parked_id: UUID, who: Annotated[Principal, needs("parked:write")], database: DatabaseOf, clock: ClockOf
    ) -> ParkedRead:
        """Handle it again as if it came now; it counts once, however often it is sent. What still fails stays parked."""
        async with UnitOfWork(database, reading=True) as uow:
            item = await uow.parked.get(parked_id)
        if item.state != "parked":
            raise AlreadyMoved
        await _again(replays[item.kind], item, who)
        async with UnitOfWork(database) as uow:
            item = await uow.parked.settle(parked_id, state="replayed", by=who.log_name, reason=None, at=clock())
            await uow.commit()
        return ParkedRead(**_head(item))

    @router.post(
        "/{parked_id}:drop", summary="Drop one with a reason", responses=problems_of(UnknownParked, AlreadyMoved)
    )
    async def drop_parked(
        parked_id: UUID,
        body: ParkedReason,
        who: Annotated[Principal, needs("parked:write")],
        database: DatabaseOf,
        clock: ClockOf,
    ) -> ParkedRead:
        """It will not be handled: kept in the list of dropped ones with the reason and who decided."""
        async with UnitOfWork(database) as uow:
            item = await uow.parked.settle(parked_id, state="dropped", by=who.log_name, reason=body.reason, at=clock())
            await uow.commit()
        return ParkedRead(**_head(item))

    return router


async def _again(replay: Replay, item: ParkedItem, who: Principal) -> None:
    try:
        await replay(item, who)
    except Refusal as error:
        raise StillRefused(error.detail, errors=error.errors) from error
    except Unreadable as error:
        raise StillRefused(error.code) from error
    except Exception as error:
        if is_transient(error):
            raise Unavailable from error
        raise StillRefused(f"its handler failed: {type(error).__name__}") from error


def _head(item: ParkedItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ParkedRead.model_fields}
