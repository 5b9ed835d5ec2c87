"""Merge and undo by people: what objects, which two traces the decision concerns, and what is to be decided anew."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from common.errors import Conflict, Invalid, NotFound
from common.identifiers import RANK
from identity.linking.domain import Trail, World, compare_documents, compare_names


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


def representative(trails: Iterable[Trail]) -> UUID | None:
    """The trace that stands for a customer in a decision: the one of his strongest and best proved identifier."""
    best = min(
        trails, key=lambda t: (RANK.get(t.scheme, 9), t.proof == "claimed", t.via is not None, t.trace_id), default=None
    )
    return best.trace_id if best else None


def moved_by(before: Mapping[str, Any] | None) -> dict[UUID, Mapping[str, Any]]:
    """The before-image: the traces that a merge moved, each with the ground it stood on."""
    return {UUID(each["trace"]): each for each in (before or {}).get("moved", [])}


def kept_by(before: Mapping[str, Any] | None) -> set[UUID]:
    return {UUID(each) for each in (before or {}).get("kept", [])}


def came_later(
    present: Collection[UUID], before: Mapping[str, Any] | None, others: Sequence[Mapping[str, Any]]
) -> set[UUID]:
    """The traces that came while the merge stood: neither side's before it, nor brought in by another merge since.

    `others`: the traces that each later merge brought in from outside.
    """
    brought = {UUID(trace) for other in others for trace in other["traces"]}
    return set(present) - moved_by(before).keys() - kept_by(before) - brought
