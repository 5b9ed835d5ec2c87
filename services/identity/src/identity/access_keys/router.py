"""Access keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request

from common.auth import Principal, needs
from common.http import ClockOf, settings_of
from common.pagination import Paging
from common.problems import problems_of
from identity.access_keys.repository import AccessKeyRows
from identity.access_keys.schemas import KeyCreate, KeyMade, KeyPage, KeyRead
from identity.access_keys.use_cases import (
    ScopeBeyondOwn,
    UnknownKey,
    UnknownScheme,
    UnknownScope,
    WrongSubject,
    make_access_key,
    revoke_access_key,
)
from identity.callers import Reading, Writing
from identity.reach import ForStaffOnly, for_staff

router = APIRouter(prefix="/identity/v1/access-keys", tags=["access keys (llaves)"])
CanAdminister = Annotated[Principal, needs("keys:admin")]


@router.post(
    "",
    status_code=201,
    summary="Make an access key",
    responses=problems_of(UnknownScope, UnknownScheme, WrongSubject, ScopeBeyondOwn, ForStaffOnly),
)
async def make_key(body: KeyCreate, who: CanAdminister, request: Request, uow: Writing, clock: ClockOf) -> KeyMade:
    """The key is shown this once; only its hash is kept. Nobody gives out a scope that he does not have himself."""
    for_staff(who)
    key, change = await make_access_key(
        **body.model_dump(), who=who, secret=settings_of(request).secret, uow=uow, clock=clock
    )
    request.app.state.access_keys.forget()
    return KeyMade.shown(change, key)


@router.get("", summary="List access keys", responses=problems_of(ForStaffOnly))
async def list_keys(who: CanAdminister, uow: Reading, page: Paging) -> KeyPage:
    """Every credential that was made, revoked ones included; never the keys themselves."""
    for_staff(who)
    after = page.after(str)
    async with uow:
        found = await AccessKeyRows(uow.session).page(after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda change: (change.key_id,))
    return KeyPage(items=[KeyRead.of(change) for change in kept], next=following)


@router.delete(
    "/{key_id}", status_code=204, summary="Revoke an access key", responses=problems_of(UnknownKey, ForStaffOnly)
)
async def revoke_key(key_id: str, who: CanAdminister, request: Request, uow: Writing, clock: ClockOf) -> None:
    """It stops working here at once, and in the other services within seconds."""
    for_staff(who)
    await revoke_access_key(key_id=key_id, uow=uow, clock=clock)
    request.app.state.access_keys.forget()
