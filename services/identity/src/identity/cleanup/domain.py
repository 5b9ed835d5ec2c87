"""Which records are stale, dead, duplicate or unreachable, by rules that are data; and what may be done about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.errors import Conflict, Invalid, NotFound
from common.rules import Condition, compile_condition
from identity.customers.domain import REACHED_BY, Dossier
from identity.knowledge.domain import current_facts
from identity.reviews.domain import Review

Action = Literal["archive", "do-not-contact", "merge"]
State = Literal["finding", "proposed", "acting", "done", "undoing", "undone"]
ItemState = Literal["proposed", "left-out", "done", "not-possible", "taken-back"]

# What a rule may ask about one record; a pair in doubt has the last three instead.
FIELDS: Mapping[str, type] = {
    "kind": str, "key_account": bool, "days_known": int, "days_since_seen": int, "traces": int, "identifiers": int,
    "values": int, "facts": int, "has_name": bool, "has_phone": bool, "has_email": bool, "has_document": bool,
    "has_address": bool, "reachable": bool, "looked_after": bool, "deceased": bool,
}  # fmt: skip
FIELDS_OF_PAIRS: Mapping[str, type] = {"shares": str, "reason": str, "probability": float, "days_open": int}

SHIPPED: Mapping[str, Mapping[str, Any]] = {
    "stale": {
        "when": {"all": [
            {"field": "days_since_seen", "op": "ge", "value": 1095},
            {"field": "key_account", "op": "eq", "value": False},
            {"field": "looked_after", "op": "eq", "value": False},
        ]},
        "do": "archive",
    },
    "dead": {"when": {"field": "deceased", "op": "eq", "value": True}, "do": "archive"},
    "unreachable": {
        "when": {"all": [
            {"field": "reachable", "op": "eq", "value": False},
            {"field": "days_since_seen", "op": "ge", "value": 365},
        ]},
        "do": "do-not-contact",
    },
    "duplicate": {"when": {"field": "probability", "op": "ge", "value": 0.9}, "do": "merge"},
}  # fmt: skip


class UnknownCleanup(NotFound):
    code = "unknown-cleanup"
    title = "There is no such clean-up"


class NotInThatState(Conflict):
    code = "not-in-that-state"
    title = "The run is not where this can be done"


class NotProposed(Invalid):
    code = "not-proposed"
    title = "Not everything that is to be left out is an item that the run proposes; nothing is done"


@dataclass(frozen=True)
class Cleanup:
    """One run."""

    cleanup_id: UUID
    rule: Mapping[str, Any]
    action: Action
    reason: str
    state: State
    by: str
    at: datetime
    place: UUID | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    undone_by: str | None = None
    undone_at: datetime | None = None
    undo_reason: str | None = None

    @property
    def condition(self) -> Condition:
        return condition_of(self.rule)

    @property
    def signature(self) -> str:
        """By whom what it does was done."""
        return f"clean-up {self.cleanup_id}"


@dataclass(frozen=True)
class Item:
    """What a run proposes for one customer, or for a pair: `other_id` would absorb him."""

    item_id: UUID
    cleanup_id: UUID
    customer_id: UUID
    other_id: UUID | None
    figures: Mapping[str, Any]
    state: ItemState = "proposed"
    note: str | None = None
    outcome: UUID | None = None
    moved_at: datetime | None = None


def condition_of(rule: Mapping[str, Any]) -> Condition:
    """Raises InvalidCondition with the place in the rule."""
    fields = FIELDS_OF_PAIRS if rule["do"] == "merge" else FIELDS
    return compile_condition(rule["when"], fields=fields, pointer="/rule/when")


def figures_of(dossier: Dossier, *, now: datetime) -> dict[str, Any]:
    """What is counted of a record; nothing personal, so that a proposal may be kept."""
    schemes = {carried.scheme for carried in dossier.identifiers}
    keys = {value.key for value in dossier.values if value.value is not None}
    facts = current_facts(dossier.facts)
    # what staff wrote under his id is no sign of life
    contacts = (trace.last_seen for trace in dossier.traces if trace.scheme != "customer")
    seen = max(contacts, default=dossier.customer.since)
    deceased = facts.get("deceased")
    return {
        "kind": dossier.customer.kind,
        "key_account": dossier.customer.key_account,
        "days_known": (now - dossier.customer.since).days,
        "days_since_seen": (now - seen).days,
        "traces": len(dossier.traces),
        "identifiers": len({carried.text for carried in dossier.identifiers}),
        "values": len(keys),
        "facts": len(facts),
        "has_name": bool({"full_name", "organisation"} & keys),
        "has_phone": "phone" in schemes,
        "has_email": "email" in schemes,
        "has_document": "document" in schemes,
        "has_address": "address" in keys,
        "reachable": bool(REACHED_BY & schemes),
        "looked_after": any(each.staff_id is not None for each in dossier.assigned),
        "deceased": deceased is not None and deceased.value is True,
    }


def figures_of_pair(review: Review, *, now: datetime) -> dict[str, Any]:
    """What is known of a pair in doubt; null where matching did not say how likely it is."""
    told = review.explanation
    probability = told.get("probability")
    return {
        "shares": told.get("shares"),
        "reason": next(iter(told.get("reasons") or []), None),
        "probability": float(probability) if probability is not None else None,
        "days_open": (now - review.opened_at).days,
    }
