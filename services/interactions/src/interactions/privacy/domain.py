"""By what a parked body is known to be an erased person's. No I/O, no clock."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

_BETWEEN = re.compile(r"[\s().\-/]+")
_NATIONAL = 10  # digits of a phone number that stand in every way of writing it
_SHORTEST = 6  # a shorter word stands by chance in the body of somebody else
_IN_DIGITS = frozenset({"phone", "document"})


@dataclass(frozen=True)
class Marks:
    """External ids of his, and words that only a body about him names."""

    external_ids: frozenset[tuple[str, str]]
    words: frozenset[str]
    digits: frozenset[str]

    def are_in(self, origin: str, body: str) -> bool:
        """Whether the body, from a source or a topic, is his: by its external id, an identifier however written, or an id of ours."""
        document = _read(body)
        if isinstance(document, Mapping) and "external_id" in document:
            source = str(document.get("source") or origin)
            if (source, str(document["external_id"])) in self.external_ids:
                return True
        text = (body if document is None else orjson.dumps(document).decode()).casefold()
        if any(word in text for word in self.words):
            return True
        closed = _BETWEEN.sub("", text)
        return any(number in closed for number in self.digits)


def marks_of(rows: Iterable[Any], ids: Collection[UUID], *, others: Collection[UUID]) -> Marks:
    """From his touchpoints; identifiers that somebody else carries as well (`others`) say nothing."""
    external_ids, words, digits = set(), {str(each) for each in ids}, set()
    for row in rows:
        external_ids.add((row.source, row.external_id))
        for one in row.identifiers:
            if UUID(one["id"]) in others:
                continue
            words |= {one["id"], *(w.casefold() for w in (one["given"], one["value"]) if len(w) >= _SHORTEST)}
            number = re.sub(r"\D", "", one["value"])[-_NATIONAL:]
            if one["scheme"] in _IN_DIGITS and len(number) >= _SHORTEST:
                digits.add(number)
    return Marks(frozenset(external_ids), frozenset(words), frozenset(digits))


def _read(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
