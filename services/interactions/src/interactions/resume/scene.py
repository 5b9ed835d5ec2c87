"""What every section of a resume looks at, and the few words that all of them use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from common.company import Company
from interactions.contact.domain import Wishes, wishes_of
from interactions.parts.domain import CONTACT, PROFILE, VALUE
from interactions.resume.domain import Memory, Question, Reader, Touchpoint, Who

Packet = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """What every section looks at."""

    who: Who
    memory: Memory
    question: Question
    reader: Reader
    company: Company
    now: datetime

    def body(self, source: str) -> Mapping[str, Any]:
        part = self.memory.parts.get(source)
        return part.body if part is not None else {}

    @cached_property
    def contacts(self) -> list[Touchpoint]:
        """The latest first; of two at once the one recorded later comes later."""
        return sorted(self.memory.touchpoints, key=_in_time, reverse=True)

    @cached_property
    def wishes(self) -> Wishes:
        time_zone = self.company.time_zone
        return wishes_of(self.body(CONTACT), self.body(VALUE), time_zone=time_zone)


def people_of(scene: Scene, roles: Iterable[str]) -> list[Mapping[str, Any]]:
    """Those around him who have one of the roles."""
    wanted = set(roles)
    return [person for person in scene.body(PROFILE).get("people") or [] if str(person.get("role")).lower() in wanted]


def _in_time(contact: Touchpoint) -> tuple[datetime, datetime, str]:
    return contact.occurred_at, contact.recorded_at, contact.touchpoint_id


def hours(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds()) / 3600, 1)


def moment_of(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
