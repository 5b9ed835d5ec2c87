"""The map engine: a TOML map of templates turns the rows of a file into touchpoints as the API takes them.

A value is a template over the columns (`"{full_name}"`) or the dotted paths of a JSON document (`"{customer.phone}"`);
`{row}` is the row's number, from 1. What cannot be read (a date that is none) is passed on as it is: the API refuses it,
names the field and keeps it, so that there is one place where refused rows are found.

[read] says how the file is written: `encoding`, `delimiter`, `time_zone`, `date_format` (one form or a list of them, the first
that fits holds; ISO 8601 is read as well), `empty` (words that stand for no identifier, beside those that files commonly have).
"""

import codecs
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_PLACE = re.compile(r"\{([^{}]+)\}")
_PRODUCT = re.compile(r"^\s*\{([^{}]+)\}\s*\*\s*\{([^{}]+)\}\s*$")
_MOMENTS = ("occurred_at", "due_at", "answered_at", "valid_until")
_SECTIONS = {"id", "group", "touchpoint", "profile", "payload", "line", "read", "values"}
_TABLES = {"touchpoint", "profile", "payload", "line", "read", "values"}

_DIGITS = 18  # more are no amount
# What files hold in the place of an identifier that nobody knows; `empty` in [read] names a file's own words.
NOTHING = frozenset(
    {"n/a", "na", "#n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "s/d", "sin dato", "no tiene", "no aplica"}
)

Row = Mapping[str, Any]


class BadMap(Exception):  # noqa: N818 - it is told to the person who wrote the map
    """The map cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Drawn:
    """A value that a map draws from a row: the columns that it is made of, and how it is made of their cells."""

    columns: tuple[str, ...]
    of: Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class FileMap:
    """One map. `line` (optional) renders each row of a group as one of the payload's `lines`."""

    id: str
    touchpoint: Mapping[str, Any]
    group: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    line: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    time_zone: ZoneInfo | None = None
    date_formats: Sequence[str] = ()
    empty: frozenset[str] = NOTHING
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    @classmethod
    def load(cls, path: Path) -> "FileMap":
        """Read a map. Raises BadMap for what is no map of ours."""
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BadMap(f"{path}: {error}") from error
        for wrong in _wrongs_in(document):
            raise BadMap(f"{path}: {wrong}")
        read = document.get("read", {})
        return cls(
            id=document["id"],
            group=document.get("group"),
            touchpoint=document["touchpoint"],
            profile=document.get("profile", {}),
            payload=document.get("payload", {}),
            line=document.get("line", {}),
            values=document.get("values", {}),
            time_zone=ZoneInfo(read["time_zone"]) if "time_zone" in read else None,
            date_formats=_texts(read.get("date_format", [])),
            empty=NOTHING | {word.strip().casefold() for word in _texts(read.get("empty", []))},
            delimiter=read.get("delimiter", ","),
            encoding=read.get("encoding", "utf-8-sig"),
        )

    def group_of(self, row: Row) -> str | None:
        """The value that the rows of one touchpoint share; None where each row, or this one, is a touchpoint of its own."""
        template = self.group_template or ""
        return _filled(template, row) if any(column_of(row, name) for name in _columns_in(template)) else None

    @property
    def group_template(self) -> str | None:
        """`group` as a template, which may be written as a column's bare name."""
        return self.group if self.group is None or "{" in self.group else f"{{{self.group}}}"

    def touchpoint_of(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The body of one touchpoint, from its row, or from all rows of its group."""
        first = rows[0]
        body = self._section(self.touchpoint, rows)
        body["external_id"] = _filled(self.id, first)
        if profile := self._section(self.profile, rows):
            body["profile"] = profile
        payload = self._section(self.payload, rows)
        if self.line:
            payload["lines"] = [self._section(self.line, [row]) for row in rows]
        if payload:
            body["payload"] = payload
        return body

    def drawn(self, name: str) -> "Drawn":
        """What becomes of an entry of the profile."""
        template = self.profile.get(name)
        if not isinstance(template, str):
            return Drawn((), lambda _: "" if template is None else str(template))
        columns = _columns_in(template)
        if template == f"{{{columns[0] if columns else ''}}}" and name not in self.values and name != "birth_date":
            return Drawn(columns, lambda cells: cells[0].strip())
        return Drawn(columns, lambda cells: str(self._word(name, template, [_row(columns, cells)]) or ""))

    def drawn_id(self) -> "Drawn":
        """What becomes of the id."""
        return _drawn(self.id)

    def drawn_identifiers(self) -> "list[Drawn]":
        """What becomes of each identifier: nothing where a column of it is empty."""
        return [_drawn(template, empty=self.empty | {""}) for template in self.touchpoint.get("identifiers", [])]

    def columns_of_each(self) -> tuple[str, ...]:
        """The columns without which no row is a touchpoint: what its id and its moment are drawn from."""
        return self._own(self.id, self.touchpoint.get("occurred_at"))

    def columns(self) -> tuple[str, ...]:
        """All columns that are drawn from."""
        return self._own(self.id, self.group_template, self.touchpoint, self.profile, self.payload, self.line)

    def _own(self, *templates: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for each in templates for name in _columns_within(each) if name != "row"))

    def _section(self, section: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
        filled = {name: self._value(name, template, rows) for name, template in section.items()}
        return {name: value for name, value in filled.items() if value is not None}

    def _value(self, name: str, template: Any, rows: Sequence[Row]) -> Any:
        if isinstance(template, Mapping):
            return self._section(template, rows) or None
        if isinstance(template, list):
            values = [self._value(name, each, rows) for each in template if self._is_told(each, rows[0])]
            return [value for value in values if value is not None]
        return self._word(name, template, rows) if isinstance(template, str) else template

    def _word(self, name: str, template: str, rows: Sequence[Row]) -> Any:
        if product := _PRODUCT.match(template):
            return _sum_of_products(rows, *product.groups())
        text = _filled(template, rows[0])
        if name in self.values:
            return _translated(self.values[name], text)
        if name == "birth_date" and text:
            return self._day(text)
        return self._moment(text) if text and name in _MOMENTS else text or None

    def _is_told(self, item: Any, row: Row) -> bool:
        """Whether there is an item of a list: a text where all its columns tell something, a section where one of them does."""
        told = [self._tells(row, column) for column in _columns_within(item)]
        return all(told) if isinstance(item, str) else any(told) or not told

    def _tells(self, row: Row, column: str) -> bool:
        """Whether the cell holds more than a word for nothing."""
        cell = column_of(row, column)
        return bool(cell) and cell.casefold() not in self.empty

    def _day(self, text: str) -> str:
        """A date of birth as the file writes its dates; as it stands where it is none."""
        day = self._read_by(self.date_formats, text)
        return text if day is None else day.date().isoformat()

    def _moment(self, text: str) -> str:
        moment = self._read_by(self.date_formats, text) or _iso(text)
        if moment is None:
            return text
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.time_zone or ZoneInfo("UTC"))
        return moment.isoformat()

    @staticmethod
    def _read_by(forms: Sequence[str], text: str) -> datetime | None:
        """The first of the forms that fits says what the text means."""
        for form in forms:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the file's
            except ValueError:
                continue
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _texts(told: Any) -> tuple[str, ...]:
    """One, or a list of them."""
    return (told,) if isinstance(told, str) else tuple(told)


def _wrongs_in(document: Mapping[str, Any]) -> Iterator[str]:
    """Why this is no map. It is told before the first row is read, not by a million refusals."""
    if unknown := sorted(set(document) - _SECTIONS):
        yield f"unknown entries {', '.join(unknown)}; known are {', '.join(sorted(_SECTIONS))}"
    if not isinstance(document.get("id"), str) or not isinstance(document.get("touchpoint"), dict):
        yield "a map needs `id` and a [touchpoint] section"
    if not isinstance(document.get("group", ""), str):
        yield "`group` is a template"
    for name in sorted(_TABLES & document.keys()):
        if not isinstance(document[name], dict):
            yield f"[{name}] is a section"
    for name, words in document.get("values", {}).items():
        if not isinstance(words, dict):
            yield f"[values.{name}] is a section: column's word = ours"
    if not isinstance(document["touchpoint"].get("identifiers", []), list):
        yield "identifiers is a list of templates"
    yield from _wrongs_in_reading(document.get("read", {}))


def _wrongs_in_reading(read: Mapping[str, Any]) -> Iterator[str]:
    try:
        ZoneInfo(read.get("time_zone", "UTC"))
    except (ValueError, TypeError, OSError, ZoneInfoNotFoundError):
        yield f"no such time_zone: {read['time_zone']}"
    try:
        codecs.lookup(read.get("encoding", "utf-8"))
    except (LookupError, TypeError):
        yield f"no such encoding: {read['encoding']}"
    if not isinstance(delimiter := read.get("delimiter", ","), str) or len(delimiter) != 1 or delimiter in '"\r\n':
        yield "delimiter is one character"
    for name in ("date_format", "empty"):
        if not isinstance(told := read.get(name, []), list | str) or not all(isinstance(each, str) for each in told):
            yield f"{name} is a text, or a list of texts"


def _columns_in(template: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PLACE.findall(template)))


def _row(columns: Sequence[str], cells: Sequence[str]) -> Row:
    return dict(zip(columns, cells, strict=True))


def _columns_within(template: Any) -> Iterator[str]:
    """The columns of a template, or of all templates of a section."""
    if isinstance(template, str):
        yield from _columns_in(template)
    elif isinstance(template, Mapping | list):
        for each in template.values() if isinstance(template, Mapping) else template:
            yield from _columns_within(each)


def _drawn(template: str, *, empty: Collection[str] = ()) -> Drawn:
    """A template over the cells of its columns; nothing where one of them is a word of `empty`."""
    columns, pieces = _columns_in(template), _PLACE.split(template)
    if len(pieces) == len(("before", "column", "behind")):  # as most are: a million times
        before, _, behind = pieces

        def of_one(cells: Sequence[str]) -> str:
            told = cells[0].strip()
            return "" if empty and told.casefold() in empty else f"{before}{told}{behind}".strip()

        return Drawn(columns, of_one)

    def of(cells: Sequence[str]) -> str:
        told = [cell.strip() for cell in cells]
        return "" if any(cell.casefold() in empty for cell in told) else _filled(template, _row(columns, told))

    return Drawn(columns, of)


def _translated(words: Mapping[str, Any], text: str) -> Any:
    """Our word for the column's; `"*"` is for all others, and without it the column's word stays."""
    return words.get(text, words.get("*", text or None))


def _filled(template: str, row: Row) -> str:
    return _PLACE.sub(lambda place: column_of(row, place[1]), template).strip()


def column_of(row: Row, path: str) -> str:
    """A column by its name, or a value of a document by its dotted path; empty where there is none."""
    if path in row:
        value = row[path]
    else:
        value = row
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    return "" if value is None else str(value).strip()


def _sum_of_products(rows: Iterable[Row], left: str, right: str) -> str | None:
    """The sum over the rows of left times right, to the cent; the raw text where one is no number."""
    total = Decimal(0)
    for row in rows:
        a, b = column_of(row, left), column_of(row, right)
        try:
            product = Decimal(a) * Decimal(b)
        except InvalidOperation:
            return f"{a} * {b}"
        if not product.is_finite() or product.adjusted() > _DIGITS:
            return f"{a} * {b}"
        total += product
    return str(total.quantize(Decimal("0.01")))
