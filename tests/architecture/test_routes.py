"""Every route of every service says what it needs, and its documentation can be read and tried."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from jsonschema import Draft202012Validator, FormatChecker

from common.auth import SCOPES, undeclared_routes
from common.http import threaded_dependencies
from common.openapi import openapi_gaps, operations
from common.service import Service
from hilo.contracts import scratch_app
from hilo.services import SERVICES

# The calls on which front-ends, channel systems, the demo and the command line rely.
PROMISED = """
POST /interactions/v1/touchpoints
POST /interactions/v1/touchpoints:batch
POST /interactions/v1/touchpoints/{}:retract
POST /interactions/v1/touchpoints/{}:redact
POST /interactions/v1/commitments/{}:keep
POST /interactions/v1/commitments/{}:waive
POST /interactions/v1/cases/{}:answer
POST /interactions/v1/cases/{}:verify
POST /interactions/v1/cases/{}:reopen
POST /interactions/v1/cases/{}:close
POST /interactions/v1/conversations/{}:park
POST /interactions/v1/conversations/{}:close
GET /interactions/v1/resume
POST /interactions/v1/resume
GET /interactions/v1/customers/{}/timeline
GET /interactions/v1/customers/{}/may-contact
GET /interactions/v1/conversations/{}
GET /interactions/v1/commitments
GET /interactions/v1/cases
GET /identity/v1/customers
GET /identity/v1/customers/{}
PATCH /identity/v1/customers/{}
POST /identity/v1/customers/{}/identifiers
POST /identity/v1/customers/{}/facts
POST /identity/v1/customers/{}/consents
PUT /identity/v1/customers/{}/preferences
POST /identity/v1/merges:preview
POST /identity/v1/merges
POST /identity/v1/merges/{}:undo
GET /identity/v1/reviews
POST /identity/v1/reviews/{}:decide
POST /identity/v1/access-keys
GET /identity/v1/access-keys
DELETE /identity/v1/access-keys/{}
GET /scoring/v1/customers/{}/value
GET /scoring/v1/customers/{}/history
GET /scoring/v1/customers/{}/signals
GET /scoring/v1/customers
GET /scoring/v1/reports/abc
GET /scoring/v1/reports/pareto
GET /scoring/v1/reports/kpis
GET /scoring/v1/policies/thresholds
GET /scoring/v1/policies/treatment
PUT /scoring/v1/policies/thresholds
PUT /scoring/v1/policies/treatment
GET /service-audit/v1/cycles/{}
PUT /service-audit/v1/cycles/{}
GET /service-audit/v1/customers/{}/evidence
GET /service-audit/v1/scorecards
GET /identity/v1/parked
GET /identity/v1/parked/{}
PUT /identity/v1/parked/{}
POST /identity/v1/parked/{}:replay
POST /identity/v1/parked/{}:drop
GET /interactions/v1/parked
GET /interactions/v1/parked/{}
PUT /interactions/v1/parked/{}
POST /interactions/v1/parked/{}:replay
POST /interactions/v1/parked/{}:drop
GET /scoring/v1/parked
GET /scoring/v1/parked/{}
PUT /scoring/v1/parked/{}
POST /scoring/v1/parked/{}:replay
POST /scoring/v1/parked/{}:drop
GET /service-audit/v1/parked
GET /service-audit/v1/parked/{}
PUT /service-audit/v1/parked/{}
POST /service-audit/v1/parked/{}:replay
POST /service-audit/v1/parked/{}:drop
"""


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
def service(request) -> Service:
    return request.param


@pytest.fixture(scope="module")
def app(service, tmp_path_factory) -> FastAPI:
    return scratch_app(service, tmp_path_factory.mktemp("scratch"))


def test_every_route_declares_its_scope(app):
    assert undeclared_routes(app) == []


async def test_without_a_credential_every_route_says_so_whatever_else_is_missing(app):
    client = AsyncClient(transport=ASGITransport(app), base_url="http://test")
    answers = {
        f"{method} {path}": (await client.request(method, re.sub(r"{.*?}", "some", path))).status_code
        for path, method, operation in operations(app.openapi())
        if "x-scope" in operation
    }
    assert {where: status for where, status in answers.items() if status != 401} == {}


def test_no_route_waits_for_a_thread_to_read_its_own_dependencies(app):
    assert threaded_dependencies(app) == []


def test_every_declared_scope_is_one_of_ours(app):
    declared = {
        scope for _, _, operation in operations(app.openapi()) for scope in operation.get("x-scope", "").split()
    }
    assert declared
    assert declared <= set(SCOPES)


def test_the_documentation_has_no_gaps(app):
    assert openapi_gaps(app) == []


def test_a_reading_route_needs_no_scope_to_write(app):
    wrong = [
        f"{path}: {operation['x-scope']}"
        for path, method, operation in operations(app.openapi())
        if method == "get" and operation.get("x-scope", "").endswith(":write")
    ]
    assert wrong == []


def test_every_example_is_what_its_schema_says(app):
    document = app.openapi()
    wrong = [
        f"{where}: {error.json_path} {error.message}"
        for where, schema, example in examples(document)
        for error in Draft202012Validator(
            {**schema, "components": document["components"]}, format_checker=FormatChecker()
        ).iter_errors(example)
    ]
    assert wrong == []


def test_every_body_that_is_sent_has_an_example(app):
    document = app.openapi()
    shown = {where for where, _, _ in examples(document)}
    bodies = [
        f"{method.upper()} {path} body"
        for path, method, operation in operations(document)
        if "requestBody" in operation
    ]
    assert [body for body in bodies if body not in shown] == []


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Where an example stands, the schema it is an example of, and the example."""
    for path, method, operation in operations(document):
        where = f"{method.upper()} {path}"
        for media in operation.get("requestBody", {}).get("content", {}).values():
            yield from shown(f"{where} body", media, document)
        for status, answer in operation["responses"].items():
            for media in answer.get("content", {}).values():
                yield from shown(f"{where} answer {status}", media, document)


def shown(where: str, media: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    schema = media.get("schema", {})
    if "example" in media:
        yield where, schema, media["example"]
    for named in media.get("examples", {}).values():
        if "value" in named:
            yield where, schema, named["value"]
    resolved = followed(schema, document)
    items = followed(resolved.get("items", {}), document)
    for inside, wrap in ((resolved, False), (items, True)):
        given = [inside["example"]] if "example" in inside else inside.get("examples", [])
        for example in given:
            yield where, schema, [example] if wrap else example


def followed(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_operation_ids_are_stable_and_unique_within_a_service(app):
    ids = [operation["operationId"] for _, _, operation in operations(app.openapi())]
    assert len(ids) == len(set(ids))


def test_every_call_that_clients_were_promised_is_there(service, app):
    there = {f"{method.upper()} {path_without_names(path)}" for path, method, _ in operations(app.openapi())}
    mine = {line for line in PROMISED.split("\n") if line.partition(" ")[2].startswith(f"/{service.name}/")}
    assert sorted(mine - there) == []


def path_without_names(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)
