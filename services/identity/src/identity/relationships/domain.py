"""What holds between two parties (relaciones): dated series, contacts of organisations, referrals and their limit."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from common.errors import Conflict, Invalid, NotFound
from common.moments import written
from identity.knowledge.domain import Put

WORKS_FOR, HOUSEHOLD, REFERRED, SHOWN_TO = "works_for", "household_member", "referred", "shown_to"
OWN_WAYS = frozenset({REFERRED, SHOWN_TO, "referred_by"})  # under limits of their own
MUTUAL = frozenset({"partner_of", "same_owner", "relative_of"})  # the same said from either side
LEADS_TO: Mapping[str, str] = {WORKS_FOR: "organisation", HOUSEHOLD: "household"}
REFERRAL = "referral"  # the question whether he would send us somebody, noted like one of the drip dialogue
REFERRAL_DAYS = 180  # one request in so many days (S0-42)
MOST_NAMED = 5  # of each kind of tie that a resume shows; the others are counted
MOST_TOLD = 20  # contacts of an organisation that its resume shows
DECIDING = ("decider", "payer", "buyer", "influencer", "user")  # in the order in which one wants to know them


class RelatedToHimself(Invalid):
    code = "related-to-himself"
    title = "Both ends of the relationship are one customer"


class WrongKindOfParty(Invalid):
    code = "wrong-kind-of-party"
    title = "One works for an organisation, and lives in a household"


class KindHasItsOwnWay(Invalid):
    code = "kind-has-its-own-way"
    title = "Referrals and showings have limits: use their own calls"


class EndsBeforeItBegan(Invalid):
    code = "ends-before-it-began"
    title = "A relationship cannot end before it began"


class UnknownContact(NotFound):
    code = "unknown-contact"
    title = "He is not among the contacts of the organisation"


class ReferralTooSoon(Conflict):
    code = "referral-limit"
    title = "He was asked for a referral less than 180 days ago"


class ComplaintOpen(Conflict):
    code = "open-case"
    title = "He has a complaint open: nothing is asked of him until it is settled"


@dataclass(frozen=True)
class Relationship:
    """What was said of two parties at one time; kept by their traces, read by the customers who own those by now."""

    relationship_id: UUID
    from_trace: UUID
    to_trace: UUID
    kind: str
    body: dict[str, Any]  # what is particular to the kind: function, seniority, status ...
    since: datetime
    until: datetime | None
    source: str
    by: str
    at: datetime
    from_customer: UUID | None = None
    to_customer: UUID | None = None

    @property
    def version(self) -> int:
        return self.relationship_id.int % 10**18

    def holds(self, now: datetime) -> bool:
        return self.until is None or self.until > now

    def other_than(self, customer_id: UUID) -> UUID | None:
        return self.to_customer if self.from_customer == customer_id else self.from_customer


def latest_of_each(said: Iterable[Relationship]) -> list[Relationship]:
    """Of each pair and kind what was said last, the newest first. What was said of two who are one by now says nothing."""
    latest: dict[tuple[Any, ...], Relationship] = {}
    for each in sorted(said, key=_order):
        if each.from_customer != each.to_customer:
            latest[_series(each)] = each
    return sorted(latest.values(), key=_order, reverse=True)


def of_pair(one: UUID, other: UUID, kind: str, said: Iterable[Relationship]) -> Relationship | None:
    """What was said last of the kind between the two; of a mutual kind from either side."""
    wanted = _series_of(one, other, kind)
    return next((each for each in latest_of_each(said) if _series(each) == wanted), None)


def _order(each: Relationship) -> tuple[datetime, UUID]:
    return each.at, each.relationship_id


def _series(each: Relationship) -> tuple[Any, ...]:
    return _series_of(each.from_customer, each.to_customer, each.kind)


def _series_of(one: UUID | None, other: UUID | None, kind: str) -> tuple[Any, ...]:
    return (frozenset((one, other)) if kind in MUTUAL else (one, other), kind)


def contacts_of(organisation: UUID, said: Iterable[Relationship], *, now: datetime) -> list[Relationship]:
    """The organisation's people who are still there: those who decide first, then by who was confirmed last."""
    people = [r for r in latest_of_each(said) if r.kind == WORKS_FOR and r.to_customer == organisation and r.holds(now)]
    return sorted(people, key=by_weight)


def staff_of(organisations: Collection[UUID], said: Iterable[Relationship], *, most: int) -> list[Relationship]:
    """Of each organisation at most so many of its people: those of whom no end is known first, then those who decide."""
    counted: Counter[UUID | None] = Counter()
    people = [r for r in latest_of_each(said) if r.kind == WORKS_FOR and r.to_customer in organisations]
    chosen = []
    for each in sorted(people, key=lambda r: (r.until is not None, by_weight(r))):
        counted[each.to_customer] += 1
        if counted[each.to_customer] <= most:
            chosen.append(each)
    return chosen


