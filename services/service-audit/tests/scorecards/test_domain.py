"""Periods and scores: tables of cases, without a database."""

import pytest

from common.company import Company
from service_audit.evidence.domain import Tally
from service_audit.scorecards.domain import UnknownPeriod, attributes_of, period_of, score_period
from service_audit.standards.domain import Document
from service_audit.standards.shipped import shipped

COMPANY = Company.load(None)


@pytest.mark.parametrize(
    ("text", "since", "until", "before", "after"),
    [
        ("2026-11", "2026-11-01T05:00", "2026-12-01T05:00", "2026-10", "2026-12"),
        ("2026-01", "2026-01-01T05:00", "2026-02-01T05:00", "2025-12", "2026-02"),
        ("2026-Q4", "2026-10-01T05:00", "2027-01-01T05:00", "2026-Q3", "2027-Q1"),
        ("2026-Q1", "2026-01-01T05:00", "2026-04-01T05:00", "2025-Q4", "2026-Q2"),
        ("2026", "2026-01-01T05:00", "2027-01-01T05:00", "2025", "2027"),
    ],
)
def test_a_period_is_whole_months_of_the_companys_time_zone(text, since, until, before, after):
    period = period_of(text)
    bounds = [f"{moment:%Y-%m-%dT%H:%M}" for moment in period.bounds(COMPANY)]
    assert (period.label, bounds) == (text, [since, until])
    assert (period.moved(-1).label, period.moved(1).label) == (before, after)


@pytest.mark.parametrize("text", ["", "2026-13", "2026-Q5", "26-11", "2026-11-01", "november", "0999", "2026-q1"])
def test_anything_else_is_no_period(text):
    with pytest.raises(UnknownPeriod):
        period_of(text)


def card(tallies, earlier=()):
    cycles = [Document("cycle", code, 1, shipped(code), None, "t") for code in ("complaint-care", "contact")]
    attributes = attributes_of(Document("attributes", "attributes", 1, shipped("attributes"), None, "t"))
    return score_period(period_of("2026-11"), tallies, earlier, attributes=attributes, cycles=cycles)


def of(scorecard, code):
    return next(a for a in scorecard.attributes if a.attribute.code == code)


def test_ratings_become_scores_by_mean_minus_one_over_four():
    # 5, 4, 2 and 2: mean 3.25
    found = of(card([Tally("contact", "satisfied-after-contact", 2, 2, 1, 225.0, 13.0)]), "satisfaction").result
    assert (found.score, found.n, found.rating, found.excluded) == ((3.25 - 1) / 4 * 100, 4, 3.25, 1)


def test_met_and_failed_become_a_share():
    found = of(card([Tally("complaint-care", "complaint-answered", 18, 2, 0, 1800.0, 200.0)]), "responsiveness")
    assert (found.result.score, found.result.n, found.result.rating, found.reached) == (90.0, 20, None, False)


def test_the_moments_of_an_attribute_count_by_their_evidence():
    tallies = [
        Tally("complaint-care", "solved-at-first-contact", 3, 1, 0, 300.0, 0.0),
        Tally("complaint-care", "complainer-recovered", 0, 6, 0, 0.0, 0.0),
    ]
    assert of(card(tallies), "resolution").result.score == 30.0


def test_the_total_is_weighted_over_the_attributes_that_have_evidence():
    tallies = [
        Tally("complaint-care", "complaint-answered", 1, 0, 0, 100.0, 0.0),  # weight 3
        Tally("contact", "satisfied-after-contact", 0, 1, 0, 50.0, 3.0),  # weight 2
    ]
    assert card(tallies).total == (3 * 100 + 2 * 50) / 5


def test_the_change_is_against_the_period_before():
    now = [Tally("complaint-care", "complaint-answered", 9, 1, 0, 900.0, 0.0)]
    before = [Tally("complaint-care", "complaint-answered", 8, 2, 0, 800.0, 0.0)]
    found = card(now, before)
    assert (of(found, "responsiveness").delta, found.delta) == (10.0, 10.0)
    assert of(found, "satisfaction").delta is None


def test_without_evidence_there_is_no_score_and_no_zero():
    found = card([])
    assert (found.total, found.n, found.delta) == (None, 0, None)
    assert {a.result.score for a in found.attributes} == {None}


def test_only_errors_of_the_data_are_no_score_either():
    found = of(card([Tally("contact", "satisfied-after-contact", 0, 0, 3, 0.0, 0.0)]), "satisfaction").result
    assert (found.score, found.n, found.excluded, found.rating) == (None, 0, 3, None)


def test_evidence_of_a_moment_that_is_gone_is_not_counted():
    assert card([Tally("complaint-care", "gone", 5, 0, 0, 500.0, 0.0)]).n == 0
