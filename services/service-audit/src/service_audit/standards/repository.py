"""Every query on the promise, the attributes and the cycles."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Row, Text, cast, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from service_audit.standards.domain import Document, DocumentKind, DocumentStale, Moment, moments_of
from service_audit.standards.models import document, document_version

MOST_COMPILED = 500
_HOLD = text(
    "LOCK TABLE document IN EXCLUSIVE MODE"
)  # which a batch that holds cycles' rows keeps waiting, and a read does not
# With every batch: bodies as they are stored, so that one which is known is not read again to find that it is.
_c = document.c
_CYCLES = (
    select(_c.code, _c.version, cast(_c.body, Text), _c.written_at, _c.written_by)
    .where(_c.kind == "cycle")
    .order_by(_c.code)
    .with_for_update(read=True)
)


class Standards:
    """The documents by which we judge."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def moments(self) -> dict[tuple[str, str], Moment]:
        """The moments of all cycles in service, by cycle and code. The cycles stay as they are until the transaction ends."""
        cycles = tuple(tuple(row) for row in (await self._session.execute(_CYCLES)).all())
        return {(m.cycle, m.code): m for cycle in cycles for m in _moments(*cycle)}

    async def hold(self) -> None:
        """Nobody judges from here until the transaction ends: of a cycle that is not there yet there is no row that they could hold.

        Call it before any of the documents is locked. Whoever judges waits at the table, and then reads what was written.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(_HOLD)

    async def get(self, kind: DocumentKind, code: str, *, locked: bool = False) -> Document | None:
        query = select(document).where(document.c.kind == kind, document.c.code == code)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else _document(row)

    async def all(self, kind: DocumentKind) -> list[Document]:
        query = select(document).where(document.c.kind == kind).order_by(document.c.code)
        return [_document(row) for row in (await self._session.execute(query)).all()]

    async def moment_bodies(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """All moments as they stand in the documents, by cycle and code: for names."""
        return {(c.code, body["code"]): body for c in await self.all("cycle") for body in c.body["moments"]}

    async def page(self, kind: DocumentKind, *, after: str | None, limit: int) -> list[Document]:
        query = select(document).where(document.c.kind == kind).order_by(document.c.code).limit(limit)
        if after is not None:
            query = query.where(document.c.code > after)
        return [_document(row) for row in (await self._session.execute(query)).all()]

    async def versions(self, kind: DocumentKind, code: str, *, before: int | None, limit: int) -> list[Document]:
        """All versions of a document, the newest first."""
        c = document_version.c
        query = select(document_version).where(c.kind == kind, c.code == code).order_by(c.version.desc()).limit(limit)
        if before is not None:
            query = query.where(c.version < before)
        return [_document(row) for row in (await self._session.execute(query)).all()]

    async def save(self, written: Document) -> None:
        """Raises DocumentStale where the version is there already."""
        rows = [asdict(written)]
        changes = {name: f"excluded.{name}" for name in ("version", "body", "written_at", "written_by")}
        # Of two first writers at once the second meets the first's version here: there was no row that he could have locked.
        if not await insert_rows(self._session, document_version, rows, on_conflict="nothing", returning=["version"]):
            raise DocumentStale
        await insert_rows(self._session, document, rows, on_conflict=changes)

    async def save_where_absent(self, shipped: list[Document]) -> None:
        rows = [asdict(one) for one in shipped]
        await insert_rows(self._session, document, rows, on_conflict="nothing")
        await insert_rows(self._session, document_version, rows, on_conflict="nothing")


@lru_cache(MOST_COMPILED)
def _moments(code: str, version: int, body: str, written_at: datetime, written_by: str) -> tuple[Moment, ...]:
    return moments_of(Document("cycle", code, version, orjson.loads(body), written_at, written_by))


def _document(row: Row[Any]) -> Document:
    return Document(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access
