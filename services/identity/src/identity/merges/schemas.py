"""Bodies and answers about merges."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.problems import problem_of
from identity.customers.schemas import PersonAround, Reason
from identity.linking.domain import moved_by
from identity.linking.repository import Decision
from identity.merges.use_cases import FactWins, Fate, Preview, Row, Wins

_A, _B, _M = (f"0192f0c1-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
_AT = "2026-11-20T20:04:05Z"


class MergePair(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"survivor": _A, "absorbed": _B}})

    survivor: UUID
    absorbed: UUID


class MergeAsked(MergePair):
    """The body of the merge itself is taken too, so that what was looked at can be sent as it is."""

    reason: Reason | None = None
    force: bool = False


class MergeCreate(MergePair):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"survivor": _A, "absorbed": _B, "reason": "He says that both numbers are his"}},
    )

    reason: Reason
    force: bool = Field(
        False, description="Merge although a guard objects; a pair that a person kept apart needs a lift first"
    )


class MergeMade(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"merge_id": _M}})

    merge_id: UUID


class MergeReason(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Father and son"}})

    reason: Reason


class MergeUndone(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"merge_id": _M, "decision_id": _A}})

    merge_id: UUID
    decision_id: UUID


class ValueWins(BaseModel):
    """What would stand for a key, where it comes from, by which rule, and what each of the two has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "city", "wins": "Bogotá", "source": "shop", "as_of": _AT, "rule": "most-recent",
                "survivor_has": "Bogotá", "absorbed_has": "Cali",
            }
        }
    )  # fmt: skip

    key: str
    wins: str | None
    source: str
    as_of: AwareDatetime
    rule: Literal["verified", "most-recent", "most-trusted", "most-complete", "longest"]
    survivor_has: str | None
    absorbed_has: str | None

    @classmethod
    def of(cls, each: Wins) -> "ValueWins":
        return cls(
            key=each.key, wins=each.wins.value, source=each.wins.source, as_of=each.wins.last_seen, rule=each.rule,
            survivor_has=each.survivor_has, absorbed_has=each.absorbed_has,
        )  # fmt: skip


class FactWinsRead(BaseModel):
    """The fact that would stand for a key, the latest of both, and what each of the two has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "best_hour", "wins": "after 18:00", "source": "whatsapp", "as_of": _AT,
                "survivor_has": "mornings", "absorbed_has": "after 18:00",
            }
        }
    )  # fmt: skip

    key: str
    wins: Any
    source: str
    as_of: AwareDatetime
    survivor_has: Any
    absorbed_has: Any

    @classmethod
    def of(cls, each: FactWins) -> "FactWinsRead":
        fact = each.wins
        return cls(
            key=fact.key, wins=fact.value, source=fact.source, as_of=fact.observed_at, survivor_has=each.survivor_has,
            absorbed_has=each.absorbed_has,
        )  # fmt: skip


class TraceMoves(BaseModel):
    """A trace that would change hands, and on what ground it is the absorbed one's."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"trace_id": _A, "scheme": "email", "proof": "attested", "last_seen": _AT}}
    )

    trace_id: UUID
    scheme: str
    proof: Literal["attested", "claimed", "person"]
    last_seen: AwareDatetime


class ConsentLost(BaseModel):
    """A consent of one of the two that would not hold any more, because the other said no."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"purpose": "marketing", "channel": "whatsapp", "refused_at": _AT}}
    )

    purpose: str
    channel: str
    refused_at: AwareDatetime


class KeptApartBy(BaseModel):
    """Two traces of which a person said that they are two persons': what `cannot-links:lift` takes."""

    model_config = ConfigDict(json_schema_extra={"example": {"left_trace": _A, "right_trace": _B}})

    left_trace: UUID
    right_trace: UUID


class MergePreview(BaseModel):
    """What a merge would do. `objections`: what on record says that these are two."""

    survivor: UUID = Field(examples=[_A])
    absorbed: UUID = Field(examples=[_B])
    traces_moved: int = Field(examples=[3])
    traces: list[TraceMoves]
    touchpoints_moved: int = Field(examples=[42], description="Contacts of which we know who it was (contactos)")
    reviews_closed: int = Field(examples=[1], description="Pairs in doubt that this would settle")
    identifiers_gained: list[str] = Field(examples=[["email:ana@example.com"]])
    values: list[ValueWins]
    facts: list[FactWinsRead]
    people: list[PersonAround] = Field(description="Who of ours would look after him (responsables)")
    consents_lost: list[ConsentLost]
    do_not_contact: bool
    restricted: bool = Field(description="The use of his data would be restricted (limitación del tratamiento)")
    key_account: bool = Field(description="The two together would be a key account (cuenta clave)")
    objections: list[
        Literal[
            "kept-apart", "other-document", "unclear-document", "document-one-digit-off", "other-name", "other-kind"
        ]
    ] = Field(examples=[["other-name"]])
    kept_apart: list[KeptApartBy] = Field(description="What would have to be lifted first; empty for most")

    @classmethod
    def of(cls, preview: Preview) -> "MergePreview":
        return cls(
            survivor=preview.survivor.customer_id, absorbed=preview.absorbed.customer_id, traces_moved=len(preview.moves),
            traces=[
                TraceMoves(trace_id=t.trace_id, scheme=t.scheme, proof=t.proof, last_seen=t.last_seen) for t in preview.moves
            ],
            touchpoints_moved=preview.touchpoints, reviews_closed=preview.reviews_closed,
            identifiers_gained=preview.identifiers, values=[ValueWins.of(value) for value in preview.values],
            facts=[FactWinsRead.of(fact) for fact in preview.facts],
            people=[
                PersonAround(role=a.role, staff_id=a.staff_id, name=a.name, since=a.since, handover_note=a.handover_note)
                for a in preview.people
            ],
            consents_lost=[
                ConsentLost(purpose=c.purpose, channel=c.channel, refused_at=c.refused_at) for c in preview.consents
            ],
            do_not_contact=preview.do_not_contact, restricted=preview.restricted, key_account=preview.key_account, objections=preview.objections,
            kept_apart=[KeptApartBy(left_trace=left, right_trace=right) for left, right in preview.kept_apart],
        )  # fmt: skip


