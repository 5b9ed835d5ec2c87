"""What callers do wrong is refused as the OpenAPI documents say, and what these show can be sent as it stands."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from common.auth import SCOPES, dev_token
from common.company import Company
from common.db import Database
from common.openapi import operations
from common.service import Runtime, make_ready
from common.testing import TEST_SECRET, client_for, settings_for
from hilo.services import SERVICES

NOBODY = "0192f0c1-ffff-7000-8000-00000000ffff"
OUTSIDE = {"healthz", "readyz", "metrics"}  # open to all, and asked for nothing
UNREADABLE = ("{", "[]", "{}", "null", '"a word"', '{"reason": "\\u0000"}', b"\xff\xfe")
UNUSABLE = ("", "\x00", "x" * 3_000, "2026-13-45", "-1", "99999999999999999999")
NEVER_OF_AN_EXAMPLE = {"invalid", "malformed"}


@dataclass(frozen=True)
class Asked:
    """One request, and in words what is wrong with it."""

    operation: dict[str, Any]
    method: str
    path: str
    wrong: str
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: str | bytes | None = None

    async def of(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(self.method, self.path, params=self.params, headers=self.headers, content=self.body)


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
async def client(request, tmp_path_factory) -> AsyncIterator[httpx.AsyncClient]:
    service = request.param
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('refusals')}/{service.package}.db"
    runtime = Runtime(settings_for(type(service.settings()), database_url=url), Database.connect(url), Company.load())
    await make_ready(service, runtime)
    async with client_for(service.create_app(runtime)) as client:
        client.headers["X-Service"] = service.name
        yield client
    await runtime.database.dispose()


async def document_of(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get(f"/{client.headers['X-Service']}/openapi.json")).json()


async def test_every_mistake_is_refused_as_the_document_says(client):
    answered = [
        (asked, await asked.of(client))
        for asked in mistakes(await document_of(client), credentials=others_credentials())
    ]
    assert len(answered) > 100
    assert [f"{asked.method} {asked.path} with {asked.wrong}: {found}" for asked, found in surprises(answered)] == []


async def test_every_body_that_is_shown_is_understood(client):
    document = await document_of(client)
    for path, method, operation in operations(document):
        for kind, example in bodies(operation, document):
            sent = example if isinstance(example, str) else json.dumps(example)
            headers = {"Content-Type": kind, **versions(operation)}
            asked = Asked(operation, method, unheard_of(path, operation), "its example", body=sent, headers=headers)
            answer = await asked.of(client)
            assert found_wrong(asked, answer) is None, answer.text
            assert answer.is_success or answer.json()["code"] not in NEVER_OF_AN_EXAMPLE, f"{path}: {answer.text}"


async def test_a_reason_of_blanks_is_none(client):
    """Whatever is done to what is there already (POST, an id in the path) wants a reason in words."""
    document, taken = await document_of(client), []
    for path, method, operation in operations(document):
        for kind, example in bodies(operation, document) if method == "post" and "}:" in path else ():
            blank = {name: " \t " for name in ("reason", "text") if name in example}
            sent, headers = json.dumps({**example, **blank}), {"Content-Type": kind, **versions(operation)}
            asked = Asked(operation, method, unheard_of(path, operation), "no reason", body=sent, headers=headers)
            answer = await asked.of(client)
            if blank and [error["pointer"] for error in answer.json()["errors"]] != [f"/{next(iter(blank))}"]:
                taken.append(f"{path}: {answer.status_code} {answer.text}")
    assert taken == []


def mistakes(document: dict[str, Any], *, credentials: Mapping[str, str]) -> Iterator[Asked]:
    for path, method, operation in operations(document):
        if path.rpartition("/")[2] in OUTSIDE:
            continue
        kind, example = next(iter(bodies(operation, document)), (None, None))
        asked = Asked(
            operation,
            method,
            unheard_of(path, operation),
            "an id of nobody's",
            params=needed(operation),
            headers=versions(operation) | ({"Content-Type": kind} if kind else {}),
            body=example if isinstance(example, str | None) else json.dumps(example),
        )
        if "{" in path or method == "get":  # all else would be as it should be
            yield asked
        yield from wrong_places(asked, path)
        yield from wrong_parameters(asked)
        if kind is not None:
            yield from (replace(asked, wrong=f"the body {unread!r}", body=unread) for unread in UNREADABLE)
        for what, credential in credentials.items():
            headers = {**asked.headers, "Authorization": f"Bearer {credential}"}
            yield replace(asked, wrong=f"a credential {what}", headers=headers)


def wrong_places(asked: Asked, path: str) -> Iterator[Asked]:
    if "{" in path:
        for rubbish in ("not-an-id", "a%00b", "x" * 3_000):
            yield replace(asked, wrong=f"{rubbish[:10]} for an id", path=re.sub(r"\{\w+\}", rubbish, path))


def wrong_parameters(asked: Asked) -> Iterator[Asked]:
    for parameter in asked.operation.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] == "query":
            for value in UNUSABLE:
                yield replace(asked, wrong=f"{name}={value[:12]!r}", params={**asked.params, name: value})
        elif parameter["in"] == "header":
            yield replace(asked, wrong=f"another {name}", headers={**asked.headers, name: "x" * 300})


def surprises(answered: list[tuple[Asked, httpx.Response]]) -> Iterator[tuple[Asked, str]]:
    for asked, answer in answered:
        if (found := found_wrong(asked, answer)) is not None:
            yield asked, found


def found_wrong(asked: Asked, answer: httpx.Response) -> str | None:
    """What the document does not say of the answer; None where it says it."""
    told = asked.operation["responses"].get(str(answer.status_code))
    if told is None:
        return f"{answer.status_code} {answer.text[:300]}"
    if answer.is_error:
        examples = told["content"]["application/problem+json"]["examples"]
        code = answer.json()["code"]
        if code not in {each["value"]["code"] for each in examples.values()}:
            return f"{answer.status_code} {code}"
    return None


def bodies(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Kind and value of each body that the document shows."""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        schema = media.get("schema", {})
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        named = [each["value"] for each in media.get("examples", {}).values()]
        given = [media["example"]] if "example" in media else named or [schema.get("example")]
        for example in [*(each for each in given if each is not None), *schema.get("examples", [])]:
            yield kind, example


