"""What one touchpoint teaches about a person, read from its event into the form that the rules work on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from common.company import PROFILE_KEYS, Company
from common.contracts.interactions import PersonSeen
from common.identifiers import RANK
from common.ids import id_of, read_id
from common.names import PARTICLES, TITLES, fold, tokens
from identity.linking.domain import Carried

LONGEST_VALUE = 500
LONGEST_NAME = 300
LONGEST_IDENTIFIER = 300
MOST_NAMES = 6
MOST_TOKENS = 12


@dataclass(frozen=True)
class Sighting:
    """One touchpoint's lesson: who was behind which trace, by which identifiers, with which values."""

    touchpoint_id: UUID
    trace_id: UUID
    occurred_at: datetime
    source: str
    channel: str
    carried: tuple[Carried, ...]
    profile: Mapping[str, str]

    @cached_property
    def scheme(self) -> str:
        return min((carried.scheme for carried in self.carried), key=lambda s: RANK.get(s, 9), default="device")

    @cached_property
    def name(self) -> str | None:
        return name_in(self.profile)


@dataclass(frozen=True)
class ProfileValue:
    """A value on record, whose trace it hangs on, and how sure we are that the trace is the customer's."""

    trace_id: UUID
    key: str
    value: str | None
    source: str
    verified: bool
    first_seen: datetime
    last_seen: datetime


def sighting_of(event: PersonSeen, company: Company) -> Sighting:
    """The lesson of an event. Blocked identifiers are nobody's; an identifier is attested only beside an attested strongest."""
    carried = tuple(each for each in given_in(event) if not is_blocked(each, company))
    strongest = min(carried, key=lambda each: RANK.get(each.scheme, 9), default=None)
    if strongest is not None and not strongest.attested:
        carried = tuple(replace(each, attested=False) if each.attested else each for each in carried)
    return Sighting(
        id_of(event.touchpoint_id.bytes), id_of(event.trace_id.bytes), event.occurred_at, event.source, event.channel, carried,
        clean_profile(event.profile),
    )  # fmt: skip


def given_in(event: PersonSeen) -> list[Carried]:
    return [
        Carried(read_id(str(each["id"])), str(each["scheme"]), str(each["value"]), bool(each.get("attested")))
        for each in event.identifiers
    ]


def is_blocked(identifier: Carried, company: Company) -> bool:
    return company.identifiers.blocks(f"{identifier.scheme}:{identifier.value}")


def clean_profile(profile: Mapping[str, Any]) -> dict[str, str]:
    """The values that we keep, trimmed; a full name is put together where only its parts were given."""
    kept: dict[str, str] = {}
    for key in PROFILE_KEYS:
        value = profile.get(key)
        if value is not None and str(value).strip():
            kept[key] = " ".join(str(value).split())[:LONGEST_VALUE]
    parts = [kept[key] for key in ("given_names", "surnames") if key in kept]
    if "full_name" not in kept and parts:
        kept["full_name"] = " ".join(parts)
    return kept


def name_in(profile: Mapping[str, str]) -> str | None:
    """The folded name that the rules compare: the person's, else the organisation's."""
    name = fold(profile.get("full_name") or profile.get("organisation") or "")
    return name[:LONGEST_NAME] or None


def with_name(names: Collection[str], name: str | None) -> tuple[str, ...]:
    """The names with one more: what another one says more fully is left out, so that the order of arrival does not matter."""
    if not name or name in names:
        return tuple(names)  # they were put in order when the last of them came
    if not names:
        return (name,)
    everything = {*names, name}
    words = {each: set(tokens(each)) for each in everything if each}
    fullest = [each for each in words if not any(words[each] < words[other] for other in words)]
    return tuple(sorted(fullest, key=lambda each: (-len(words[each]), each))[:MOST_NAMES])


def search_words(profile: Mapping[str, str]) -> set[str]:
    """The folded words under which somebody with these names is found."""
    names = [profile[key] for key in ("full_name", "preferred_name", "organisation") if profile.get(key)]
    words = {word[:100] for name in names for word in fold(name).split() if word not in PARTICLES | TITLES}
    return set(sorted(words)[:MOST_TOKENS])


def minted_at(touchpoint_id: UUID) -> datetime:
    """When a version 7 id was made (RFC 9562), to the millisecond: for what was taken in before that was noted."""
    return datetime.fromtimestamp((touchpoint_id.int >> 80) / 1000, UTC)


@lru_cache(maxsize=4_096)  # it is asked for, and then written
def digest_of(value: str | None) -> str:
    return blake2b((value if value is not None else "\0").encode(), digest_size=16).hexdigest()


def kind_of(carried: Iterable[Carried], profile: Mapping[str, str]) -> str:
    """A new customer's kind: an organisation where its name or its tax number is all that was given."""
    if profile.get("full_name"):
        return "person"
    schemes = [c for c in carried if c.scheme == "document"]
    tax_number = any(c.value.startswith(("co-nit:8", "co-nit:9")) for c in schemes)
    return "organisation" if profile.get("organisation") or tax_number else "person"