class MergeRead(BaseModel):
    """A merge: who decided it, why, which two traces it was about, how many traces moved, and whether it still stands."""

    merge_id: UUID = Field(examples=[_M])
    survivor: UUID | None = Field(examples=[_A])
    absorbed: UUID | None = Field(examples=[_B])
    by: str = Field(examples=["Marta Gil"])
    reason: str = Field(examples=["He says that both numbers are his"])
    at: AwareDatetime = Field(examples=[_AT])
    left_trace: UUID | None = Field(examples=[_A])
    right_trace: UUID | None = Field(examples=[_B])
    traces_moved: int = Field(examples=[3])
    undone_by: UUID | None = Field(description="The decision that undid it", examples=[None])

    @classmethod
    def of(cls, merge: Decision) -> "MergeRead":
        told: dict[str, Any] = {
            name: getattr(merge, name)
            for name in ("survivor", "absorbed", "by", "reason", "at", "left_trace", "right_trace", "undone_by")
        }
        return cls(merge_id=merge.decision_id, traces_moved=len(moved_by(merge.before)), **told)


class MergeRow(MergePair):
    """A line of a reviewed list. Its own reason stands before the list's."""

    reason: Reason | None = None
    force: bool = Field(False, description="Merge although a guard objects")

    def line(self, reason: str) -> Row:
        return Row(self.survivor, self.absorbed, self.reason or reason, self.force)


class MergeBatch(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "reason": "List of duplicates, reviewed by Marta Gil",
                "merges": [{"survivor": _A, "absorbed": _B}, {"survivor": _A, "absorbed": _M, "reason": "Same cédula"}],
            }
        },
    )

    reason: Reason
    merges: list[MergeRow] = Field(min_length=1, max_length=500)


class MergeResult(BaseModel):
    """What became of one line."""

    index: int = Field(examples=[0])
    status: Literal["merged", "known", "refused"]
    merge_id: UUID | None = Field(examples=[_M])
    problem: dict[str, Any] | None = Field(examples=[None], description="Why it was refused, as a problem document")


class MergeBatchMade(BaseModel):
    merged: int = Field(examples=[1])
    known: int = Field(examples=[0])
    refused: int = Field(examples=[1])
    results: list[MergeResult]

    @classmethod
    def of(cls, fates: Sequence[Fate]) -> "MergeBatchMade":
        counts = Counter(fate.status for fate in fates)
        results = [
            MergeResult(
                index=index, status=fate.status, merge_id=fate.merge_id,
                problem=problem_of(fate.refusal) if fate.refusal is not None else None,
            )
            for index, fate in enumerate(fates)
        ]  # fmt: skip
        return cls(merged=counts["merged"], known=counts["known"], refused=counts["refused"], results=results)


DecisionKind = Literal["link", "merge", "undo", "different", "lift", "erase"]


class DecisionRead(BaseModel):
    """One decision: a link, a merge, an undo, a verdict that two are two, or that taken back."""

    decision_id: UUID = Field(examples=[_M])
    kind: str = Field(examples=["merge"])
    by: str = Field(examples=["Marta Gil"])
    reason: str = Field(examples=["He says that both numbers are his"])
    at: AwareDatetime = Field(examples=[_AT])
    survivor: UUID | None = Field(examples=[_A])
    absorbed: UUID | None = Field(examples=[_B])
    left_trace: UUID | None = Field(examples=[_A])
    right_trace: UUID | None = Field(examples=[_B])
    undoes: UUID | None = Field(description="Of an undo: the merge", examples=[None])
    undone_by: UUID | None = Field(description="The decision that undid it", examples=[None])

    @classmethod
    def of(cls, decision: Decision) -> "DecisionRead":
        told: dict[str, Any] = {name: getattr(decision, name) for name in cls.model_fields if name != "undoes"}
        return cls(undoes=(decision.before or {}).get("undoes"), **told)


class DecisionPage(BaseModel):
    items: list[DecisionRead]
    next: str | None = Field(examples=[None])


class MergePage(BaseModel):
    items: list[MergeRead]
    next: str | None = Field(examples=[None])


class Lift(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"left_trace": _A, "right_trace": _B, "reason": "It is one person after all"}},
    )

    left_trace: UUID
    right_trace: UUID
    reason: Reason
