"""The checks themselves: a promise that is not kept is found, and told as what it is."""

from .checks import Verdict
from .ledger import Ledger


def taken(touchpoint_id="t1", status="recorded"):
    return {"status": status, "touchpoint_id": touchpoint_id, "commitment_ids": []}


def test_whoever_was_never_answered_is_unsure():
    ledger = Ledger()
    ledger.sent.update({"a", "b", "c"})
    ledger.take("a", taken())
    ledger.refuse("b", "invalid")
    assert ledger.unsure == {"c"}


def test_another_body_is_counted_and_the_first_promise_stands():
    ledger = Ledger()
    ledger.take("a", taken())
    ledger.refuse("a", "different-body")
    assert ledger.acknowledged.keys() == {"a"}
    assert ledger.different["a"] == 1
    assert not ledger.refused


def test_two_answers_for_one_id_are_both_kept():
    ledger = Ledger()
    ledger.take("a", taken("t1"))
    ledger.take("a", taken("t2", "duplicate"))
    assert ledger.acknowledged["a"] == {"t1", "t2"}


def test_a_projection_that_lacks_a_row_is_missing_and_one_with_another_value_is_wrong():
    verdict = Verdict()
    verdict.compare("sums", {"a": 1, "b": 2}, {"b": 3, "c": 4})
    assert {(finding.fate, finding.count) for finding in verdict.findings} == {("missing", 1), ("wrong", 1)}
    assert verdict.of("wrong") == 2
    assert not verdict.clean


def test_equal_projections_are_clean():
    verdict = Verdict()
    verdict.compare("sums", {"a": 1}, {"a": 1})
    assert verdict.clean
