"""What every section of a resume looks at, and the few words that all of them use."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

from common.company import Company
from interactions.contact.domain import Wishes, wishes_of
from interactions.parts.domain import CONTACT, PROFILE, VALUE
from interactions.resume.domain import Memory, Question, Reader, Touchpoint, Who

Packet = dict[str, Any]
Made = TypeVar("Made")


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
    def _made(self) -> dict[str, Any]:
        return self.memory.made.setdefault(self.reader, {})

    def once(self, name: str, make: Callable[["Scene"], Made]) -> Made:
        """What `make` gives, made once of a memory for a reader. It must ask for neither the time nor the question."""
        if name not in self._made:
            self._made[name] = make(self)
        made: Made = self._made[name]
        return made

    @cached_property
    def contacts(self) -> list[Touchpoint]:
        """The latest first; of two at once the one recorded later comes later."""
        return self.once("contacts", _in_turn)

    @cached_property
    def wishes(self) -> Wishes:
        return self.once("wishes", _wishes)


def _in_turn(scene: Scene) -> list[Touchpoint]:
    return sorted(scene.memory.touchpoints, key=_in_time, reverse=True)


def _wishes(scene: Scene) -> Wishes:
    return wishes_of(scene.body(CONTACT), scene.body(VALUE), time_zone=scene.company.time_zone)


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
