"""What counts as a breaking change of a contract, case by case."""

import copy
from typing import Any

import pytest

from hilo.breaking import breaking


def event(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string", "format": "uuid"}, **properties},
    }


STATE = {"type": "string", "enum": ["active", "merged"]}
AMOUNT = {"anyOf": [{"$ref": "#/$defs/Money"}, {"type": "null"}]}
MONEY = {"type": "object", "required": ["minor"], "properties": {"minor": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(event(), event(), [], id="nothing changed"),
        pytest.param(event(), event(site={"type": "string"}), [], id="an optional field more"),
        pytest.param(
            event(),
            event(site={"type": "string"}) | {"required": ["id", "site"]},
            ["/site: is required now"],
            id="a required field more",
        ),
        pytest.param(event() | {"required": []}, event(), ["/id: is required now"], id="a field becomes required"),
        pytest.param(event(), event() | {"required": []}, [], id="a field becomes optional"),
        pytest.param(event(site={"type": "string"}), event(), ["/site: is gone"], id="a field removed"),
        pytest.param(
            event(n={"type": "integer"}),
            event(n={"type": "string"}),
            ["/n: may be string now", "/n: is no longer integer"],
            id="a type changed",
        ),
        pytest.param(
            event(at={"type": "string", "format": "date-time"}),
            event(at={"type": "string", "format": "date"}),
            ["/at: may be string (date) now", "/at: is no longer string (date-time)"],
            id="a format changed",
        ),
        pytest.param(
            event(n={"type": "integer"}),
            event(n={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            [],
            id="null, which does not travel",
        ),
        pytest.param(event(n={}), event(n={"type": "string"}), ["/n: is no longer string"], id="anything narrowed"),
        pytest.param(
            event(s=STATE), event(s={**STATE, "enum": ["active", "merged", "archived"]}), [], id="a value more"
        ),
        pytest.param(
            event(s=STATE),
            event(s={**STATE, "enum": ["active"]}),
            ["/s: the value merged is gone"],
            id="a value removed",
        ),
        pytest.param(
            event(s={"type": "string"}), event(s=STATE), ["/s: is limited to active, merged"], id="values limited"
        ),
        pytest.param(
            event(s={"type": "string", "const": "a"}),
            event(s={"type": "string", "enum": ["a", "b"]}),
            [],
            id="one value becomes several",
        ),
        pytest.param(
            event(s={"anyOf": [STATE, {"type": "null"}]}),
            event(s={"anyOf": [{**STATE, "enum": ["merged"]}, {"type": "null"}]}),
            ["/s: the value active is gone"],
            id="a value removed from an alternative",
        ),
        pytest.param(
            event(a=AMOUNT) | {"$defs": {"Money": MONEY}},
            event(a=AMOUNT) | {"$defs": {"Money": {**MONEY, "required": ["minor", "currency"]}}},
            ["/a/currency: is required now"],
            id="a required field more behind a reference",
        ),
        pytest.param(
            event(moves={"type": "array", "items": MONEY}),
            event(moves={"type": "array", "items": {**MONEY, "properties": {}}}),
            ["/moves/*/minor: is gone"],
            id="a field removed in a list",
        ),
        pytest.param(
            event(a={"$ref": "#/$defs/Node"})
            | {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}},
            event(a={"$ref": "#/$defs/Node"})
            | {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "x": {}}}}},
            [],
            id="a schema that refers to itself",
        ),
    ],
)
def test_changes_of_an_event(old, new, expected):
    assert breaking(old, new) == expected


def api() -> dict[str, Any]:
    """A small API: one operation with a parameter, a body and an answer."""
    taken = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}, "site": {"type": "string"}},
    }
    given = {"type": "object", "required": ["id", "case"], "properties": {"id": {"type": "string"}, "case": AMOUNT}}
    return {
        "openapi": "3.1.0",
        "paths": {
            "/x/v1/things": {
                "post": {
                    "operationId": "record_thing",
                    "parameters": [
                        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                        {"name": "if-match", "in": "header", "schema": {"type": "string"}},
                    ],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": taken}}},
                    "responses": {
                        "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
                    },
                }
            }
        },
        "components": {"schemas": {"Thing": given}},
        "$defs": {"Money": MONEY},
    }


OPERATION = ("paths", "/x/v1/things", "post")
BODY = (*OPERATION, "requestBody", "content", "application/json", "schema")
ANSWER = ("components", "schemas", "Thing")


