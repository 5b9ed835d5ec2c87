"""Figures of identity's health: a distribution in a few numbers, rates, and what waits for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Spread:
    """How many customers have how many of something: 1 -> 120 customers, 2 -> 40 ..."""

    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        return sum(n * of for n, of in self.counts.items()) / self.total if self.total else None

    def at(self, share: float) -> int | None:
        """The smallest number that `share` of the customers do not exceed: .5 is the median."""
        seen = 0
        for number in sorted(self.counts):
            seen += self.counts[number]
            if seen >= share * self.total:
                return number
        return None


@dataclass(frozen=True)
class Contactable:
    """How many of some customers can be called or written to; `verified`: by what was attested, or linked by a person (S0-08)."""

    customers: int
    reachable: int
    verified: int

    def __add__(self, other: "Contactable") -> "Contactable":
        return Contactable(
            self.customers + other.customers, self.reachable + other.reachable, self.verified + other.verified
        )

    def share(self, number: int) -> float | None:
        return number / self.customers if self.customers else None


@dataclass(frozen=True)
class Acts:
    """What was decided within the days of the report."""

    founded: int
    merges_by_rules: int
    merges_by_people: int
    undone: int  # of those merges, until the moment of the report
    undos: int
    reviews_opened: int
    decided_same: int
    decided_different: int

    @property
    def merges(self) -> int:
        return self.merges_by_rules + self.merges_by_people

    @property
    def merge_rate(self) -> float | None:
        """Merges for each customer founded in the same days."""
        return self.merges / self.founded if self.founded else None

    @property
    def undo_rate(self) -> float | None:
        """The share of these merges that was undone since: false merges that somebody found."""
        return self.undone / self.merges if self.merges else None

    @property
    def duplicates_found(self) -> int:
        """Pairs that proved to be one: merged, and not undone since."""
        return self.merges - self.undone


@dataclass(frozen=True)
class Backlog:
    """Pairs in doubt that nobody has decided, and since when the oldest waits."""

    open: int
    oldest: datetime | None
    by_reason: Mapping[str, int]  # a pair with two reasons counts under both
    conflicts: int  # pairs that something joins and something contradicts: another document, another name

    def oldest_hours(self, now: datetime) -> float | None:
        return None if self.oldest is None else (now - self.oldest).total_seconds() / 3600


def contradicts(reason: str) -> bool:
    """Whether a reason for doubt says that the two differ, and not only that too little joins them."""
    return reason.startswith(("other-", "unclear-", "document-"))
