"""What would break those who rely on a document: the changes from an old to a new event schema, OpenAPI or AsyncAPI document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Schema = Mapping[str, Any]
_METHODS = ("delete", "get", "patch", "post", "put")


class Side(Enum):
    """Who relies on a schema. An event is read by code older and newer than its writer, so it is bound on both sides."""

    TAKEN = "taken"  # others send it: what they sent so far must still be taken
    GIVEN = "given"  # others read it: what they read so far must still be there
    EVENT = "event"


def breaking(old: Schema, new: Schema) -> list[str]:
    """Each breaking change as one line that begins with its place; an empty list where nobody needs to change anything."""
    if "openapi" in old:
        return list(_operations(old, new))
    if "asyncapi" in old:
        return list(_messages(old, new))
    return list(_Comparison(old, new, Side.EVENT).schema(old, new, ""))


# --- schemas ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Comparison:
    old_document: Schema
    new_document: Schema
    side: Side
    open_references: frozenset[str] = frozenset()

    def schema(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Everything that broke at `where` and below."""
        reference = f"{old.get('$ref')} {new.get('$ref')}"
        if "$ref" in old or "$ref" in new:
            if reference in self.open_references:
                return
            inside = _Comparison(self.old_document, self.new_document, self.side, self.open_references | {reference})
            old, new = _resolved(old, self.old_document), _resolved(new, self.new_document)
            yield from inside.schema(old, new, where)
            return
        yield from self._types(old, new, where)
        yield from self._values(old, new, where)
        yield from self._fields(old, new, where)
        for name in ("items", "additionalProperties"):
            before, after = old.get(name), new.get(name)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.schema(before, after, f"{where}/*")
        yield from self._alternatives(old, new, where)

    def _types(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = _types(old, self.old_document), _types(new, self.new_document)
        lost, gained = before - after, after - before
        if not before or not after:  # anything at all
            lost, gained = (after, set()) if after else (set(), before)
        if self.side is not Side.TAKEN and gained - _harmless(self.side):
            yield f"{where or '/'}: may be {_listed(gained)} now"
        if self.side is not Side.GIVEN and lost - _harmless(self.side):
            yield f"{where or '/'}: is no longer {_listed(lost)}"

    def _values(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = _values(old), _values(new)
        if self.side is Side.GIVEN or after is None:
            return
        if before is None:
            yield f"{where or '/'}: is limited to {_listed(after)}"
        elif lost := before - after:
            yield f"{where or '/'}: the value {_listed(lost)} is gone"

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before.keys() - after.keys()):
            yield f"{where}/{name}: is gone"
        was, now = set(old.get("required", ())), set(new.get("required", ()))
        if self.side is not Side.GIVEN:
            for name in sorted(now - was):
                yield f"{where}/{name}: is required now"
        else:
            for name in sorted((was - now) & after.keys()):
                yield f"{where}/{name}: may be absent now"
        for name in sorted(before.keys() & after.keys()):
            yield from self.schema(before[name], after[name], f"{where}/{name}")

    def _alternatives(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Alternatives of one kind are compared in their order: the object, the list, of either."""
        before, after = _by_type(old, self.old_document), _by_type(new, self.new_document)
        for kind in before.keys() & after.keys() & {"object", "array", "string"}:
            if (before[kind], after[kind]) != (old, new):
                yield from self.schema(before[kind], after[kind], where)


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        place: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        schema = place
    return schema


def _parts(schema: Schema, document: Schema) -> list[Schema]:
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [_resolved(part, document) for part in alternatives] or [schema]


def _types(schema: Schema, document: Schema) -> set[str]:
    found: set[str] = set()
    for part in _parts(schema, document):
        kinds = part.get("type", ())
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            found.add(f"{kind} ({part['format']})" if "format" in part else kind)
    return found


def _by_type(schema: Schema, document: Schema) -> dict[str, Schema]:
    """The only alternative of each type; where there are several of one type, they cannot be told apart."""
    parts = _parts(schema, document)
    kinds = [part.get("type") for part in parts]
    return {
        kind: part for kind, part in zip(kinds, parts, strict=True) if isinstance(kind, str) and kinds.count(kind) == 1
    }


def _values(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {str(schema["const"])}
    return {str(value) for value in schema["enum"]} if "enum" in schema else None


def _harmless(side: Side) -> set[str]:
    return {"null"} if side is Side.EVENT else set()  # nulls do not travel in events


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def _operations(old: Schema, new: Schema) -> Iterator[str]:
    for path, item in old["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            where = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{where}: is gone"
            else:
                yield from (f"{where}: {change}" for change in _operation(item[method], after, old, new))


def _operation(before: Schema, after: Schema, old: Schema, new: Schema) -> Iterator[str]:
    if before.get("operationId") != after.get("operationId"):
        yield f"its operation id is no longer {before.get('operationId')}"
    yield from _parameters(before, after, old, new)
    yield from _request(before, after, old, new)
    for status, answer in before.get("responses", {}).items():
        if not status.startswith("2"):
            continue
        if status not in after["responses"]:
            yield f"the answer {status} is gone"
            continue
        pairs = _media(answer, after["responses"][status])
        yield from _bodies(pairs, _Comparison(old, new, Side.GIVEN), f"answer {status}")


def _parameters(before: Schema, after: Schema, old: Schema, new: Schema) -> Iterator[str]:
    known, now = _by_name(before), _by_name(after)
    for name in sorted(known.keys() - now.keys()):
        yield f"the parameter {name} is gone"
    for name, parameter in sorted(now.items()):
        if parameter.get("required") and not known.get(name, {}).get("required"):
            yield f"the parameter {name} is required now"
    for name in sorted(known.keys() & now.keys()):
        compared = _Comparison(old, new, Side.TAKEN).schema(
            known[name].get("schema", {}), now[name].get("schema", {}), f"parameter {name}"
        )
        yield from compared


def _by_name(operation: Schema) -> dict[str, Schema]:
    """Names of headers are one however they are written."""
    return {
        parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]: parameter
        for parameter in operation.get("parameters", ())
    }


def _request(before: Schema, after: Schema, old: Schema, new: Schema) -> Iterator[str]:
    was, now = before.get("requestBody"), after.get("requestBody")
    if now and now.get("required") and not (was or {}).get("required"):
        yield "a body is required now"
    if was and not now:
        yield "no body is taken any more"
    if was and now:
        yield from _bodies(_media(was, now), _Comparison(old, new, Side.TAKEN), "body")


def _media(before: Schema, after: Schema) -> Iterator[tuple[str, Schema, Schema | None]]:
    for kind, media in before.get("content", {}).items():
        yield kind, media.get("schema", {}), after.get("content", {}).get(kind, {}).get("schema")


def _bodies(pairs: Iterator[tuple[str, Schema, Schema | None]], comparison: _Comparison, where: str) -> Iterator[str]:
    for kind, before, after in pairs:
        if after is None:
            yield f"{where}: {kind} is gone"
        else:
            yield from comparison.schema(before, after, where)


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def _messages(old: Schema, new: Schema) -> Iterator[str]:
    """Topics, directions and the events in them; what the events hold is compared by their own schemas."""
    yield from (f"{name}: is gone" for name in _gone(old["operations"], new["operations"]))
    for name, channel in old["channels"].items():
        after = new["channels"].get(name)
        if after is None:
            yield f"{name}: is gone"
            continue
        if after["address"] != channel["address"]:
            yield f"{name}: has another address"
        yield from (f"{name}: no longer carries {event}" for event in _gone(channel["messages"], after["messages"]))


def _gone(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    return sorted(before.keys() - after.keys())
