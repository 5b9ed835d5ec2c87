"""The floor: what is left when everything but parsing and storing is taken away: raw ASGI, two statements, Hilo's own tables.

LOAD_DATABASE_URL=postgresql://... LOAD_KEY=... uvicorn tests.load.twin.floor:app --lifespan on
It writes rows of the same number and sizes into interactions' migrated schema, and knows resends. It checks nothing else.
"""

import asyncio
import gc
import hashlib
import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

ROW = (
    ("touchpoint_id", "uuid"), ("trace_id", "uuid"), ("source", "text"), ("external_id", "text"), ("kind", "text"),
    ("channel", "text"), ("direction", "text"), ("site", "text"), ("occurred_at", "timestamptz"), ("topic", "text"),
    ("content", "text"), ("language", "text"), ("summary", "text"), ("stop_point", "text"), ("next_step", "text"),
    ("outcome", "text"), ("refs", "text"), ("payload", "text"), ("profile", "text"), ("identifiers", "text"),
    ("figures", "text"), ("conversation_id", "uuid"), ("body_hash", "text"), ("answer", "text"), ("identifier_id", "uuid"),
    ("folded_name", "text"), ("reference", "text"),
)  # fmt: skip
OUT = (("id", "uuid"), ("aggregatetype", "text"), ("aggregateid", "text"), ("type", "text"), ("payload", "text"))
SAME = (
    "touchpoint_id, trace_id, source, external_id, kind, channel, direction, site, occurred_at, topic, content, language, "
    "summary, stop_point, next_step, outcome"
)


def _unnest(columns: tuple[tuple[str, str], ...], first: int) -> str:
    arrays = ", ".join(f"${i}::{kind}[]" for i, (_, kind) in enumerate(columns, start=first))
    return f"unnest({arrays}) AS a({', '.join(name for name, _ in columns)})"


THREADS = """
SELECT t.id, c.conversation_id FROM unnest($1::uuid[]) AS t(id) CROSS JOIN LATERAL (
    SELECT conversation_id FROM conversation WHERE party_id = t.id AND topic = 'billing' LIMIT 1) AS c
"""
KNOWN = """
SELECT external_id, answer::text FROM unnest($1::text[], $2::text[]) AS a(source, external_id) JOIN receipt USING (source, external_id)
"""
# One statement is one transaction and one round trip. Its parts see the same snapshot; none of them reads what another writes.
STORE = f"""
WITH a AS (SELECT * FROM {_unnest(ROW, 1)}),
fresh AS (INSERT INTO receipt (source, external_id, body_hash, touchpoint_id, trace_id, answer)
    SELECT source, external_id, body_hash, touchpoint_id, trace_id, answer::jsonb FROM a ON CONFLICT DO NOTHING RETURNING touchpoint_id),
b AS (SELECT a.* FROM a JOIN fresh USING (touchpoint_id)),
log AS (INSERT INTO touchpoint ({SAME}, version, position, recorded_at, actor_kind, visibility, "references", payload, profile, facts,
        identifiers, figures, backfill, state, redacted)
    SELECT {SAME}, 1, touchpoint_id, $28, 'customer', 'customer', refs::jsonb, payload::jsonb, profile::jsonb, '[]',
        identifiers::jsonb, figures::jsonb, false, 'live', '[]' FROM b),
traces AS (INSERT INTO trace (trace_id, revision, folded_name, documents)
    SELECT DISTINCT ON (trace_id) trace_id, 0, folded_name, '[]'::jsonb FROM b ORDER BY trace_id ON CONFLICT DO NOTHING),
carried AS (INSERT INTO trace_identifier (identifier_id, trace_id, scheme)
    SELECT DISTINCT identifier_id, trace_id, 'phone' FROM b ON CONFLICT DO NOTHING),
threads AS (INSERT INTO conversation (conversation_id, party_id, topic, state, started_at, last_at, last_channel, last_site, stop_point,
        next_step, summary, last_touchpoint_id, dialogue, entries, posture, moved_at, told_at, summed_at, latest_position)
    SELECT DISTINCT ON (conversation_id) conversation_id, trace_id, topic, 'waiting-us', occurred_at, occurred_at, channel, site, stop_point,
        next_step, summary, touchpoint_id, true, 1, 'us', occurred_at, occurred_at, occurred_at, touchpoint_id
    FROM b ORDER BY conversation_id, touchpoint_id DESC
    ON CONFLICT (conversation_id) DO UPDATE SET last_at = excluded.last_at, last_channel = excluded.last_channel,
        stop_point = excluded.stop_point, next_step = excluded.next_step, summary = excluded.summary,
        last_touchpoint_id = excluded.last_touchpoint_id, entries = conversation.entries + 1, moved_at = excluded.moved_at,
        told_at = excluded.told_at, summed_at = excluded.summed_at, latest_position = excluded.latest_position),
entries AS (INSERT INTO conversation_entry (touchpoint_id, conversation_id, party_id, matched_by)
    SELECT touchpoint_id, conversation_id, trace_id, 'topic' FROM b),
refs AS (INSERT INTO conversation_reference (party_id, reference, conversation_id)
    SELECT DISTINCT ON (trace_id, reference) trace_id, reference, conversation_id FROM b ORDER BY trace_id, reference ON CONFLICT DO NOTHING),
told AS (INSERT INTO outbox (xid, id, aggregatetype, aggregateid, type, payload, at)
    SELECT pg_current_xact_id()::text::bigint, a.*, $28 FROM {_unnest(OUT, 29)})
SELECT touchpoint_id FROM fresh
"""

Answer = dict[str, Any]


