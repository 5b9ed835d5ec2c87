"""The scorecard: how moments of truth become attribute scores, and attribute scores a total, for a month, a quarter or a year."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from common.company import Company
from common.errors import Invalid
from service_audit.evidence.domain import Tally
from service_audit.standards.domain import Attribute, Document

_PERIOD = re.compile(r"(?P<year>[12]\d{3})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")


class UnknownPeriod(Invalid):
    code = "unknown-period"
    title = "A period is a month (2026-11), a quarter (2026-Q4) or a year (2026)"


@dataclass(frozen=True)
class Period:
    """A span of whole months in the company's time zone."""

    year: int
    month: int  # the first
    months: int  # 1, 3 or 12

    @property
    def label(self) -> str:
        if self.months == 12:
            return f"{self.year}"
        return f"{self.year}-Q{(self.month + 2) // 3}" if self.months == 3 else f"{self.year}-{self.month:02d}"

    def moved(self, by: int) -> "Period":
        """So many periods of the same length later, or earlier."""
        index = self.year * 12 + self.month - 1 + by * self.months
        return Period(index // 12, index % 12 + 1, self.months)

    def bounds(self, company: Company) -> tuple[datetime, datetime]:
        """The first moment of the period, and the first after it."""
        following = self.moved(1)
        return (
            company.start_of_day(date(self.year, self.month, 1)),
            company.start_of_day(date(following.year, following.month, 1)),
        )


def period_of(text: str) -> Period:
    """`2026-11`, `2026-Q4` or `2026`. Raises UnknownPeriod."""
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise UnknownPeriod(pointer="/query/period")
    year = int(match["year"])
    if match["quarter"]:
        return Period(year, int(match["quarter"]) * 3 - 2, 3)
    return Period(year, int(match["month"]), 1) if match["month"] else Period(year, 1, 12)


def month_around(at: datetime, company: Company) -> Period:
    today = company.local_date(at)
    return Period(today.year, today.month, 1)


@dataclass(frozen=True)
class Score:
    """A score from 0 to 100 and how much it rests on; `rating` is the mean answer, on the scale 1-5, where there were answers."""

    score: float | None
    n: int
    met: int
    failed: int
    excluded: int
    rating: float | None


@dataclass(frozen=True)
class MomentScore:
    """How one moment of truth went."""

    cycle: str
    body: Mapping[str, Any]  # as it stands in the cycle's document
    result: Score


@dataclass(frozen=True)
class AttributeScore:
    """How the moments of one attribute went together."""

    attribute: Attribute
    result: Score
    previous: float | None
    moments: Sequence[MomentScore]

    @property
    def delta(self) -> float | None:
        return _difference(self.result.score, self.previous)

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None without a target or without evidence."""
        if self.attribute.target is None or self.result.score is None:
            return None
        return self.result.score >= self.attribute.target


@dataclass(frozen=True)
class Scorecard:
    """All attributes in a period, and the total."""

    period: Period
    total: float | None
    previous: float | None
    n: int
    attributes: Sequence[AttributeScore]

    @property
    def delta(self) -> float | None:
        return _difference(self.total, self.previous)


def score_period(
    period: Period,
    tallies: Iterable[Tally],
    earlier: Iterable[Tally],
    *,
    attributes: Sequence[Attribute],
    cycles: Sequence[Document],
) -> Scorecard:
    """The scorecard from what was counted in the period and in the one before it.

    `score` of an attribute is the mean score of its evidence: for ratings that is (mean - 1) / 4 * 100 (A15), for standards that
    are met or failed 100 * met / n. The total is the mean of the attributes that have evidence, by their weights.
    """
    now, before = _by_attribute(tallies, cycles), _by_attribute(earlier, cycles)
    previous = {code: _together(moments).score for code, moments in before.items()}
    scored = [
        AttributeScore(a, _together(now.get(a.code, ())), previous.get(a.code), now.get(a.code, ())) for a in attributes
    ]
    return Scorecard(
        period,
        total=_weighted((a.attribute.weight, a.result.score) for a in scored),
        previous=_weighted((a.attribute.weight, a.previous) for a in scored),
        n=sum(a.result.n for a in scored),
        attributes=scored,
    )


def map_cycle(cycle: Document, tallies: Iterable[Tally]) -> list[MomentScore]:
    """The moments of a cycle in the order in which the customer lives them, each with its score."""
    counted = {(tally.cycle, tally.moment): tally for tally in tallies}
    moments = sorted(cycle.body["moments"], key=lambda body: int(body["sequence"]))
    return [_moment_score(cycle.code, body, counted.get((cycle.code, body["code"]))) for body in moments]


def attributes_of(document: Document | None) -> list[Attribute]:
    listed = [] if document is None else document.body["attributes"]
    return [Attribute(a["code"], a["name"], a.get("name_es"), float(a["weight"]), a.get("target")) for a in listed]


def _by_attribute(tallies: Iterable[Tally], cycles: Sequence[Document]) -> dict[str, list[MomentScore]]:
    counted = list(tallies)
    found: dict[str, list[MomentScore]] = defaultdict(list)
    for cycle in cycles:
        for scored in map_cycle(cycle, counted) if cycle.body["active"] else ():
            found[scored.body["attribute"]].append(scored)
    return found


def _moment_score(cycle: str, body: Mapping[str, Any], tally: Tally | None) -> MomentScore:
    if tally is None:
        return MomentScore(cycle, body, Score(None, 0, 0, 0, 0, None))
    score = tally.score_sum / tally.n if tally.n else None
    rated = body["standard"]["measure"] == "rating" and score is not None
    rating = 1 + 4 * score / 100 if rated and score is not None else None
    return MomentScore(cycle, body, Score(score, tally.n, tally.met, tally.failed, tally.excluded, rating))


def _together(moments: Iterable[MomentScore]) -> Score:
    results = [moment.result for moment in moments]
    n = sum(r.n for r in results)
    total = sum(r.score * r.n for r in results if r.score is not None)
    rated = [(r.n, r.rating) for r in results if r.rating is not None]
    return Score(
        score=total / n if n else None,
        n=n,
        met=sum(r.met for r in results),
        failed=sum(r.failed for r in results),
        excluded=sum(r.excluded for r in results),
        rating=_weighted(rated),
    )


def _weighted(values: Iterable[tuple[float, float | None]]) -> float | None:
    known = [(weight, value) for weight, value in values if value is not None]
    weights = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / weights if weights else None


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
