"""What a cycle may say: tables of what is refused, each with its pointer."""

import pytest
from pydantic import ValidationError

from service_audit.standards.domain import StillInUse, UnusableDocument, check_cycle, check_list
from service_audit.standards.schemas import Attributes, CycleBody, Promise
from service_audit.standards.shipped import CYCLES, shipped

ATTRIBUTES = [a["code"] for a in shipped("attributes")["attributes"]]
PILLARS = [p["code"] for p in shipped("promise")["pillars"]]


def check(body):
    check_cycle("c", CycleBody.model_validate(body).model_dump(mode="json"), attributes=ATTRIBUTES, pillars=PILLARS)


def changed(cycle="complaint-care", /, at=0, **changes):
    body = shipped(cycle)
    body["moments"][at] |= changes
    return body


@pytest.mark.parametrize("code", CYCLES)
def test_what_is_shipped_can_be_used(code):
    check(shipped(code))


def test_what_is_shipped_is_as_whole_as_what_is_put():
    for name, form in (("promise", Promise), ("attributes", Attributes), *((code, CycleBody) for code in CYCLES)):
        assert form.model_validate(shipped(name)).model_dump(mode="json") == shipped(name)


EVERYTHING = {"all": []}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (changed(attribute="beauty"), "/moments/0/attribute", "unknown-attribute"),
        (changed(pillar="beauty"), "/moments/0/pillar", "unknown-pillar"),
        (changed(at=1, code="complaint-answered"), "/moments/1/code", "given-twice"),
        (changed(at=1, sequence=1), "/moments/1/sequence", "given-twice"),
        (changed(subject="conversation"), "/moments/0/subject", "subject-not-there"),
        (
            changed(trigger={"event": "case-moved", "when": {"field": "mood", "op": "eq", "value": "x"}}),
            "/moments/0/trigger/when/field",
            "invalid-condition",
        ),
        (
            changed(trigger={"event": "case-moved", "when": {"all": [{"field": "contacts", "op": "gt", "value": "x"}]}}),
            "/moments/0/trigger/when/all/0/value",
            "invalid-condition",
        ),
        (
            changed(standard={"measure": "flag", "field": "mood", "equals": True}),
            "/moments/0/standard/field",
            "unknown-field",
        ),
        (
            changed(standard={"measure": "flag", "field": "first_contact", "equals": "yes"}),
            "/moments/0/standard/equals",
            "wrong-type",
        ),
        (
            changed(standard={"measure": "rating", "field": "severity", "minimum": 3}),
            "/moments/0/standard/field",
            "no-number",
        ),
        (
            changed("contact", standard={"measure": "rating", "field": "answers.x", "minimum": 6}),
            "/moments/0/standard/minimum",
            "outside-scale",
        ),
        (
            changed(
                "contact", standard={"measure": "rating", "field": "answers.x", "scale": {"low": 5, "high": 5}, "minimum": 5}
            ),
            "/moments/0/standard/scale",
            "empty-scale",
        ),
        (
            changed(
                standard={
                    "measure": "answered-within",
                    "hours": 1,
                    "until": {"event": "conversation-moved", "when": EVERYTHING},
                }
            ),
            "/moments/0/subject",
            "subject-not-there",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_its_place(body, pointer, code):
    with pytest.raises(UnusableDocument) as refusal:
        check(body)
    assert (pointer, code) in {(error.pointer, error.code) for error in refusal.value.errors}


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "Not Kebab"},
        {"sequence": 0},
        {"kind": "NICE"},
        {"standard": {"measure": "magic"}},
        {"standard": {"measure": "answered-within", "hours": 0, "until": {"event": "case-moved", "when": {}}}},
        {"trigger": {"event": "tier-changed", "when": {"all": []}}},
        {"colour": "blue"},
    ],
)
def test_a_body_of_another_form_is_refused(changes):
    with pytest.raises(ValidationError):
        CycleBody.model_validate(changed(**changes))


def test_a_pillar_or_an_attribute_in_use_cannot_go(telling):
    from service_audit.standards.domain import Document

    cycle = Document("cycle", "complaint-care", 1, shipped("complaint-care"), telling.start, "test")
    with pytest.raises(StillInUse):
        check_list({"attributes": shipped("attributes")["attributes"][1:]}, "attributes", cycles=[cycle])
    with pytest.raises(StillInUse):
        check_list({"pillars": []}, "pillars", cycles=[cycle])
    check_list(shipped("promise"), "pillars", cycles=[cycle])


def test_an_answer_of_another_type_than_expected_matches_nothing_and_stops_nobody(telling):
    from service_audit.observations.domain import observation_of
    from service_audit.standards.domain import Document, moments_of

    when = {"field": "answers.satisfaction", "op": "lt", "value": 3}
    body = changed("contact", trigger={"event": "touchpoint-recorded", "when": when})
    full = CycleBody.model_validate(body).model_dump(mode="json")
    [moment] = moments_of(Document("cycle", "contact", 1, full, telling.start, "test"))
    for answer, seen in ((2, True), (4, False), ("bad", False), (None, False)):
        observation = observation_of(telling.told(telling.survey(answer)), noted_at=telling.start)
        assert (moment.scope(observation) is not None) is seen
