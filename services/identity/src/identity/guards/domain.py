"""When a guard bites: an identifier that too many share, a customer who gathers too many, a number that is another's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, product
from typing import Any, Literal
from uuid import UUID

from rapidfuzz.distance import OSA

from common.company import IdentifierRules, NewWithin
from common.errors import Invalid
from common.ids import new_id
from common.names import compatible, tokens
from identity.linking.domain import Carried, Doubt, World

Guard = Literal["shared-identifier", "gathers-too-many", "unique-identifier", "blocked-identifier"]
SHARED_IDENTIFIER: Guard = "shared-identifier"
MOST_SLIPS = 12  # numbers; nobody misspells his own more often


class BlockedIdentifier(Invalid):
    code = "blocked-identifier"
    title = "This is nobody's identifier; it is on the block list"


@dataclass(frozen=True)
class Trip:
    """A guard bit. `about` says on what, so that it barks once; `figures` are counts and limits, never a value."""

    trip_id: UUID
    guard: Guard
    about: str
    scheme: str
    identifier_id: UUID | None
    customer_id: UUID | None
    trace_id: UUID | None
    figures: Mapping[str, Any]
    at: datetime


def reached(identifier: Carried, world: World) -> tuple[int, int]:
    """How many customers the identifier reaches, and of how many people documents of one type were given beside it."""
    numbers: dict[str, dict[str, set[str]]] = {}
    for trail in world.carriers(identifier.identifier_id):
        full = [name for name in trail.names if len(tokens(name)) > 1]
        for carried in trail.carried.values():
            if carried.scheme == "document":
                kind, _, number = carried.value.rpartition(":")
                numbers.setdefault(kind, {}).setdefault(number, set()).update(full)
    return len(world.owners(identifier.identifier_id)), max(map(_people_of, numbers.values()), default=0)


def _people_of(numbers: Mapping[str, set[str]]) -> int:
    """Of how many people numbers are, each with the full names it was told under: one digit off under one name is a slip."""
    if len(numbers) > MOST_SLIPS:
        return len(numbers)
    people: list[list[str]] = []
    for number in sorted(numbers):
        same = [mine for mine in people if any(_is_slip(number, other, numbers) for other in mine)]
        people = [mine for mine in people if mine not in same] + [[number, *chain.from_iterable(same)]]
    return len(people)


def _is_slip(one: str, other: str, names: Mapping[str, set[str]]) -> bool:
    if OSA.distance(one, other, score_cutoff=1) > 1:
        return False
    return any(compatible(mine, theirs) for mine, theirs in product(names[one], names[other]))


def too_common(identifier: Carried, world: World, rules: IdentifierRules) -> Mapping[str, Any] | None:
    """The figures by which an identifier proves contact from now on, not identity; None where it proves both.

    It reaches more customers than its scheme allows, or more documents of one type were given beside it: a phone under
    which many cédulas call is a shop's. Attested for one person, one of a unique scheme stays his, whoever else types it.
    """
    limit = rules.limits.get(identifier.scheme)
    if limit is None or identifier.scheme == "customer":
        return None
    carriers = world.carriers(identifier.identifier_id)
    if identifier.scheme in rules.unique_once_attested and any(
        trail.carried[identifier.identifier_id].attested for trail in carriers
    ):
        return None
    customers, documents = reached(identifier, world)
    if identifier.scheme == "document":
        documents = 0  # it is one itself
    if max(customers, documents) <= limit:
        return None
    return {"customers": customers, "documents": documents, "limit": limit}


def shared(identifier: Carried, figures: Mapping[str, Any], *, trace_id: UUID, at: datetime) -> Trip:
    about = f"shared/{identifier.identifier_id}"
    return Trip(
        new_id(), SHARED_IDENTIFIER, about, identifier.scheme, identifier.identifier_id, None, trace_id, figures, at
    )


def gathers(first_seen: Iterable[tuple[UUID, str, datetime]], rules: IdentifierRules, *, at: datetime) -> list[Trip]:
    """Customers with more new identifiers of a scheme than one person gathers within the scheme's days. Said once a day.

    `first_seen`: customer, scheme, and when the customer was first seen with an identifier of it.
    """
    counts: Counter[tuple[UUID, str]] = Counter()
    for customer_id, scheme, since in first_seen:
        window = rules.windows.get(scheme)
        if window is not None and since > at - timedelta(days=window.days):
            counts[customer_id, scheme] += 1
    return [
        _gathering(customer_id, scheme, count, rules.windows[scheme], at=at)
        for (customer_id, scheme), count in sorted(counts.items())
        if count > rules.windows[scheme].at_most
    ]


def _gathering(customer_id: UUID, scheme: str, count: int, window: NewWithin, *, at: datetime) -> Trip:
    about = f"gathers/{customer_id}/{scheme}/{at.date()}"
    figures = {"count": count, "at_most": window.at_most, "days": window.days}
    return Trip(new_id(), "gathers-too-many", about, scheme, None, customer_id, None, figures, at)


def unique(doubts: Iterable[Doubt], *, at: datetime) -> list[Trip]:
    """Each of the two has an attested number of his own, and something joins them all the same."""
    return [
        Trip(
            new_id(), "unique-identifier", f"unique/{min(d.left, d.right)}/{max(d.left, d.right)}", d.scheme, d.identifier_id, None,
            d.left, {"other_trace": str(d.right)}, at,
        )
        for d in doubts
        if "other-document" in d.reasons
    ]  # fmt: skip


def blocked(identifier: Carried, *, trace_id: UUID, at: datetime) -> Trip:
    about = f"blocked/{identifier.identifier_id}"
    return Trip(
        new_id(), "blocked-identifier", about, identifier.scheme, identifier.identifier_id, None, trace_id, {}, at
    )
