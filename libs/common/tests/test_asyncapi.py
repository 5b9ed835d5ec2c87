"""The AsyncAPI document tells of every event of the contracts, and its references lead somewhere."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from common import events
from common.asyncapi import asyncapi, event_schema
from common.contracts import identity, interactions, scoring, service_audit

TOPICS = [identity.TOPIC, identity.PEOPLE, interactions.TOPIC, interactions.PEOPLE, scoring.TOPIC, service_audit.TOPIC]


def document(publishes=(scoring.TOPIC,), consumes=(identity.TOPIC, interactions.TOPIC)) -> dict[str, Any]:
    return asyncapi(name="demo", title="T", description="D", version="1", publishes=publishes, consumes=consumes)


def test_a_service_sends_its_own_topics_and_receives_the_others():
    operations = document()["operations"]
    assert {name: op["action"] for name, op in operations.items()} == {
        "send-scoring-v1": "send",
        "receive-identity-v1": "receive",
        "receive-interactions-v1": "receive",
    }


def test_every_event_of_a_topic_is_in_its_channel_and_no_other():
    channels = document()["channels"]
    assert channels["scoring-v1"]["address"] == "scoring.v1"
    assert set(channels["scoring-v1"]["messages"]) == {
        e.type.replace(".", "-") for e in events.registered([scoring.TOPIC])
    }


def test_a_topic_that_is_sent_and_received_stands_once():
    both = document(publishes=[scoring.TOPIC], consumes=[scoring.TOPIC])
    assert list(both["channels"]) == ["scoring-v1"]
    assert len(both["operations"]) == 2


def test_a_topic_without_contracts_is_an_empty_channel():
    assert (
        document(publishes=[], consumes=["channels.touchpoints.v1"])["channels"]["channels-touchpoints-v1"]["messages"]
        == {}
    )


def test_all_references_lead_somewhere():
    whole = document(publishes=TOPICS, consumes=())
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole))):
        place: Any = whole
        for step in reference.split("/"):
            place = place[step]


def test_every_message_is_summed_up_in_words():
    for message in document(publishes=TOPICS, consumes=())["components"]["messages"].values():
        assert message["summary"]
        assert message["contentType"] == "application/cloudevents+json"


@pytest.mark.parametrize("event", events.registered(TOPICS), ids=lambda event: event.type)
def test_the_schema_of_each_event_is_a_schema(event):
    schema = event_schema(event)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == events.schema_path(event)
