"""Merge and undo by people: what objects, which two traces the decision concerns, and what is to be decided anew."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.errors import Conflict, Invalid, NotFound
from common.identifiers import RANK
from identity.contact.domain import Consent, covers
from identity.linking.domain import (
    Decision,
    Proof,
    Trail,
    World,
    compare_documents,
    compare_names,
    kept_by,
    moved_by,
)
from identity.sightings.domain import Sighting, with_name


class UnknownMerge(NotFound):
    code = "unknown-merge"
    title = "There is no such merge"


class SameCustomer(Invalid):
    code = "same-customer"
    title = "A customer cannot be merged with himself"


class KeptApart(Conflict):
    code = "kept-apart"
    title = "A person decided that these are two; lift that decision first"


class GuardObjects(Conflict):
    code = "guard-objects"
    title = "What is on record says that these are two; send force to merge all the same"


class AlreadyUndone(Conflict):
    code = "already-undone"
    title = "The merge was undone before"


class NotKeptApart(NotFound):
    code = "not-kept-apart"
    title = "Nothing keeps these two traces apart"


def objections(one: UUID, other: UUID, world: World) -> list[str]:
    """Why these two may not be one person: kept-apart, other-document, unclear-document, document-one-digit-off, other-name."""
    a, b = world.persona(one), world.persona(other)
    found = ["kept-apart"] if world.are_kept_apart(a.traces, b.traces) else []
    documents = {"differ": "other-document", "unclear": "unclear-document", "slip": "document-one-digit-off"}
    compared = compare_documents(a, b)
    found += [documents[compared]] if compared in documents else []
    return [*found, "other-name"] if compare_names(a, b) == "other" else found


@dataclass(frozen=True)
class Lost:
    """What one of the two had agreed to and would no longer, because the other refused."""

    purpose: str
    channel: str
    refused_at: datetime


def lost(
    entries: Collection[Consent], *, alone: Sequence[Sequence[Mapping[str, Any]]], together: Sequence[Mapping[str, Any]]
) -> list[Lost]:
    """Consents that hold of one of the two `alone` and not of both `together`, whether said of a channel or of all."""
    found = []
    for purpose, channel in sorted({(each["purpose"], each["channel"]) for each in together}):
        if _agreed(together, purpose, channel) is False and any(_agreed(his, purpose, channel) for his in alone):
            refusals = [e for e in entries if covers(e.purpose, purpose) and covers(e.channel, channel)]
            found.append(Lost(purpose, channel, max(e.given_at for e in refusals if not e.granted)))
    return found


def _agreed(consents: Iterable[Mapping[str, Any]], purpose: str, channel: str) -> bool | None:
    """As may-contact asks it: the latest that covers purpose and channel; of one moment the refusal. None: he never said."""
    said = [each for each in consents if covers(each["purpose"], purpose) and covers(each["channel"], channel)]
    latest = max(said, key=lambda each: (datetime.fromisoformat(each["at"]), not each["granted"]), default=None)
    return None if latest is None else bool(latest["granted"])


def representative(trails: Iterable[Trail]) -> UUID | None:
    """The trace that stands for a customer in a decision: the one of his strongest and best proved identifier."""
    best = min(
        trails, key=lambda t: (RANK.get(t.scheme, 9), t.proof == "claimed", t.via is not None, t.trace_id), default=None
    )
    return best.trace_id if best else None


def came_later(
    present: Collection[UUID], before: Mapping[str, Any] | None, others: Iterable[Collection[UUID]]
) -> set[UUID]:
    """The traces that came while the merge stood: neither side's before it, nor brought in by another merge since.

    `others`: the traces that each later merge brought in from outside.
    """
    brought = {trace for other in others for trace in other}
    return set(present) - moved_by(before).keys() - kept_by(before).keys() - brought


@dataclass(frozen=True)
class Grounds:
    """Whose a trace is, and on what ground; none given: as it is."""

    customer_id: UUID | None
    proof: Proof
    via: UUID | None


def grounds_of(merge: Decision, since: Sequence[Decision], present: Mapping[UUID, Trail]) -> dict[UUID, Grounds]:
    """Where the traces of `present` belong without the merge and without those that the rules made since.

    What a person moved elsewhere meanwhile is not in `present`, and stays there.
    """
    found = {trace: Grounds(trail.customer_id, trail.proof, trail.via) for trace, trail in present.items()}
    for decision in (*reversed(since), merge):
        for trace, image in kept_by(decision.before).items():
            if trace in found and image:
                found[trace] = Grounds(found[trace].customer_id, image["proof"], _via(image))
        for trace, image in moved_by(decision.before).items():
            if trace in found and (decision is merge or found[trace].customer_id == decision.survivor):
                found[trace] = Grounds(decision.absorbed, image["proof"], _via(image))
    return found


def _via(image: Mapping[str, Any]) -> UUID | None:
    return UUID(image["via"]) if image["via"] else None


def rewound(trail: Trail, until: Sequence[Sighting], since: Sequence[Sighting], *, by_hand: Collection[UUID]) -> Trail:
    """The trail without what it was taught by the touchpoints `since` alone; what a person put on it stays."""
    if not since:
        return trail
    earlier = {c.identifier_id for sighting in until for c in sighting.carried}
    proved = {c.identifier_id for sighting in until for c in sighting.carried if c.attested}
    lately = {c.identifier_id for sighting in since for c in sighting.carried}
    carried = {
        identifier: replace(
            c, attested=c.attested and (identifier in proved or identifier not in lately or identifier in by_hand)
        )
        for identifier, c in trail.carried.items()
        if identifier in earlier or identifier in by_hand or identifier not in lately
    }
    names: tuple[str, ...] = ()
    for name in (*(s.name for s in until), *(set(trail.names) - {s.name for s in since})):
        names = with_name(names, name)
    return replace(trail, carried=carried, names=names)