class Floor:
    """The application: two routes."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Answer, asyncio.Future[bytes]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._authorization = b"Bearer " + os.environ["LOAD_KEY"].encode()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif (b"authorization", self._authorization) not in scope["headers"]:
            await _send(send, 401, b"{}")
        else:
            body = orjson.loads(await _body(receive))
            if isinstance(body, list):
                results = await self._store(body)
                parts = b'{"recorded":%d,"duplicate":0,"refused":0,"results":[%b]}' % (len(results), b",".join(results))
                await _send(send, 200, parts)
            else:
                await _send(send, 201, await self._join(body))

    async def _join(self, body: Answer) -> bytes:
        """Group commit: whatever waits when a transaction ends shares the next."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:500], self._waiting[500:]
            answers = await self._store([body for body, _ in group])
            for (_, future), answer in zip(group, answers, strict=True):
                future.set_result(answer)
        self._flusher = None

    async def _store(self, bodies: list[Answer]) -> list[bytes]:
        now = datetime.now(UTC)
        traces = [_trace(body) for body in bodies]
        async with self.pool.acquire() as connection:
            threads = dict(await connection.fetch(THREADS, list(set(traces))))
            rows, told = [], []
            for body, trace in zip(bodies, traces, strict=True):
                row, events = _written(body, trace, threads, now)
                rows.append(row)
                told += events
            fresh = {each[0] for each in await connection.fetch(STORE, *_columns(rows), now, *_columns(told))}
            if len(fresh) < len(rows):
                known = await connection.fetch(KNOWN, [row[2] for row in rows], [row[3] for row in rows])
                answers = {external_id: answer.encode() for external_id, answer in known}
                return [row[23].encode() if row[0] in fresh else answers[row[3]] for row in rows]
        return [row[23].encode() for row in rows]

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.pool = await asyncpg.create_pool(os.environ["LOAD_DATABASE_URL"], min_size=4, max_size=4)
                gc.collect()
                gc.freeze()
                gc.set_threshold(50_000, 20, 50)
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.pool.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _columns(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def _trace(body: Answer) -> UUID:
    return UUID(bytes=hashlib.blake2b(body["identifiers"][0].encode(), digest_size=16).digest())


def _written(
    body: Answer, trace: UUID, threads: dict[UUID, UUID], now: datetime
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The row of a touchpoint, with what goes into the other tables, and its three events."""
    touchpoint_id = uuid7()
    conversation_id = threads.setdefault(trace, touchpoint_id)
    given = body["identifiers"][0]
    identifier = {"id": str(trace), "given": given, "value": "+57" + given[6:], "scheme": "phone", "attested": True,
                  "normalised": "phone:+57" + given[6:]}  # fmt: skip
    at = now.isoformat()
    figures = {
        "touchpoint_id": touchpoint_id, "trace_id": trace, "source": body["source"], "kind": body["kind"],
        "channel": body["channel"], "direction": body["direction"], "occurred_at": body["occurred_at"], "recorded_at": at,
        "backfill": False, "anonymous": False, "site": body["site"], "topic_code": body["topic"], "outcome": body["outcome"],
        "actor_kind": "customer", "conversation_id": conversation_id, "contact_cost": {"minor": 180000, "currency": "COP"},
    }  # fmt: skip
    answer = {
        "status": "recorded", "touchpoint_id": touchpoint_id, "conversation_id": conversation_id, "matched_by": "topic",
        "customer_id": None, "case_number": None, "commitment_ids": [], "warnings": [],
    }  # fmt: skip
    person = {
        "touchpoint_id": touchpoint_id, "trace_id": trace, "source": body["source"], "channel": body["channel"],
        "occurred_at": body["occurred_at"], "backfill": False, "identifiers": [identifier], "profile": body["profile"],
        "facts": [], "has_open_case": False, "asked": [],
    }  # fmt: skip
    moved = {
        "conversation_id": conversation_id, "trace_id": trace, "move": "resumed", "matched_by": "topic",
        "touchpoint_id": touchpoint_id, "kind": body["kind"], "channel": body["channel"], "at": body["occurred_at"],
        "backfill": False,
    }  # fmt: skip
    row = (
        touchpoint_id, trace, body["source"], body["external_id"], body["kind"], body["channel"], body["direction"],
        body["site"], datetime.fromisoformat(body["occurred_at"]), body["topic"], body["content"], body["language"],
        body["summary"], body["stop_point"], body["next_step"], body["outcome"], _text(body["references"]), "{}",
        _text(body["profile"]), _text([identifier]), _text(figures), conversation_id,
        hashlib.sha256(orjson.dumps(body)).hexdigest(), _text(answer), trace, body["profile"]["full_name"].lower(),
        body["references"][0],
    )  # fmt: skip
    key = str(trace)
    told = [
        _event("interactions.touchpoint-recorded", "interactions.v1", key, figures, at),
        _event("interactions.person-seen", "interactions.people.v1", key, person, at),
        _event("interactions.conversation-moved", "interactions.v1", key, moved, at),
    ]
    return row, told


def _event(name: str, topic: str, key: str, data: Answer, at: str) -> tuple[Any, ...]:
    event_id = uuid7()
    envelope = {
        "specversion": "1.0", "id": event_id, "source": "/interactions", "type": f"hilo.{name}.v1",
        "datacontenttype": "application/json", "dataschema": f"/interactions/schemas/{name}.v1.json", "time": at,
        "subject": key, "correlationid": "fa16d533-5b8e-445b-b7cb-86cc056e2586", "data": data,
    }  # fmt: skip
    return event_id, topic, key, name, _text(envelope)


def _text(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()  # asyncpg has a UUID of its own


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Floor()
