"""Many sections of many readings in one round trip: each a scalar subquery that gives JSON, all compiled to one text, once.

A statement built anew at every reading would cost more than the database takes to answer it; so would a round trip for each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from common.db import UtcDateTime

Dialect = Literal["sqlite", "postgresql"]
Rows = list[list[Any]]
Sections = Mapping[str, Rows]
Written = tuple[str, ...]  # the sections of one reading, as the database wrote them
Convert = Callable[[Any], Any]

# What each reading brings, one row of `asked` for each; on PostgreSQL with its type.
ASKED = {
    "place": "int",
    "customer": "uuid",
    "traces": "uuid[]",
    "partner": "text",
    "source": "text",
    "identifier": "uuid",
}
# What all readings of one round trip share.
_SHARED: dict[str, Any] = {"since": UtcDateTime(), "remembered": UtcDateTime()}


@dataclass(frozen=True)
class Reading:
    """A compiled statement. A row for each that is asked: its place, then the sections, each an array of arrays in JSON."""

    statement: sa.TextClause
    text: str  # the same as the driver takes it, and the names of its values in their order
    names: tuple[str, ...]
    sections: tuple[str, ...]
    converts: Mapping[str, tuple[tuple[int, Convert], ...]]  # by place, for columns whose values JSON does not have

    def read(self, written: Written) -> Sections:
        """The rows of each section, as our own types, in the order of the columns that were selected."""
        return {section: self._rows(section, raw) for section, raw in zip(self.sections, written, strict=True)}

    def _rows(self, section: str, raw: str) -> Rows:
        if raw == "[]":
            return []
        rows: Rows = orjson.loads(raw)
        for place, convert in self.converts[section]:
            for row in rows:
                if row[place] is not None:
                    row[place] = convert(row[place])
        return rows


def asked(name: str) -> Any:
    """What this reading brings under the name."""
    return sa.literal_column(f"asked.{name}")


def shared(name: str) -> Any:
    """What all readings of the round trip bring under the name."""
    return sa.literal_column(f":{name}")


def as_asked(dialect: Dialect, readings: Sequence[Mapping[str, Any]]) -> str:
    """What the readings bring, for the parameter `asked`; ids as the dialect keeps them."""
    written = _hex if dialect == "sqlite" else str
    rows = [{"place": place, **brought} for place, brought in enumerate(readings)]
    return orjson.dumps([_plainly(row, written) for row in rows]).decode()


def _plainly(row: Mapping[str, Any], written: Callable[[UUID], str]) -> dict[str, Any]:
    return {
        name: written(value)
        if isinstance(value, UUID)
        else [written(each) for each in value]
        if isinstance(value, tuple)
        else value
        for name, value in row.items()
    }


def _hex(value: UUID) -> str:
    return value.hex


def compiled(dialect: Dialect, sections: Mapping[str, Any], *, brings: Sequence[str]) -> Reading:
    """One statement of all the selects, for as many readings as are asked; each brings what is named."""
    columns = [_as_json(dialect, selected, name).label(name) for name, selected in sections.items()]
    kinds: dict[Dialect, Any] = {"postgresql": asyncpg.dialect, "sqlite": sqlite.dialect}
    chosen = sa.select(asked("place"), *columns)
    written = str(chosen.compile(dialect=kinds[dialect](), compile_kwargs={"literal_binds": True}))
    used = [sa.bindparam(name, type_=kind) for name, kind in _SHARED.items() if f":{name}" in written]
    statement = sa.text(f"{written}\nFROM {_source(dialect, ('place', *brings))}").bindparams(
        sa.bindparam("asked", type_=sa.Text()), *used
    )
    driven = statement.compile(dialect=kinds[dialect]())
    converts = {
        name: tuple(
            (place, convert)
            for place, column in enumerate(selected.selected_columns)
            if (convert := _convert_of(column.type, dialect)) is not None
        )
        for name, selected in sections.items()
    }
    return Reading(statement, str(driven), tuple(driven.positiontup or ()), tuple(sections), converts)


def _source(dialect: Dialect, names: Sequence[str]) -> str:
    if dialect == "postgresql":
        columns = ", ".join(f"{name} {ASKED[name]}" for name in names)
        return f"jsonb_to_recordset(CAST(:asked AS jsonb)) AS asked({columns})"
    columns = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in names)
    return f"(SELECT {columns} FROM json_each(:asked)) AS asked"  # noqa: S608 - names of ours


def _as_json(dialect: Dialect, selected: Any, name: str) -> Any:
    inner = selected.subquery(f"in_{name}")
    if dialect == "postgresql":  # json, not jsonb: what is built as text need not be parsed
        array = sa.func.coalesce(sa.func.json_agg(sa.func.json_build_array(*inner.c)), sa.text("'[]'::json"))
        return sa.select(sa.cast(array, sa.Text)).select_from(inner).scalar_subquery()
    row = sa.func.json_array(*(_plain(column) for column in inner.c))
    return sa.select(sa.func.json_group_array(row)).select_from(inner).scalar_subquery()


def _plain(column: Any) -> Any:
    return sa.func.json(column) if isinstance(column.type, sa.JSON) else column


def _convert_of(kind: Any, dialect: Dialect) -> Convert | None:
    """From a JSON value, as the database gives it, to ours; None where it is ours already."""
    if isinstance(kind, sa.Uuid):  # as they are answered; SQLite keeps them without dashes
        return _dashed if dialect == "sqlite" else None
    if isinstance(kind, UtcDateTime):
        return _moment
    return bool if isinstance(kind, sa.Boolean) else None


def _dashed(text: str) -> str:
    return str(UUID(text))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
