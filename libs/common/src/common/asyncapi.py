"""The AsyncAPI 3.0 document of a service, made from the contracts: what it sends, what it receives, and the schemas."""

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from common.events import CONTENT_TYPE, VERSION, EventData, registered, schema_path

_ENVELOPE = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "format": "uuid"},
    "source": {"type": "string", "format": "uri-reference"},
    "time": {"type": "string", "format": "date-time"},
    "subject": {"type": "string", "description": "The record's key: order holds per subject"},
    "datacontenttype": {"const": "application/json"},
    "dataschema": {"type": "string", "format": "uri-reference"},
    "correlationid": {"type": "string", "description": "One customer's contact, followed through all services"},
    "traceparent": {"type": "string"},
}


def asyncapi(
    *, name: str, title: str, description: str, version: str, publishes: Iterable[str], consumes: Iterable[str]
) -> dict[str, Any]:
    """The document. `publishes` and `consumes` are topics; their events are those that the contracts register."""
    sent, received = sorted(set(publishes)), sorted(set(consumes))
    events = registered({*sent, *received})
    directions = [("send", topic) for topic in sent] + [("receive", topic) for topic in received]
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:hilo:{name}",
        "info": {"title": title, "version": version, "description": description},
        "defaultContentType": CONTENT_TYPE,
        "channels": {_slug(topic): _channel(topic, events) for topic in dict.fromkeys(t for _, t in directions)},
        "operations": {
            f"{action}-{_slug(topic)}": {"action": action, "channel": {"$ref": f"#/channels/{_slug(topic)}"}}
            for action, topic in directions
        },
        "components": {"messages": {_slug(e.type): _message(e) for e in events}, "schemas": _schemas(events)},
    }


def event_schema(event: type[EventData]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the `data` of an event; served at its `dataschema`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_path(event),
        **event.model_json_schema(mode="serialization"),
    }


def _envelope(event: type[EventData], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "data"],
        "properties": {**_ENVELOPE, "type": {"const": f"hilo.{event.type}.{VERSION}"}, "data": data},
    }


def _channel(topic: str, events: list[type[EventData]]) -> dict[str, Any]:
    mine = [_slug(e.type) for e in events if e.topic == topic]
    return {"address": topic, "messages": {m: {"$ref": f"#/components/messages/{m}"} for m in mine}}


def _message(event: type[EventData]) -> dict[str, Any]:
    return {
        "name": f"hilo.{event.type}.{VERSION}",
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().partition("\n")[0],
        "contentType": CONTENT_TYPE,
        "payload": _envelope(event, {"$ref": f"#/components/schemas/{event.__name__}"}),
    }


def _schemas(events: list[type[EventData]]) -> dict[str, Any]:
    if not events:
        return {}
    _, schemas = models_json_schema([(e, "serialization") for e in events], ref_template="#/components/schemas/{model}")
    return dict(schemas["$defs"])


def _slug(name: str) -> str:
    return name.replace(".", "-")
