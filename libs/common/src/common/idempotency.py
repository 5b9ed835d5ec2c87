"""A POST without an external id may be sent twice: under one Idempotency-Key it takes effect once and answers alike."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy import Column, String, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from common.auth import Principal
from common.bulk import insert_rows
from common.db import COMMON, Json, UtcDateTime
from common.errors import Invalid
from common.uow import UnitOfWork

LOCK_SPACE = 0  # before the spaces in which use cases lock their subjects

idempotency_table = Table(
    "idempotency",
    COMMON,
    Column("id", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key came with another body before"


@dataclass(frozen=True)
class Attempt:
    """One sending of a request that carries an Idempotency-Key."""

    route: str
    key: str
    fingerprint: str

    def id_for(self, who: Principal) -> str:
        """Keys of different callers, and of different routes, never meet."""
        return _digest(f"{who.key_id}\n{self.route}\n{self.key}".encode())


async def attempt_of(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            description="Send the same key with a repeated request: it takes effect once, and the first answer comes again",
        ),
    ] = None,
) -> Attempt | None:
    if key is None:
        return None
    return Attempt(f"{request.method} {request.url.path}", key, _digest(await request.body()))


AttemptOf = Annotated[Attempt | None, Depends(attempt_of)]


async def recall(uow: UnitOfWork, attempt: Attempt | None, who: Principal) -> Any | None:
    """The first answer, where this was sent before; None where it is new. Call it first in the transaction.

    A second sending at the same time waits here until the first has committed. Raises KeyReused for another body.
    """
    if attempt is None:
        return None
    attempt_id = attempt.id_for(who)
    await uow.lock([attempt_id], space=LOCK_SPACE)
    found = (
        await uow.session.execute(select(idempotency_table).where(idempotency_table.c.id == attempt_id))
    ).one_or_none()
    if found is None:
        return None
    if found.fingerprint != attempt.fingerprint:
        raise KeyReused
    return found.answer


async def remember(uow: UnitOfWork, attempt: Attempt | None, who: Principal, answer: Any, *, at: datetime) -> None:
    """Keep the answer (JSON values) in the transaction of the effect. Call it before `commit`."""
    if attempt is None:
        return
    row = {"id": attempt.id_for(who), "fingerprint": attempt.fingerprint, "answer": answer, "at": at}
    await insert_rows(uow.session, idempotency_table, [row])


async def forget_before(session: AsyncSession, moment: datetime) -> None:
    """Retention: a key that is older may take effect again."""
    await session.execute(delete(idempotency_table).where(idempotency_table.c.at < moment))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
