"""Many sections in one round trip: each a scalar subquery that gives JSON, all compiled to one text, once.

A statement built anew at every reading would cost more than the database takes to answer it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.db import UtcDateTime

Dialect = Literal["sqlite", "postgresql"]
Sections = Mapping[str, list[dict[str, Any]]]

# What a reading brings; everything else is part of the statement's text.
_GIVEN: dict[str, Any] = {
    "customer": sa.Uuid(),
    "partner": sa.String(),
    "source": sa.String(),
    "since": UtcDateTime(),
    "remembered": UtcDateTime(),
}
_TRACES: dict[Dialect, Any] = {"postgresql": postgresql.ARRAY(sa.Uuid()), "sqlite": sa.Text()}


@dataclass(frozen=True)
class Reading:
    """A compiled statement whose columns are sections, each an array of JSON objects."""

    statement: sa.TextClause
    sections: tuple[str, ...]
    readers: Mapping[str, Mapping[str, Callable[[Any], Any]]]  # of the columns whose values JSON does not have

    def read(self, row: sa.Row[Any]) -> Sections:
        """The rows of each section, as our own types."""
        return {section: self._rows(section, raw) for section, raw in zip(self.sections, row, strict=True)}

    def _rows(self, section: str, raw: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = orjson.loads(raw)
        for name, read in self.readers[section].items():
            for row in rows:
                if row[name] is not None:
                    row[name] = read(row[name])
        return rows


def given(name: str) -> Any:
    """The place of a value that each reading brings."""
    return sa.literal_column(f":{name}")


def compiled(dialect: Dialect, sections: Mapping[str, Any]) -> Reading:
    """One statement of all the selects; what `given` names in them is left open."""
    columns = [_as_json(dialect, selected, name).label(name) for name, selected in sections.items()]
    kinds: dict[Dialect, Any] = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect}
    made = kinds[dialect]()
    written = str(sa.select(*columns).compile(dialect=made, compile_kwargs={"literal_binds": True}))
    types = _GIVEN | {"traces": _TRACES[dialect]}
    used = [name for name in types if re.search(rf"(?<!:):{name}\b", written)]
    statement = sa.text(written).bindparams(*(sa.bindparam(name, type_=types[name]) for name in used))
    readers = {
        name: {c.name: read for c in selected.selected_columns if (read := _reader_of(c.type)) is not None}
        for name, selected in sections.items()
    }
    return Reading(statement, tuple(sections), readers)


def _as_json(dialect: Dialect, selected: Any, name: str) -> Any:
    inner = selected.subquery(f"in_{name}")
    if dialect == "postgresql":
        row = sa.func.to_jsonb(inner.table_valued())
        array = sa.func.coalesce(sa.func.jsonb_agg(row), sa.text("'[]'::jsonb"))
        return sa.select(sa.cast(array, sa.Text)).select_from(inner).scalar_subquery()
    pairs: list[Any] = []
    for column in inner.c:
        pairs += [sa.literal_column(f"'{column.name}'"), _plain(column)]
    return sa.select(sa.func.json_group_array(sa.func.json_object(*pairs))).select_from(inner).scalar_subquery()


def _plain(column: Any) -> Any:
    return sa.func.json(column) if isinstance(column.type, sa.JSON) else column


def _reader_of(kind: Any) -> Callable[[Any], Any] | None:
    """From a JSON value, as either database gives it, to ours; None where it is ours already."""
    if isinstance(kind, sa.Uuid):
        return _id
    if isinstance(kind, UtcDateTime):
        return _moment
    return bool if isinstance(kind, sa.Boolean) else None


# The same traces and threads stand in row after row.
_id = lru_cache(maxsize=16_384)(UUID)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
