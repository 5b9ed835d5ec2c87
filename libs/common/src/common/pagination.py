"""Lists are read page by page: a cursor remembers the last row that was given, so new rows never shift a page."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from common.problems import Malformed

LONGEST_CURSOR = 2_000

T = TypeVar("T")
Row = TypeVar("Row")


class InvalidCursor(Malformed):
    code = "invalid-cursor"
    title = "The cursor is not one that was given out here"


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following page, null on the last."""

    items: list[T]
    next: str | None = Field(examples=["WyIyMDI2LTExLTIwIl0"])


def encode_cursor(*values: object) -> str:
    """An opaque text for the sort key of the last row: strings, numbers, booleans, UUIDs and aware datetimes."""
    text = json.dumps([_plain(value) for value in values], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...]:
    """The values that `encode_cursor` was given, read as `types`. Raises InvalidCursor for anything else."""
    if len(cursor) > LONGEST_CURSOR:
        raise InvalidCursor
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidCursor from None
    if not isinstance(values, list) or len(values) != len(types):
        raise InvalidCursor
    return tuple(_read(value, kind) for value, kind in zip(values, types, strict=True))


@dataclass(frozen=True)
class PageQuery:
    """What the caller asked for. Fetch `limit + 1` rows (`fetch`) after `after(...)`, then make the `page`."""

    cursor: str | None
    limit: int

    @property
    def fetch(self) -> int:
        """One row more than asked: its presence tells that there is a next page."""
        return self.limit + 1

    def after(self, *types: type) -> tuple[Any, ...] | None:
        """The sort key of the last row of the page before, or None for the first page."""
        return None if self.cursor is None else decode_cursor(self.cursor, *types)

    def cut(self, rows: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> tuple[Sequence[Row], str | None]:
        """The rows of this page and the cursor of the next, from `fetch` rows; `key` gives a row's sort key."""
        kept = rows[: self.limit]
        return kept, encode_cursor(*key(kept[-1])) if len(rows) > self.limit else None


def paging(*, default: int = 50, most: int = 200) -> Any:
    """A dependency that reads `?cursor=&limit=` with a list's own limits."""

    async def page_query(
        cursor: Annotated[str | None, Query(description="`next` of the page before", max_length=LONGEST_CURSOR)] = None,
        limit: Annotated[int, Query(ge=1, le=most, description="Items a page")] = default,
    ) -> PageQuery:
        return PageQuery(cursor, limit)

    return Depends(page_query)


Paging = Annotated[PageQuery, paging()]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value


def _read(value: Any, kind: type) -> Any:
    try:
        if kind is datetime:
            return _aware(datetime.fromisoformat(value))
        if kind is UUID:
            return UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise InvalidCursor from None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or not _storable(value):
        raise InvalidCursor
    return value


_WRITABLE = re.compile(r"[^\x00\ud800-\udfff]*")


def _storable(value: Any) -> bool:
    """No database takes a longer number, nor a text that cannot be written, nor PostgreSQL one with a zero byte."""
    if isinstance(value, int):
        return abs(value) < 2**63
    return not isinstance(value, str) or _WRITABLE.fullmatch(value) is not None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidCursor
    return moment
