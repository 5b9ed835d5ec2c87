"""What is said of one customer, beside others who are measured with him."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from common.company import Company
from scoring.appraisals.domain import Subject, Yardstick, appraise, measure
from scoring.books import books_of
from scoring.policies.domain import RuleSet, Thresholds, shipped_policy
from scoring.values.domain import Day, Tally

TODAY = date(2026, 11, 20)
BOOKS = books_of(Company.load())
RULES = RuleSet(Thresholds(), 0, shipped_policy("COP"), 0)
CALLED = [Day(TODAY, "COP", Tally(contacts=1, contact_cost=500))]
BOUGHT = [Day(TODAY - timedelta(days=400), "COP", Tally(entries=1, purchases=1, revenue=100_000)), *CALLED]


def test_of_whoever_is_measured_with_others_the_same_is_said_as_of_him_alone() -> None:
    by = Yardstick.of(TODAY, rules=RULES, cuts=None, books=BOOKS)
    ana = Subject(UUID(int=1), since=TODAY, traces=1)
    others = [
        replace(ana, customer_id=UUID(int=2)),
        replace(ana, customer_id=UUID(int=3), key_account=True),
        replace(ana, customer_id=UUID(int=4), since=TODAY - timedelta(days=700)),
        replace(ana, customer_id=UUID(int=5), state="closed"),
        replace(ana, customer_id=UUID(int=6), open_complaints=1),
        replace(ana, customer_id=UUID(int=7), categories=(("grocery", 2),)),
    ]
    for subject in (ana, *others, ana):
        for days in (CALLED, BOUGHT, []):
            alone = appraise(subject, days, as_of=TODAY, rules=RULES, cuts=None, books=BOOKS)
            assert measure(subject, days, by=by) == alone
            assert alone.subject == subject


def test_newcomers_of_the_same_days_are_measured_once() -> None:
    by = Yardstick.of(TODAY, rules=RULES, cuts=None, books=BOOKS)
    for number in range(1, 9):
        measure(Subject(UUID(int=number), since=TODAY, traces=1), CALLED, by=by)
    assert len(by.measured) == 1
