"""The rules as data: what is refused, and which rule wins."""

import pytest
from pydantic import ValidationError

from common.rules import InvalidCondition
from scoring.policies.domain import Thresholds, TreatmentPolicy, shipped_policy


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
        TreatmentPolicy.model_validate(body).refuse_unusable_conditions()
    assert refused.value.errors[0].pointer == "/rules/0/when/any/0/field"


@pytest.mark.parametrize(
    "body", [{"abc_a": 0.96}, {"drop_critical": 0.7}, {"dormant_months": 25}, {"mvc_share": 0}, {"unknown": 1}]
)
def test_thresholds_that_contradict_each_other_are_refused(body: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Thresholds.model_validate(body)
