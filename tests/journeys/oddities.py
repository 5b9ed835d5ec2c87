"""Touchpoints as no channel should send them and some channel will: every kind, every field, in shapes that its schema allows."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from .people import ago

SOURCES = Path(__file__).parents[2] / "services"
TEXTS = (
    "", " ", "\u200b", "x" * 199, "ñandú", "😀🇨🇴", "\u202eabc", "1", "-1", "1e5", "null", "NaN", "2026-13-45", "a\tb\nc", "<b>x</b>",
    "'; drop table x;--", "%s%n", "{}", "[]", "\x7f", "e\u0301", "İstanbul", "ﬁ", "٣٠٠١٢٣", "phone:300", "@", "..", "\\", "null:",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**19, 1.5, 1e308, -0.0, 1e-320)
AMOUNTS = ("0", "-5.5", "100.00", "80000.50", "1000000000000.00", "-1000000000000.00", "0.0000000001", 100)
CURRENCIES = ("COP", "USD", "JPY", "BHD", "XXX")
MOMENTS = (
    "2024-02-29T23:59:59.999999-05:00",
    "1970-01-01T00:00:00Z",
    "1900-01-01T00:00:00Z",
    "2026-03-29T02:30:00+01:00",
)
OF_OURS = (
    "backfill",
    "case",
    "conversation_id",
    "external_id",
    "identifiers",
    "keeps",
    "kind",
    "occurred_at",
    "source",
)


def words_looked_for() -> list[str]:
    """Whatever word in an open body some line of ours may look for."""
    found: set[str] = set()
    for file in SOURCES.glob("*/src/**/*.py"):
        found |= set(re.findall(r'(?:get\(|\[)"([a-z_]{2,30})"', file.read_text()))
    return sorted(found)


class Channel:
    """Makes touchpoints from the schema that the OpenAPI document shows; the same ones for the same seed."""

    def __init__(self, schema: Mapping[str, Any], people: list[list[str]], *, seed: int) -> None:
        self._properties: Mapping[str, Any] = schema["properties"]
        self._payloads = {
            kind: each for each in self._properties["payload"]["anyOf"] for kind in each["title"].split(" | ")
        }
        self._people = people
        self._random = Random(seed)
        self._words = words_looked_for()

    def touchpoint(self, external_id: str) -> dict[str, Any]:
        one = self._random
        kind = one.choice(sorted(self._payloads))
        person = one.choice(self._people)
        body = {
            name: self._made(of) for name, of in self._properties.items() if name not in OF_OURS and one.random() < 0.4
        }
        return body | {
            "external_id": external_id,
            "kind": kind,
            "channel": one.choice(["call", "email", "shop", "web", "whatsapp"]),
            "identifiers": one.sample(person, one.randrange(1, len(person) + 1)),
            "occurred_at": self._moment(),
            "backfill": one.random() < 0.3,
            "payload": self._object(self._payloads[kind]),
        }

    def _made(self, schema: Mapping[str, Any]) -> Any:
        one = self._random
        if options := [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]:
            return self._made(one.choice(options))
        if "enum" in schema or "const" in schema:
            return one.choice(schema.get("enum") or [schema["const"]])
        numbers = [0, 1, 0.5] if "maximum" in schema else [0, 1, 1.5, 12, *NUMBERS]
        makers: dict[str, Callable[[], Any]] = {
            "string": lambda: self._text(schema),
            "integer": lambda: one.choice(numbers),
            "number": lambda: one.choice(numbers),
            "boolean": lambda: one.random() < 0.5,
            "array": lambda: [self._made(schema["items"]) for _ in range(one.randrange(3))],
            "object": lambda: self._object(schema),
        }
        return makers.get(schema.get("type", ""), self._anything)()

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        one, needed = self._random, schema.get("required", ())
        told = {
            name: self._made(of)
            for name, of in schema.get("properties", {}).items()
            if name in needed or one.random() < 0.4
        }
        if schema.get("additionalProperties"):
            told |= {one.choice([*self._words, "a key of its own"]): self._anything() for _ in range(one.randrange(5))}
        return told

    def _text(self, schema: Mapping[str, Any]) -> Any:
        one, pattern = self._random, schema.get("pattern", "")
        if schema.get("format") == "date-time":
            return self._moment()
        if pattern:
            return one.choice(CURRENCIES if "A-Z" in pattern else AMOUNTS)
        return one.choice(TEXTS)[: schema.get("maxLength", 200)] or ("x" if schema.get("minLength") else "")

    def _moment(self) -> str:
        one = self._random
        days = one.random() * 900
        return one.choice(MOMENTS) if one.random() < 0.1 else ago(days=days)

    def _anything(self, depth: int = 0) -> Any:
        one = self._random
        match one.randrange(6 if depth < 3 else 3):
            case 0:
                return one.choice(TEXTS)
            case 1:
                return one.choice(NUMBERS)
            case 2:
                return one.choice([True, False, None])
            case 3:
                return [self._anything(depth + 1) for _ in range(one.randrange(4))]
        return {one.choice([*self._words, *TEXTS]): self._anything(depth + 1) for _ in range(one.randrange(4))}
