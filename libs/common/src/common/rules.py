"""Conditions as data: JSON that a company edits, checked against typed fields once and compiled to closures."""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from common.errors import Invalid

Condition = Callable[[Mapping[str, Any]], bool]
Comparison = Callable[[Any, Any], bool]

DEEPEST = 8
MOST_PARTS = 500
LONGEST_LIST = 1000
HIGHEST = 2**63 - 1  # of whole numbers: no JSON of ours holds a longer one

_NUMBERS: frozenset[type] = frozenset({int, float, Decimal})
_ORDERED: frozenset[type] = _NUMBERS | {date, datetime}
_KNOWN: frozenset[type] = _ORDERED | {str, bool}
_EQUALITY: dict[str, Comparison] = {"eq": operator.eq, "ne": operator.ne}
_ORDER: dict[str, Comparison] = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
_OPERATORS = (*_EQUALITY, *_ORDER, "in", "exists")


class InvalidCondition(Invalid):
    code: ClassVar[str] = "invalid-condition"
    title: ClassVar[str] = "The condition cannot be used"


def compile_condition(condition: Any, *, fields: Mapping[str, type], pointer: str = "") -> Condition:
    """A function from a mapping of `fields` to yes or no.

    `{"all": [...]}`, `{"any": [...]}`, `{"not": ...}`, or `{"field": "tier", "op": "in", "value": ["MVC"]}` with op eq,
    ne, lt, le, gt, ge, in or exists (exists takes no value, or true or false). `{"all": []}` is always true.
    A field that is null or absent makes every comparison false, `ne` included. Types of fields: str, bool, int, float,
    Decimal, date, datetime (written in RFC 3339).

    Raises InvalidCondition with the JSON pointer of the part that is wrong, below `pointer`.
    """
    for name, kind in fields.items():
        if kind not in _KNOWN:
            raise TypeError(f"no conditions over {kind} ({name})")
    return _Compiler(fields).compile(condition, pointer, depth=1)


class _Compiler:
    def __init__(self, fields: Mapping[str, type]) -> None:
        self._fields = fields
        self._parts = 0

    def compile(self, condition: Any, pointer: str, *, depth: int) -> Condition:
        self._parts += 1
        if depth > DEEPEST:
            raise InvalidCondition(f"Conditions nest at most {DEEPEST} deep", pointer=pointer)
        if self._parts > MOST_PARTS:
            raise InvalidCondition(f"A condition has at most {MOST_PARTS} parts", pointer=pointer)
        if not isinstance(condition, dict) or not condition:
            raise InvalidCondition('A condition is an object with "all", "any", "not" or "field"', pointer=pointer)
        if "field" in condition:
            return self._comparison(condition, pointer)
        if len(condition) != 1:
            raise InvalidCondition('One of "all", "any" and "not", and nothing beside it', pointer=pointer)
        ((word, inner),) = condition.items()
        return self._combination(word, inner, pointer, depth=depth + 1)

    def _combination(self, word: Any, inner: Any, pointer: str, *, depth: int) -> Condition:
        if word == "not":
            negated = self.compile(inner, f"{pointer}/not", depth=depth)
            return lambda row: not negated(row)
        if word not in ("all", "any"):
            raise InvalidCondition('A condition is an object with "all", "any", "not" or "field"', pointer=pointer)
        if not isinstance(inner, list):
            raise InvalidCondition(f'"{word}" takes a list of conditions', pointer=f"{pointer}/{word}")
        parts = tuple(self.compile(part, f"{pointer}/{word}/{at}", depth=depth) for at, part in enumerate(inner))
        if word == "all":
            return lambda row: all(part(row) for part in parts)
        return lambda row: any(part(row) for part in parts)

    def _comparison(self, condition: dict[str, Any], pointer: str) -> Condition:
        for key in condition:
            if key not in ("field", "op", "value"):
                raise InvalidCondition('A comparison has "field", "op" and "value" only', pointer=pointer)
        field, op = condition["field"], condition.get("op")
        if not isinstance(field, str) or field not in self._fields:
            raise InvalidCondition(f"The fields are {', '.join(sorted(self._fields))}", pointer=f"{pointer}/field")
        if op not in _OPERATORS:
            raise InvalidCondition(f"The operators are {', '.join(_OPERATORS)}", pointer=f"{pointer}/op")
        if op == "exists":
            return _existence(field, condition.get("value", True), pointer)
        if "value" not in condition:
            raise InvalidCondition("The value to compare with is missing", pointer=pointer)
        kind = self._fields[field]
        if op == "in":
            return _membership(field, condition["value"], kind, pointer)
        if op in _ORDER and kind not in _ORDERED:
            raise InvalidCondition("This field has no order: use eq, ne or in", pointer=f"{pointer}/op")
        return _compared(field, (_EQUALITY | _ORDER)[op], _typed(condition["value"], kind, f"{pointer}/value"))


def _existence(field: str, wanted: Any, pointer: str) -> Condition:
    if not isinstance(wanted, bool):
        raise InvalidCondition('"exists" takes true, false or nothing', pointer=f"{pointer}/value")
    return lambda row: (row.get(field) is not None) is wanted


def _membership(field: str, values: Any, kind: type, pointer: str) -> Condition:
    if not isinstance(values, list) or len(values) > LONGEST_LIST:
        raise InvalidCondition(f'"in" takes a list of at most {LONGEST_LIST} values', pointer=f"{pointer}/value")
    wanted = frozenset(_typed(value, kind, f"{pointer}/value/{at}") for at, value in enumerate(values))
    return lambda row: row.get(field) is not None and row[field] in wanted


def _compared(field: str, compare: Comparison, value: Any) -> Condition:
    def condition(row: Mapping[str, Any]) -> bool:
        held = row.get(field)
        return held is not None and compare(held, value)

    return condition


def _typed(value: Any, kind: type, pointer: str) -> Any:
    """The JSON value as the field's type; JSON has no dates, and its true is not the number 1."""
    try:
        if kind is datetime and isinstance(value, str):
            return _aware(datetime.fromisoformat(value))
        if kind is date and isinstance(value, str):
            return date.fromisoformat(value)
        if kind in _NUMBERS and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            _refuse_unwritable(value)
            return Decimal(str(value)) if kind is Decimal else value
        if kind is str and isinstance(value, str):
            value.encode()  # half of a pair of UTF-16 is no text
            return value
        if kind is bool and isinstance(value, bool):
            return value
    except ValueError:
        pass
    raise InvalidCondition(f"This field is compared with a value of type {kind.__name__}", pointer=pointer)


def _refuse_unwritable(value: float | Decimal) -> None:
    """1e400 is read as infinity, which JSON cannot write, nor so long a whole number: kept, the condition could not be read again.

    PostgreSQL gives 1e19 back as the whole number that it is.
    """
    if (not isinstance(value, int) and not math.isfinite(value)) or not -HIGHEST <= value <= HIGHEST:
        raise ValueError


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError
    return moment