def by_weight(contact: Relationship) -> int:
    """The place of a contact among the others of his organisation: who decides comes first."""
    decision_role = contact.body.get("decision_role")
    return DECIDING.index(decision_role) if decision_role in DECIDING else len(DECIDING)


def employers_of(person: UUID, said: Iterable[Relationship]) -> set[UUID]:
    """Organisations among whose people he is shown, or was until lately."""
    return {
        r.to_customer
        for r in latest_of_each(said)
        if r.kind == WORKS_FOR and r.from_customer == person and r.to_customer is not None
    }


def ties_of(customer_id: UUID, said: Iterable[Relationship], *, now: datetime) -> list[dict[str, Any]]:
    """His network (red de relaciones, R25) in short: of each kind how many hold, and the newest of them by their ids.

    `given`: it leads from him to the other one (whom he sent us, through whom he buys), not to him; None: it is mutual.
    Who works for him is told among his people, to whom he was shown as what is left of his uses.
    """
    ties: defaultdict[tuple[str, bool | None], list[Relationship]] = defaultdict(list)
    for each in latest_of_each(said):
        given = None if each.kind in MUTUAL else each.from_customer == customer_id
        known = each.other_than(customer_id) is not None
        if known and each.holds(now) and (each.kind, given) not in _TOLD_OTHERWISE:
            ties[each.kind, given].append(each)
    return [
        {
            "kind": kind, "given": given, "count": len(found),
            "others": [_told_of(each.other_than(customer_id), each) for each in found[:MOST_NAMED]],
        }
        for (kind, given), found in sorted(ties.items(), key=lambda tie: (tie[0][0], not tie[0][1]))
    ]  # fmt: skip


_TOLD_OTHERWISE = {(WORKS_FOR, False), (SHOWN_TO, True), (SHOWN_TO, False)}


def _told_of(other: UUID | None, said: Relationship) -> dict[str, Any]:
    return {
        "customer_id": str(other), "since": written(said.since), "status": said.body.get("status"),
        "decision_role": said.body.get("decision_role"),
    }  # fmt: skip


def times_shown(customer_id: UUID, said: Iterable[Relationship]) -> int:
    """How often he was shown to a prospect, over all time."""
    return sum(r.kind == SHOWN_TO and r.from_customer == customer_id for r in said)


def check_ends(kind: str, *, leads_to: str, since: datetime, until: datetime | None, pointer: str = "/to_id") -> None:
    """Raises what makes the relationship impossible. `leads_to`: the kind of the party at its far end, `pointer` where it was named."""
    if LEADS_TO.get(kind, leads_to) != leads_to:
        raise WrongKindOfParty(pointer=pointer)
    if until is not None and until < since:
        raise EndsBeforeItBegan(pointer="/until")


# --- referrals --------------------------------------------------------------------------------------------------------


def referral_allowed_at(puts: Iterable[Put]) -> datetime | None:
    """When he may be asked for a referral again (S0-42); None: he was never asked."""
    asked = [put.at for put in puts if put.question_id == REFERRAL]
    return max(asked) + timedelta(days=REFERRAL_DAYS) if asked else None


def check_referral_request(puts: Iterable[Put], *, complains: bool, now: datetime) -> None:
    """Raises ComplaintOpen, or ReferralTooSoon with the next allowed date."""
    if complains:
        raise ComplaintOpen
    allowed_at = referral_allowed_at(puts)
    if allowed_at is not None and allowed_at > now:
        raise ReferralTooSoon(f"Not again before {written(allowed_at)}")


def of_kind(customer_id: UUID, kind: str, said: Iterable[Relationship], *, given: bool) -> list[Relationship]:
    """The latest of each series of a kind that starts (`given`) or ends at the customer."""
    return [
        r for r in latest_of_each(said)
        if r.kind == kind and (r.from_customer if given else r.to_customer) == customer_id
    ]  # fmt: skip


# --- executives for executives ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counterpart:
    """Somebody of theirs, and whoever of ours has the same function and rank, the one who was entered first."""

    contact: Relationship
    staff_id: str | None


def counterparts(contacts: Iterable[Relationship], staff: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Counterpart]:
    """Whom of ours should call whom of theirs (S0-92): the same function, the same seniority. `staff`: code and what we know."""
    ours: dict[tuple[Any, Any], str] = {}
    for staff_id, body in sorted(staff, key=lambda each: each[0]):
        ours.setdefault((body.get("function"), body.get("seniority")), staff_id)
    known = [c for c in contacts if c.body.get("function") and c.body.get("seniority")]
    return [Counterpart(c, ours.get((c.body["function"], c.body["seniority"]))) for c in known]


def gaps_of_target(contacts: Collection[Relationship], *, needed: int) -> list[str]:
    """What we still do not know of an organisation that we want (cuenta objetivo): names first, then who decides."""
    gaps = [f"{needed - len(contacts)} more contacts"] if len(contacts) < needed else []
    if not any(c.body.get("decision_role") == "decider" for c in contacts):
        gaps.append("who decides")
    if contacts and not all(c.body.get("function") for c in contacts):
        gaps.append("the function of every contact")
    return gaps
