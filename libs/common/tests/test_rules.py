"""Conditions as data: what they say, and what is refused before it can do harm."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from common.rules import DEEPEST, InvalidCondition, compile_condition

FIELDS = {
    "tier": str,
    "revenue": float,
    "orders": int,
    "key_account": bool,
    "since": date,
    "last_at": datetime,
    "share": Decimal,
}
ROW = {
    "tier": "MVC",
    "revenue": 1500.5,
    "orders": 3,
    "key_account": True,
    "since": date(2024, 5, 1),
    "last_at": datetime(2026, 11, 20, 20, 4, tzinfo=UTC),
    "share": Decimal("0.1"),
}


def holds(condition, row=ROW):
    return compile_condition(condition, fields=FIELDS)(row)


def compared(field, op, value):
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (compared("tier", "eq", "MVC"), True),
        (compared("tier", "ne", "MVC"), False),
        (compared("tier", "in", ["MVC", "GROWING"]), True),
        (compared("tier", "in", []), False),
        (compared("revenue", "gt", 1000), True),
        (compared("revenue", "le", 1500.5), True),
        (compared("orders", "lt", 3), False),
        (compared("orders", "ge", 3), True),
        (compared("key_account", "eq", True), True),
        (compared("since", "lt", "2025-01-01"), True),
        (compared("last_at", "gt", "2026-11-20T15:00:00-05:00"), True),
        (compared("share", "eq", 0.1), True),
        ({"field": "tier", "op": "exists"}, True),
        (compared("tier", "exists", False), False),
        ({"all": []}, True),
        ({"any": []}, False),
        ({"all": [compared("orders", "eq", 3), {"not": compared("tier", "eq", "STANDARD")}]}, True),
        ({"any": [compared("orders", "eq", 4), compared("tier", "eq", "MVC")]}, True),
    ],
)
def test_a_condition_says_yes_or_no(condition, expected):
    assert holds(condition) is expected


@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("row", [{}, {"revenue": None}])
def test_a_field_without_a_value_makes_every_comparison_false(op, row):
    assert not holds(compared("revenue", op, 1), row)
    assert not holds(compared("revenue", "in", [1]), row)
    assert holds(compared("revenue", "exists", False), row)
    assert holds({"not": compared("revenue", op, 1)}, row)


def nested(depth):
    return compared("orders", "eq", 3) if depth == 1 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ([], ""),
        ({}, ""),
        (None, ""),
        ("tier", ""),
        ({"tier": "MVC"}, ""),
        ({"all": [], "any": []}, ""),
        ({"all": {}}, "/all"),
        ({"all": [nested(1), {"any": [compared("name", "eq", "x")]}]}, "/all/1/any/0/field"),
        ({"not": compared("tier", "like", "M%")}, "/not/op"),
        ({"field": ["tier"], "op": "eq", "value": 1}, "/field"),
        ({"field": "tier", "op": ["eq"], "value": 1}, "/op"),
        ({"field": "tier", "op": "eq"}, ""),
        ({"field": "tier", "op": "eq", "value": "x", "code": "1"}, ""),
        (compared("tier", "eq", 1), "/value"),
        (compared("tier", "eq", None), "/value"),
        (compared("tier", "lt", "a"), "/op"),
        (compared("key_account", "ge", True), "/op"),
        (compared("orders", "eq", True), "/value"),
        (compared("orders", "gt", float("inf")), "/value"),
        (compared("orders", "in", [3, float("nan")]), "/value/1"),
        (compared("orders", "gt", 2**63), "/value"),
        (compared("revenue", "lt", -(10**400)), "/value"),
        (compared("share", "in", [0, 10**30]), "/value/1"),
        (compared("revenue", "lt", 1e19), "/value"),
        (compared("tier", "ne", "\ud800"), "/value"),
        (compared("tier", "in", ["MVC", "\udfff"]), "/value/1"),
        (compared("orders", "in", "3"), "/value"),
        (compared("orders", "in", [3, "4"]), "/value/1"),
        (compared("orders", "in", list(range(1001))), "/value"),
        (compared("tier", "exists", "yes"), "/value"),
        (compared("since", "lt", "yesterday"), "/value"),
        (compared("last_at", "lt", "2026-11-20T15:00:00"), "/value"),
        (nested(DEEPEST + 1), "/not" * DEEPEST),
        ({"all": [nested(1)] * 500}, "/all/499"),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused_where_it_is_wrong(condition, pointer):
    with pytest.raises(InvalidCondition) as refused:
        compile_condition(condition, fields=FIELDS, pointer="/when")
    assert [error.pointer for error in refused.value.errors] == ["/when" + pointer]


def test_conditions_nest_as_deep_as_they_may():
    assert holds(nested(DEEPEST)) is (DEEPEST % 2 == 1)


def test_a_field_of_an_unknown_type_is_our_own_mistake():
    with pytest.raises(TypeError):
        compile_condition({"all": []}, fields={"tags": list})
