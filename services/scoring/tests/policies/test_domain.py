"""The rules as data: what is refused, and which rule wins."""

import pytest
from pydantic import ValidationError

from common.rules import InvalidCondition
from scoring.appraisals.domain import Lifecycle
from scoring.classes.domain import Abc, Tier
from scoring.policies.domain import WORDS, InvalidTreatment, Thresholds, TreatmentPolicy, shipped_policy
from scoring.signals.domain import Signal, dormancy_level, drop_level


def test_the_first_rule_that_matches_is_applied_and_the_default_where_none_does() -> None:
    policy = TreatmentPolicy.model_validate(
        {
            "rules": [
                {
                    "name": "best",
                    "when": {"field": "tier", "op": "eq", "value": "MVC"},
                    "then": {"service_level": "gold", "attend_by": "x"},
                },
                {
                    "name": "all-a",
                    "when": {"field": "abc", "op": "eq", "value": "A"},
                    "then": {"service_level": "silver", "attend_by": "x"},
                },
            ],
            "default": {"service_level": "plain", "attend_by": "x"},
        }
    )
    assert [
        policy.decide(facts).rule for facts in ({"tier": "MVC", "abc": "A"}, {"tier": "STANDARD", "abc": "A"}, {})
    ] == ["best", "all-a", "default"]


@pytest.mark.parametrize(
    ("facts", "level", "suppressed"),
    [
        ({"tier": "MVC", "open_complaints": 0, "key_account": False}, "preferential", False),
        ({"tier": "GROWING", "open_complaints": 0}, "enhanced", False),
        ({"tier": "GROWING", "open_complaints": 1}, "preferential", False),
        ({"tier": "BELOW_ZERO", "open_complaints": 0}, "basic", True),
        ({"tier": "STANDARD", "open_complaints": 0}, "standard", False),
        ({"tier": "STANDARD", "key_account": True, "open_complaints": 0}, "preferential", False),
    ],
)
def test_the_shipped_policy_prefers_the_best_and_spends_nothing_on_calling_the_worst(
    facts: dict[str, object], level: str, suppressed: bool
) -> None:
    treatment = shipped_policy("COP").decide(facts).treatment
    assert (treatment.service_level, treatment.suppress_paid_outbound) == (level, suppressed)


def test_a_condition_over_an_unknown_field_is_refused_with_its_place() -> None:
    body = {
        "rules": [
            {
                "name": "x",
                "when": {"any": [{"field": "religion", "op": "eq", "value": "x"}]},
                "then": {"service_level": "x", "attend_by": "x"},
            }
        ],
        "default": {"service_level": "plain", "attend_by": "x"},
    }
    with pytest.raises(InvalidCondition) as refused:
        TreatmentPolicy.model_validate(body).refuse_unusable()
    assert refused.value.errors[0].pointer == "/rules/0/when/any/0/field"


@pytest.mark.parametrize(
    ("when", "pointer"),
    [
        ({"field": "tier", "op": "eq", "value": "MCV"}, "/value"),
        ({"any": [{"field": "abc", "op": "in", "value": ["A", "a"]}]}, "/any/0/value"),
        ({"not": {"field": "drop", "op": "ne", "value": "drop-warning"}}, "/not/value"),
    ],
)
def test_a_condition_over_a_word_that_nobody_ever_is_would_never_hold_and_is_refused(
    when: dict[str, object], pointer: str
) -> None:
    then = {"service_level": "x", "attend_by": "x"}
    policy = TreatmentPolicy.model_validate({"rules": [{"name": "x", "when": when, "then": then}], "default": then})
    with pytest.raises(InvalidCondition) as refused:
        policy.refuse_unusable()
    assert [error.pointer for error in refused.value.errors] == [f"/rules/0/when{pointer}"]


def test_the_words_of_conditions_are_those_that_customers_are() -> None:
    levels = {"dormancy": dormancy_level, "drop": drop_level}
    for field, level in levels.items():
        assert {level([]), *(level([signal]) for signal in Signal)} == set(WORDS[field])
    for field, kind in (("tier", Tier), ("abc", Abc), ("lifecycle", Lifecycle)):
        assert set(WORDS[field]) == {str(each) for each in kind}


def test_nobody_may_spend_less_than_nothing() -> None:
    then = {"service_level": "x", "attend_by": "x", "spend_limit": {"amount": "-1", "currency": "COP"}}
    with pytest.raises(InvalidTreatment) as refused:
        TreatmentPolicy.model_validate({"rules": [], "default": then}).refuse_unusable()
    assert [error.pointer for error in refused.value.errors] == ["/default/spend_limit/amount"]
    shipped_policy("COP").refuse_unusable()


@pytest.mark.parametrize(
    "body", [{"abc_a": 0.96}, {"drop_critical": 0.7}, {"dormant_months": 25}, {"mvc_share": 0}, {"unknown": 1}]
)
def test_thresholds_that_contradict_each_other_are_refused(body: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Thresholds.model_validate(body)


def test_the_words_of_conditions_are_those_that_customers_are_given():
    assert (WORDS["tier"], WORDS["abc"], WORDS["lifecycle"]) == (tuple(Tier), tuple(Abc), tuple(Lifecycle))