def changed(*path: Any, to: Any = None) -> dict[str, Any]:
    """The API with the value at the path replaced, or removed where no value is given."""
    document = copy.deepcopy(api())
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


POST = "POST /x/v1/things: "


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(api(), [], id="nothing changed"),
        pytest.param(changed("paths", "/x/v1/more", to={"get": {"responses": {}}}), [], id="a path more"),
        pytest.param(changed("paths", "/x/v1/things"), [POST + "is gone"], id="a path removed"),
        pytest.param(changed(*OPERATION), [POST + "is gone"], id="an operation removed"),
        pytest.param(
            changed(*OPERATION, "operationId", to="post_thing"),
            [POST + "its operation id is no longer record_thing"],
            id="an operation id changed",
        ),
        pytest.param(
            changed(*BODY, "required", to=["kind", "site"]),
            [POST + "body/site: is required now"],
            id="request: required",
        ),
        pytest.param(changed(*BODY, "required", to=[]), [], id="request: a field becomes optional"),
        pytest.param(
            changed(*BODY, "properties", "site"), [POST + "body/site: is gone"], id="request: a field removed"
        ),
        pytest.param(
            changed(*BODY, "properties", "kind", to={"type": "string", "enum": ["a"]}),
            [POST + "body/kind: is limited to a"],
            id="request: values limited",
        ),
        pytest.param(
            changed(*BODY, "properties", "kind", to={"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            [],
            id="request: takes more",
        ),
        pytest.param(changed(*OPERATION, "requestBody"), [POST + "no body is taken any more"], id="request: no body"),
        pytest.param(
            changed(*OPERATION, "requestBody", "content", to={"application/x-ndjson": {"schema": {}}}),
            [POST + "body: application/json is gone"],
            id="request: a media type removed",
        ),
        pytest.param(
            changed(*OPERATION, "parameters", to=[]),
            [POST + "the parameter if-match is gone", POST + "the parameter limit is gone"],
            id="parameters removed",
        ),
        pytest.param(
            changed(*OPERATION, "parameters", 1, "name", to="If-Match"), [], id="a header's name in other letters"
        ),
        pytest.param(
            changed(*OPERATION, "parameters", 0, "required", to=True),
            [POST + "the parameter limit is required now"],
            id="a parameter becomes required",
        ),
        pytest.param(
            changed(*OPERATION, "parameters", 0, "schema", to={"type": "boolean"}),
            [POST + "parameter limit: is no longer integer"],
            id="a parameter's type changed",
        ),
        pytest.param(
            changed(*ANSWER, "properties", "id"), [POST + "answer 201/id: is gone"], id="answer: a field removed"
        ),
        pytest.param(changed(*ANSWER, "properties", "more", to={"type": "string"}), [], id="answer: a field more"),
        pytest.param(
            changed(*ANSWER, "required", to=["id"]),
            [POST + "answer 201/case: may be absent now"],
            id="answer: may be absent",
        ),
        pytest.param(
            changed(*ANSWER, "properties", "id", to={"anyOf": [{"type": "string"}, {"type": "null"}]}),
            [POST + "answer 201/id: may be null now"],
            id="answer: may be null",
        ),
        pytest.param(
            changed(*OPERATION, "responses", to={"200": {}}), [POST + "the answer 201 is gone"], id="answer gone"
        ),
    ],
)
def test_changes_of_an_api(new, expected):
    assert breaking(api(), new) == expected


def topics() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "channels": {"x-v1": {"address": "x.v1", "messages": {"x-made": {}}}},
        "operations": {"send-x-v1": {"action": "send"}},
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, [], id="nothing changed"),
        pytest.param(
            {"channels": {"x-v1": {"address": "x.v1", "messages": {"x-made": {}, "x-kept": {}}}}},
            [],
            id="an event more",
        ),
        pytest.param(
            {"channels": {"x-v1": {"address": "x.v1", "messages": {}}}},
            ["x-v1: no longer carries x-made"],
            id="an event removed",
        ),
        pytest.param(
            {"channels": {"x-v1": {"address": "x.v2", "messages": {"x-made": {}}}}},
            ["x-v1: has another address"],
            id="another address",
        ),
        pytest.param({"channels": {}}, ["x-v1: is gone"], id="a channel removed"),
        pytest.param({"operations": {}}, ["send-x-v1: is gone"], id="an operation removed"),
    ],
)
def test_changes_of_topics(change, expected):
    assert breaking(topics(), topics() | change) == expected
