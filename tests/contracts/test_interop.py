"""Our events are CloudEvents to others: the project's own SDK reads what we write, and we read what it writes."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator, FormatChecker

from common.asyncapi import event_schema
from common.events import CONTENT_TYPE, EventData, correlation_id, decode, encode, registered, schema_path, traceparent
from common.service import all_topics

EVENTS = registered(all_topics())
AT = datetime(2026, 11, 20, 15, 4, 5, 678901, tzinfo=UTC)
ID = "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"
TEXTS = {"uuid": ID, "date-time": "2026-11-20T15:04:05Z"}


NULL = {"type": "null"}


def sample(schema: dict[str, Any], definitions: dict[str, Any], *, full: bool) -> Any:
    """A value of the schema: the fullest one, or the barest, with null wherever it may be."""
    if reference := schema.get("$ref"):
        return sample(definitions[reference.rpartition("/")[2]], definitions, full=full)
    if alternatives := schema.get("anyOf"):
        barest = NULL if NULL in alternatives else alternatives[0]
        return sample(next(a for a in alternatives if a != NULL) if full else barest, definitions, full=full)
    if isinstance(values := schema.get("additionalProperties"), dict):
        return {"Ñandú": sample(values, definitions, full=full)} if full else {}
    if schema.get("type") == "object":
        wanted = schema.get("properties", {}) if full else schema.get("required", [])
        fields = {name: sample(schema["properties"][name], definitions, full=full) for name in wanted}
        return fields or ({"Ñandú": [1, None, "día"]} if full else {})
    if schema.get("type") == "array":
        return [sample(schema["items"], definitions, full=full)] * 2 if full else []
    return word(schema, full=full)


def word(schema: dict[str, Any], *, full: bool) -> Any:
    if values := schema.get("enum"):
        return values[-1 if full else 0]
    text = TEXTS.get(schema.get("format", ""), "José Núñez · 1 €")
    return {"string": text, "null": None, "integer": 12_990_000, "number": -0.5, "boolean": full}[schema["type"]]


def made(event: type[EventData], *, full: bool) -> EventData:
    schema = event.model_json_schema(mode="serialization")
    return event.model_validate(sample(schema, schema.get("$defs", {}), full=full))


def pairs() -> list[Any]:
    return [
        pytest.param(event, full, id=f"{event.type}-{'full' if full else 'bare'}")
        for event in EVENTS
        for full in (True, False)
    ]


def test_there_are_events():
    assert len(EVENTS) >= 20


@pytest.mark.parametrize(("event", "full"), pairs())
def test_what_we_write_we_read(event, full):
    data = made(event, full=full)
    event_id, body = encode(data, at=AT)
    read = decode(body)
    assert read is not None
    assert (read.id, read.type, read.time, read.subject, read.data) == (event_id, event.type, AT, data.key(), data)


@pytest.mark.parametrize(("event", "full"), pairs())
def test_the_sdk_reads_what_we_write(event, full):
    data = made(event, full=full)
    event_id, body = encode(data, at=AT)
    theirs = from_kafka_event(KafkaMessage(headers={"content-type": CONTENT_TYPE.encode()}, key=None, value=body))
    assert theirs.get_specversion() == "1.0"
    assert theirs.get_id() == str(event_id)
    assert theirs.get_type() == f"hilo.{event.type}.v1"
    assert theirs.get_source() == f"/{event.type.partition('.')[0]}"
    assert theirs.get_subject() == data.key()
    assert theirs.get_time() == AT
    assert theirs.get_dataschema() == schema_path(event)
    assert theirs.get_data() == json.loads(body)["data"]


@pytest.mark.parametrize(("event", "full"), pairs())
def test_we_read_what_the_sdk_writes(event, full):
    data = made(event, full=full)
    event_id, body = encode(data, at=AT)
    theirs = to_structured_event(as_the_sdk_reads(body))
    read = decode(theirs.value)
    assert read is not None
    assert (read.id, read.type, read.time, read.data) == (event_id, event.type, AT, data)


@pytest.mark.parametrize(("event", "full"), pairs())
def test_the_data_are_what_the_committed_schema_says(event, full):
    _, body = encode(made(event, full=full), at=AT)
    document = event_schema(event)
    Draft202012Validator.check_schema(document)
    Draft202012Validator(document, format_checker=FormatChecker()).validate(json.loads(body)["data"])


def test_the_correlation_and_the_trace_are_extensions_that_the_sdk_keeps():
    given = [(correlation_id, "one-contact"), (traceparent, f"00-{'a' * 32}-{'b' * 16}-01")]
    tokens = [(variable, variable.set(value)) for variable, value in given]
    try:
        _, body = encode(made(EVENTS[0], full=False), at=AT)
    finally:
        for variable, token in tokens:
            variable.reset(token)
    theirs = as_the_sdk_reads(body)
    assert theirs.get_extension("correlationid") == "one-contact"
    assert theirs.get_extension("traceparent") == f"00-{'a' * 32}-{'b' * 16}-01"
    read = decode(to_structured_event(theirs).value)
    assert read is not None
    assert read.correlation_id == "one-contact"


def test_ids_are_uuids_that_sort_by_time():
    first, _ = encode(made(EVENTS[0], full=False), at=AT)
    second, _ = encode(made(EVENTS[0], full=False), at=AT)
    assert first < second
    assert UUID(str(first)).version == 7


def as_the_sdk_reads(body: bytes) -> Any:
    return JSONFormat().read(None, body)
