"""The report of identity's health."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.reports.domain import Acts, Backlog, Contactable, Spread

_AT = "2026-11-20T20:04:05Z"


class SpreadRead(BaseModel):
    """How many identifiers a customer has. `counts`: number -> customers; customers without any are left out."""

    mean: float | None = Field(examples=[1.8])
    median: int | None = Field(examples=[1])
    p95: int | None = Field(examples=[4])
    most: int | None = Field(examples=[11])
    counts: dict[int, int] = Field(examples=[{"1": 120, "2": 41, "11": 1}])

    @classmethod
    def of(cls, spread: Spread) -> "SpreadRead":
        return cls(
            mean=spread.mean,
            median=spread.at(0.5),
            p95=spread.at(0.95),
            most=spread.at(1.0),
            counts=dict(spread.counts),
        )


class ContactableRead(BaseModel):
    """Active customers with a phone or an e-mail that is theirs alone; `verified`: attested, or linked by a person (S0-08)."""

    customers: int = Field(examples=[1204])
    reachable: int = Field(examples=[1011])
    verified: int = Field(examples=[840])
    reachable_share: float | None = Field(examples=[0.84])
    verified_share: float | None = Field(examples=[0.698])

    @classmethod
    def of(cls, found: Contactable) -> "ContactableRead":
        return cls(
            **vars(found), reachable_share=found.share(found.reachable), verified_share=found.share(found.verified)
        )


class MergesRead(BaseModel):
    """Merges within the days of the report. `undone`: those of them that were undone since."""

    by_rules: int = Field(examples=[31])
    by_people: int = Field(examples=[6])
    undone: int = Field(examples=[1])
    undos: int = Field(description="Undos within the days, of merges of whatever age", examples=[2])
    merge_rate: float | None = Field(description="Merges for each new customer of these days", examples=[0.08])
    undo_rate: float | None = Field(description="The share of these merges that was undone", examples=[0.027])
    duplicates_found: int = Field(description="Merged, and not undone (duplicados)", examples=[36])

    @classmethod
    def of(cls, acts: Acts) -> "MergesRead":
        return cls(
            by_rules=acts.merges_by_rules, by_people=acts.merges_by_people, undone=acts.undone, undos=acts.undos,
            merge_rate=acts.merge_rate, undo_rate=acts.undo_rate, duplicates_found=acts.duplicates_found,
        )  # fmt: skip


class BacklogRead(BaseModel):
    """Pairs in doubt. `conflicts`: something joins them and something contradicts."""

    open: int = Field(examples=[12])
    oldest_hours: float | None = Field(examples=[30.5])
    conflicts: int = Field(examples=[4])
    by_reason: dict[str, int] = Field(examples=[{"other-name": 4, "weak-evidence": 8}])
    opened: int = Field(examples=[15])
    decided_same: int = Field(examples=[2])
    decided_different: int = Field(examples=[1])

    @classmethod
    def of(cls, backlog: Backlog, acts: Acts, *, at: AwareDatetime) -> "BacklogRead":
        return cls(
            open=backlog.open, oldest_hours=backlog.oldest_hours(at), conflicts=backlog.conflicts,
            by_reason=dict(backlog.by_reason), opened=acts.reviews_opened, decided_same=acts.decided_same,
            decided_different=acts.decided_different,
        )  # fmt: skip


class HealthReport(BaseModel):
    """What was done and what waits, as of a moment; customers and identifiers are those of now (`counted_at`)."""

    model_config = ConfigDict(json_schema_extra={"description": "Identity's health (salud de las identidades)"})

    as_of: AwareDatetime = Field(examples=[_AT])
    days: int = Field(examples=[30])
    counted_at: AwareDatetime = Field(examples=[_AT])
    customers: dict[str, int] = Field(examples=[{"active": 1204, "merged": 37}])
    new_customers: int = Field(description="Whose first contact lies within the days", examples=[410])
    identifiers: dict[str, int] = Field(description="By scheme", examples=[{"phone": 980, "email": 611}])
    shared_identifiers: dict[str, int] = Field(
        description="Of these, such as prove contact only", examples=[{"phone": 3}]
    )
    identifiers_per_customer: SpreadRead
    contactable: ContactableRead
    contactable_key_accounts: ContactableRead
    merges: MergesRead
    reviews: BacklogRead
    guards_tripped: dict[str, int] = Field(examples=[{"shared-identifier": 3}])