def needed(operation: dict[str, Any]) -> dict[str, str]:
    """A value for each parameter of the query that may not be left out."""
    return {
        each["name"]: next(iter(each["schema"].get("enum") or each["schema"].get("examples") or each["examples"]))
        for each in operation.get("parameters", [])
        if each["in"] == "query" and each.get("required")
    }


def versions(operation: dict[str, Any]) -> dict[str, str]:
    names = {each["name"] for each in operation.get("parameters", [])}
    return {"If-Match": '"0"'} if "If-Match" in names else {}


def unheard_of(path: str, operation: dict[str, Any]) -> str:
    """The path with the values that the document shows, and else with ids of nobody's."""
    shown = {
        each["name"]: next(iter(each["schema"].get("enum") or each["schema"].get("examples") or [NOBODY]))
        for each in operation.get("parameters", [])
        if each["in"] == "path"
    }
    return path.format(**shown)


def others_credentials() -> dict[str, str]:
    """Bearers who may not do everything, by what they are."""
    everything = [scope for scope in SCOPES if scope != "*"]
    return {
        "without a scope": dev_token(TEST_SECRET, subject="nobody", scopes=[]),
        "of another source": dev_token(TEST_SECRET, subject="gateway", scopes=everything, source="elsewhere"),
        "of a customer": dev_token(TEST_SECRET, subject="he", scopes=everything, hilo_subject=f"customer:{NOBODY}"),
        "that is none": "nothing",
    }
