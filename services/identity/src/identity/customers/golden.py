"""The golden record as a caller reads it, and the version by which a change is told."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson

from common.auth import Principal
from common.company import Survivorship
from identity.assignments.domain import NANNY, OWNER
from identity.customers.domain import (
    Assigned,
    CarriedIdentifier,
    Customer,
    Dossier,
    TraceInfo,
    display_name,
    one_of_each,
    people_around,
    preferred_name,
    reason_of,
    survivors,
)
from identity.knowledge.domain import Fact, current_facts
from identity.sightings.domain import ProfileValue


@dataclass(frozen=True)
class Golden:
    """One customer, each value with where it came from. `version` changes with every part of it."""

    customer: Customer
    merged_into: UUID | None
    display_name: str | None
    preferred_name: str | None
    values: Sequence[ProfileValue]
    identifiers: Sequence[CarriedIdentifier]
    facts: Sequence[Fact]
    people: Sequence[Assigned]
    traces: Sequence[TraceInfo]
    reasons: Mapping[str, str] = field(default_factory=dict)  # why each value stands

    @property
    def version(self) -> int:
        content: dict[str, Any] = asdict(self)
        for told in ("profiled", "profile_digest", "contacted", "contact_digest"):
            content["customer"].pop(told)
        del content["reasons"]
        body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
        return int.from_bytes(hashlib.sha256(body).digest()[:7])


def golden_of(dossier: Dossier, who: Principal, rules: Survivorship, *, went_to: UUID | None = None) -> Golden:
    """The record for this caller: the customer himself sees what is proved to be his, and nothing that is ours. `went_to`: who absorbed him."""
    seen = dossier.of_proven_traces() if who.subject is not None else dossier
    values, facts = survivors(seen.values, rules), current_facts(seen.facts)
    staff_only = who.subject is not None
    return Golden(
        replace(seen.customer, key_account=False) if staff_only else seen.customer,
        went_to,
        display_name(values),
        preferred_name(values, facts, seen.customer.kind),
        [values[key] for key in sorted(values)],
        one_of_each(seen.identifiers),
        [] if staff_only else [facts[key] for key in sorted(facts)],
        _as_he_knows_them(seen.assigned) if staff_only else people_around(seen.assigned),
        [] if staff_only else seen.traces,
        {key: reason_of(value, rules) for key, value in values.items()},
    )


def _as_he_knows_them(assigned: Iterable[Assigned]) -> list[Assigned]:
    """Who looks after him, without what we tell one another of him (R21)."""
    his = (each for each in people_around(assigned) if each.role in (OWNER, NANNY))
    return [replace(each, staff_id=None, handover_note=None) for each in his]
