"""What makes OpenAPI read well: scopes, refusals and examples on every operation, and a list of what is missing."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from common import problems
from common.auth import RateExceeded, ScopeMissing, scopes_of
from common.errors import Invalid, Refusal, Unauthenticated, Unavailable
from common.pagination import InvalidCursor

_METHODS = frozenset({"get", "put", "post", "patch", "delete"})
_SHOWING = frozenset({"example", "examples", "const", "enum", "default"})
_WITH_CREDENTIAL: tuple[type[Refusal], ...] = (Unauthenticated, ScopeMissing, RateExceeded, Unavailable)
_WITH_BODY: tuple[type[Refusal], ...] = (problems.Malformed, problems.TooLarge, Invalid)


def described(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's document with our refusals, scopes and the schema of a problem. Changes and returns it."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    scopes = _scopes(app)
    for path, method, operation in operations(document):
        _tell_scopes(operation, scopes.get((path, method), set()))
        _tell_refusals(operation)
    _put_nulls_back(document)
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of each in the document."""
    for path, item in document["paths"].items():
        for method in sorted(_METHODS & item.keys()):
            yield path, method, item[method]


def _scopes(app: FastAPI) -> dict[tuple[str, str], set[str]]:
    return {
        (str(context.path_format), method.lower()): scopes_of(context.dependant)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    }


def _tell_scopes(operation: dict[str, Any], scopes: set[str]) -> None:
    if not scopes:
        return
    operation["x-scope"] = " ".join(sorted(scopes))
    words = ", ".join(f"`{scope}`" for scope in sorted(scopes))
    operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope {words}.".strip()


def _tell_refusals(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # FastAPI's own form, which is never sent
    refusals: list[type[Refusal]] = []
    if "x-scope" in operation:
        refusals += _WITH_CREDENTIAL
    if "requestBody" in operation:
        refusals += _WITH_BODY
    elif "parameters" in operation:
        refusals.append(Invalid)
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
        refusals.append(InvalidCursor)
    for status, answer in problems.problems_of(*refusals).items():
        _merge(responses, str(status), answer)


def _merge(responses: dict[str, Any], status: str, answer: dict[str, Any]) -> None:
    there = responses.setdefault(status, answer)
    ours = answer["content"][problems.MEDIA_TYPE]
    media = there.setdefault("content", {}).setdefault(problems.MEDIA_TYPE, ours)
    media["examples"] = {**ours["examples"], **media.get("examples", {})}


def _put_nulls_back(document: dict[str, Any]) -> None:
    """FastAPI leaves nulls out of examples; where an answer has the key with null, its example shows it."""
    media = [media for _, _, operation in operations(document) for _, _, media in _media_of(operation)]
    pairs = [(schema, schema) for schema in document["components"]["schemas"].values()]
    for holder, schema in [*pairs, *((each, each.get("schema", {})) for each in media)]:
        if "example" in holder:
            holder["example"] = _whole(holder["example"], schema, document)
        if isinstance(holder.get("examples"), list):
            holder["examples"] = [_whole(example, schema, document) for example in holder["examples"]]
        elif "examples" in holder:
            for named in holder["examples"].values():
                named["value"] = _whole(named["value"], schema, document)


def _whole(example: Any, schema: Any, document: dict[str, Any]) -> Any:
    schema = _followed(schema, "object" if isinstance(example, dict) else "array", document)
    if isinstance(example, list):
        return [_whole(item, schema.get("items", {}), document) for item in example]
    if not isinstance(example, dict):
        return example
    parts, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    absent = [name for name in schema.get("required", ()) if name not in example and _may_be_null(parts.get(name, {}))]
    names = [name for name in parts if name in example or name in absent]
    whole = {name: _whole(example.get(name), parts[name], document) for name in names}
    return whole | {name: _whole(value, others, document) for name, value in example.items() if name not in parts}


def _followed(schema: Any, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, or the alternative of it that is of this kind."""
    if not isinstance(schema, dict):
        return {}
    if reference := schema.get("$ref"):
        return _followed(document["components"]["schemas"][reference.rpartition("/")[2]], kind, document)
    found = (_followed(part, kind, document) for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())))
    return next((part for part in found if part.get("type") == kind), schema)


def _may_be_null(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ()) or schema.get("type") == "null" or not schema.keys() - {"title"}


def openapi_gaps(app: FastAPI) -> list[str]:
    """Everything that a reader would miss: a summary, a description, an example. A test asserts that nothing is."""
    document = app.openapi()
    gaps: list[str] = []
    seen: dict[str, str] = {}
    for path, method, operation in operations(document):
        where = f"{method.upper()} {path}"
        gaps += [f"{where}: {gap}" for gap in _gaps_of(operation, document)]
        twin = seen.setdefault(operation["operationId"], where)
        if twin != where:
            gaps.append(f"{where}: has the operation id of {twin}")
    return gaps


def _gaps_of(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    described = operation.get("description", "").partition("Needs the scope")[0].strip()
    for part, present in (
        ("summary", operation.get("summary")),
        ("description", described),
        ("tag", operation.get("tags")),
    ):
        if not present:
            yield f"no {part}"
    for what, kind, media in _media_of(operation):
        if not _has_example(media, document):
            yield f"no example of {what} ({kind})"
    for parameter in operation.get("parameters", []):
        if not (parameter.get("description") or parameter["in"] == "path"):
            yield f"no description of the parameter {parameter['name']}"


def _media_of(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "the body", kind, media
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for kind, media in answer.get("content", {}).items():
                yield f"the answer {status}", kind, media


def _has_example(media: dict[str, Any], document: dict[str, Any]) -> bool:
    return bool(media.get("example") or media.get("examples")) or _shows(media.get("schema", {}), document, frozenset())


def _shows(schema: Any, document: dict[str, Any], open_refs: frozenset[str]) -> bool:
    """Whether the documentation can show a real value: the schema has an example, or all of its parts have one."""
    if not isinstance(schema, dict):
        return False
    if _SHOWING & schema.keys() or schema.get("type") == "boolean":
        return True
    if reference := schema.get("$ref"):
        target = document["components"]["schemas"][reference.rpartition("/")[2]]
        return reference in open_refs or _shows(target, document, open_refs | {reference})
    members = [part for together in ("anyOf", "oneOf", "allOf") for part in schema.get(together, [])]
    if schema.get("type") == "array":
        members = [schema.get("items")]
    if members:
        return any(_shows(part, document, open_refs) for part in members)
    parts = schema.get("properties") or {}
    return bool(parts) and all(_shows(part, document, open_refs) for part in parts.values())
