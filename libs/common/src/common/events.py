"""The envelope: CloudEvents 1.0 in structured JSON, written once and shipped as the same bytes by whoever ships it."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from common.ids import new_id
from common.moments import written

CONTENT_TYPE = "application/cloudevents+json"

# Set by the HTTP middleware and by the consumer, so that one customer's contact can be followed through all services.
correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


class EventData(BaseModel):
    """What happened. A subclass names its `type` (`<service>.<noun>-<participle>`), its `topic`, and its `key()`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[str]

    def key(self) -> str:
        """The subject whose order must hold: a trace or a customer id."""
        raise NotImplementedError

    def as_json(self) -> str:
        """What is told, without what is null."""
        return self.model_dump_json(exclude_none=True)


class Told(NamedTuple):
    """What happened, in its final words already: whoever tells thousands of one kind vouches for the fields, and a test of his does.

    It is told in the place of an instance of its class, at a fifth of the price.
    """

    event: type[EventData]
    subject: str
    words: str

    @classmethod
    def of(cls, event: type[EventData], subject: str, data: Mapping[str, Any]) -> "Told":
        """`data`: the fields of the class in their order, ids as text, moments aware; those that are None are left out, as ever."""
        told = {name: value for name, value in data.items() if value is not None}
        return cls(event, subject, orjson.dumps(told, option=orjson.OPT_UTC_Z).decode())

    @property
    def type(self) -> str:
        return self.event.type

    @property
    def topic(self) -> str:
        return self.event.topic

    def key(self) -> str:
        return self.subject

    def as_json(self) -> str:
        return self.words


class Event(BaseModel):
    """One event as a consumer receives it: the CloudEvents attributes that matter, and typed data."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: UUID
    type: str
    source: str
    time: AwareDatetime
    subject: str
    correlation_id: str | None = None
    data: Any = Field(description="An instance of the EventData class registered for the type")


class Unreadable(Exception):  # noqa: N818 - it is a verdict on a record, parked with its reason
    """These bytes are no event that we know how to read. `code` says why: bad-json, bad-envelope, bad-schema, unknown-version."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


VERSION = "v1"
_TYPES: dict[str, type[EventData]] = {}


def register(*classes: type[EventData]) -> None:
    """Make the classes readable. Each contracts module calls it once for all of its events."""
    for cls in classes:
        _TYPES[cls.type] = cls


def registered(topics: Iterable[str] | None = None) -> list[type[EventData]]:
    """Every known event class, in the order of type names; only those of `topics` where given."""
    wanted = None if topics is None else set(topics)
    return [cls for _, cls in sorted(_TYPES.items()) if wanted is None or cls.topic in wanted]


def schema_path(event: type[EventData]) -> str:
    """Where the service that tells an event serves the JSON Schema of its data."""
    return _schema_path(event.type)


def _schema_path(kind: str) -> str:
    return f"/{kind.partition('.')[0]}/schemas/{kind}.{VERSION}.json"


class Following(NamedTuple):
    """What an event is a part of: one contact's way through all services, and the trace of the request."""

    correlation_id: str | None
    traceparent: str | None


def following() -> Following:
    """What is being done in the present task is a part of."""
    return Following(correlation_id.get(), traceparent.get())


def encode(
    data: EventData | Told, *, at: datetime, event_id: UUID | None = None, part_of: Following | None = None
) -> tuple[UUID, bytes]:
    """The finished bytes of an event and its id. `at` is when it happened, in any zone; written in UTC.

    `part_of` where not the present task's: requests that share a transaction are each a contact of their own.
    """
    event_id = event_id or new_id()
    return event_id, enveloped(data, event_id, at=at, part_of=part_of).encode()


def enveloped(data: EventData | Told, event_id: UUID, *, at: datetime, part_of: Following | None = None) -> str:
    """The same as text, under an id that was made before."""
    # Put together as text: a third of the price of dumping the data to objects and the envelope once more.
    return (
        f'{{"specversion":"1.0","id":"{event_id}",{_fixed(data.type)}"time":"{written(at)}",'
        f'"subject":{_text(data.key())},{_followed(part_of or following())}"data":{data.as_json()}}}'
    )


@lru_cache
def _followed(part_of: Following) -> str:
    named = (("correlationid", part_of.correlation_id), ("traceparent", part_of.traceparent))
    return "".join([f'"{name}":{_text(value)},' for name, value in named if value is not None])


@lru_cache
def _fixed(kind: str) -> str:
    """What the envelopes of all events of a type have in common."""
    attributes = {
        "source": f"/{kind.partition('.')[0]}",
        "type": f"hilo.{kind}.{VERSION}",
        "datacontenttype": "application/json",
        "dataschema": _schema_path(kind),
    }
    return "".join([f'"{name}":{_text(value)},' for name, value in attributes.items()])


def _text(value: str) -> str:
    return orjson.dumps(value).decode()


def decode(body: bytes | str, *, wanted: frozenset[str] | None = None) -> Event | None:
    """The event in `body`; None for a type that we do not know or did not ask for (`wanted`: type names).

    Raises Unreadable for anything that is not a well-formed event of a known version.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable("bad-json", str(error)) from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("type"), str):
        raise Unreadable("bad-envelope", "no CloudEvents type")
    name, _, version = envelope["type"].removeprefix("hilo.").rpartition(".")
    cls = _TYPES.get(name)
    if cls is None or (wanted is not None and name not in wanted):
        return None
    if version != VERSION:
        raise Unreadable("unknown-version", f"{envelope['type']} is not readable here")
    try:
        return Event(
            id=envelope["id"],
            type=name,
            source=envelope["source"],
            time=envelope["time"],
            subject=envelope["subject"],
            correlation_id=envelope.get("correlationid"),
            data=cls.model_validate(envelope["data"]),
        )
    except (KeyError, ValidationError) as error:
        raise Unreadable("bad-schema", _where(error)) from error


def _where(error: KeyError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"/{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
    return f"missing {error}"
