"""Roles of parties (reference, target account, partner) and the directory of our own people and places."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.errors import Conflict, NotFound
from identity.contact.domain import covers

REFERENCE, TARGET, PARTNER = "reference", "target_account", "partner"
TARGET_NAMES = 3  # "at least three names": a target account with fewer is incomplete
ILL_REGARDED = "ill_regarded"


class NoSuchRole(NotFound):
    code = "no-such-role"
    title = "The party does not have that role"


class NoConsentToShow(Conflict):
    code = "no-consent-to-show"
    title = "He has not agreed to be shown to prospects (purpose `reference`), or took it back"


class UsedUp(Conflict):
    code = "reference-used-up"
    title = "The reference has no uses left; he must not be worn out"


class PartnerIllRegarded(Conflict):
    code = "partner-ill-regarded"
    title = "Customers think ill of the partner: no alliance with it"


class UnknownEntry(NotFound):
    code = "unknown-directory-entry"
    title = "Nobody and nothing of ours has that code"


@dataclass(frozen=True)
class PartyRole:
    """What a party is to us as of a moment, whole. No body: it has the role no more."""

    role_id: UUID
    trace_id: UUID
    role: str
    body: dict[str, Any] | None
    by: str
    at: datetime

    @property
    def version(self) -> int:
        return self.role_id.int % 10**18


@dataclass(frozen=True)
class Entry:
    """Somebody who works for us, or a place of ours."""

    kind: str  # staff | site
    code: str
    body: dict[str, Any]
    version: int
    by: str
    at: datetime

    @property
    def active(self) -> bool:
        return bool(self.body.get("active", True))


def latest_of_each(said: Iterable[PartyRole]) -> dict[str, PartyRole]:
    """Of each role what was said last, an end included."""
    latest: dict[str, PartyRole] = {}
    for each in sorted(said, key=lambda role: (role.at, role.role_id)):
        latest[each.role] = each
    return latest


def uses_left(reference: Mapping[str, Any], used: int) -> int:
    """How often he may still be shown. `used`: over all time, so that a new testimonial gives no new uses."""
    return max(0, int(reference["max_uses"]) - used)


def as_told(said: Iterable[PartyRole], *, used: int) -> dict[str, dict[str, Any] | None]:
    """What he is to us, for whoever talks with him: a reference with what is left of it, a partner with its standing."""
    bodies = {role: each.body for role, each in latest_of_each(said).items()}
    reference, partner = bodies.get(REFERENCE), bodies.get(PARTNER)
    return {
        REFERENCE: reference and {
            "uses_left": uses_left(reference, used), "offerings": reference.get("offerings", []),
            "industry": reference.get("industry"),
        },
        PARTNER: partner and {key: partner.get(key) for key in ("kind", "standing", "active")},
    }  # fmt: skip


def consents_to_be_shown(consents: Iterable[Mapping[str, Any]]) -> bool:
    """Whether he agreed to the purpose `reference`, withdrew it on no channel, and everything not since. `consents`: those that hold."""
    said = [each for each in consents if covers(each["purpose"], REFERENCE)]
    agreed = [_at(each) for each in said if each["granted"] and each["purpose"] == REFERENCE]
    refused = [each for each in said if not each["granted"]]
    return bool(agreed) and not any(each["purpose"] == REFERENCE or _at(each) >= max(agreed) for each in refused)


def _at(consent: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(consent["at"])


def check_use(reference: Mapping[str, Any], *, used: int, consents: Iterable[Mapping[str, Any]]) -> None:
    """Raises NoConsentToShow or UsedUp (S0-43)."""
    if not consents_to_be_shown(consents):
        raise NoConsentToShow
    if uses_left(reference, used) == 0:
        raise UsedUp


def check_partner(body: Mapping[str, Any]) -> None:
    """Raises PartnerIllRegarded: no alliance is active with whom customers think ill of (S0-88)."""
    if body.get("standing") == ILL_REGARDED and body.get("active"):
        raise PartnerIllRegarded(pointer="/active")
