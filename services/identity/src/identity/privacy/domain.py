"""The certificate of an erasure: which service has taken out what, and when all of them have."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.errors import NotFound

SERVICES = ("identity", "interactions", "scoring", "service-audit")
OWN = "identity"
RECTIFY = "rectify"  # the kind of a decision by which a value was put right


class UnknownErasure(NotFound):
    code = "unknown-erasure"
    title = "There is no such erasure"


@dataclass(frozen=True)
class Erasure:
    """That somebody was erased, in how many parts the others were told, and when the last has confirmed."""

    erasure_id: UUID
    customer_id: UUID
    reason: str
    by: str
    at: datetime
    parts: int
    completed_at: datetime | None = None

    @property
    def state(self) -> Literal["under-way", "complete"]:
        return "under-way" if self.completed_at is None else "complete"


@dataclass(frozen=True)
class Line:
    """What one service has taken out of one part, and what it keeps: sums under a random key, and receipts."""

    erasure_id: UUID
    service: str
    part: int
    removed: Mapping[str, int]
    kept: Mapping[str, int]
    at: datetime


def without_him(before: Mapping[str, Any], his: Collection[UUID]) -> dict[str, Any]:
    """A before-image without one person: what it says of others is what an undo of theirs still needs. `his`: traces and ids."""
    gone = {str(each) for each in his}
    kept: dict[str, Any] = {**before}
    for part in ("moved", "kept"):
        if part in before:
            kept[part] = [
                each for each in before[part] if (each if isinstance(each, str) else each["trace"]) not in gone
            ]
    if "were" in before:
        kept["were"] = {customer_id: was for customer_id, was in before["were"].items() if customer_id not in gone}
    return kept


def awaited(erasure: Erasure, lines: Collection[Line]) -> list[str]:
    """The services that have not yet confirmed every part."""
    done = {(line.service, line.part) for line in lines}
    return [each for each in SERVICES if any((each, part) not in done for part in range(erasure.parts))]


def added_up(counts: Collection[Mapping[str, int]]) -> dict[str, int]:
    """The counts of several parts together, without those that are nothing."""
    total: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return {name: number for name, number in sorted(total.items()) if number}
