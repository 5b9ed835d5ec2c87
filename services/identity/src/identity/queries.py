"""One way to ask for the rows of many ids, on both databases, with one plan whatever their number."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession


def among(session: AsyncSession, column: Any, ids: Collection[UUID]) -> sa.ColumnElement[bool]:
    """`column` is one of `ids`: an array on PostgreSQL, where a list of parameters would be a new plan for each length."""
    if session.get_bind().dialect.name == "postgresql":
        matches: sa.ColumnElement[bool] = column == sa.any_(sa.literal(sorted(ids), ARRAY(sa.Uuid)))
        return matches
    found: sa.ColumnElement[bool] = column.in_(sorted(ids))
    return found
