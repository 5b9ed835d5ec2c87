"""The floor of the whole way: COPY of the rows that Hilo wrote, aiokafka with the bytes that Hilo told, and nothing else.

python -m tests.load.twin.pipe ROLE SOURCE_URL TARGET_URL BOOTSTRAP TOPICS [EVENTS]: reads a role's rows, says `ready`, waits for a line, works, says `done MOMENT`.
`ingest` copies and produces; the others consume what it produced and copy their share, a transaction a batch, offsets after it.
"""

import asyncio
import gc
import sys
import time
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BATCH = 100
POLL = 500
# Which of the topics each service reads.
READS = {
    "identity": "people",
    "scoring": "log",
    "service_audit": "log",
}
TOPICS = {"interactions.v1": "log", "interactions.people.v1": "people"}
# Filled by other ways than the events of interactions, or needed to migrate.
LEFT_OUT = {"alembic_version", "cursor", "timer", "parked"}

Table = tuple[str, list[str], list[tuple[Any, ...]]]


async def tables_of(url: str) -> list[Table]:
    """Every table that has rows: its name, its columns, its rows in the order of storage."""
    connection = await asyncpg.connect(url)
    names = [
        row[0]
        for row in await connection.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        )
        if row[0] not in LEFT_OUT
    ]
    found: list[Table] = []
    for name in names:
        rows = await connection.fetch(f'SELECT * FROM "{name}"')
        if rows:
            columns = [column for column in rows[0].keys() if not (name == "outbox" and column == "seq")]  # noqa: SIM118
            found.append((name, columns, [tuple(row[column] for column in columns) for row in rows]))
    await connection.close()
    return found


class Copier:
    """Copies the tables' rows share by share: after n of N events, n/N of each table's rows are there."""

    def __init__(self, tables: list[Table], whole: int) -> None:
        self._tables, self._whole, self._done = tables, whole, 0

    async def advance(self, connection: Any, events: int) -> None:
        before, self._done = self._done, min(self._whole, self._done + events)
        for name, columns, rows in self._tables:
            some = rows[len(rows) * before // self._whole : len(rows) * self._done // self._whole]
            if some:
                await connection.copy_records_to_table(name, records=some, columns=columns)


async def ingest(source: str, target: str, bootstrap: str, topics: str) -> None:
    tables = await tables_of(source)
    outbox = next(table for table in tables if table[0] == "outbox")
    place = {name: outbox[1].index(name) for name in ("aggregatetype", "aggregateid", "payload")}
    touchpoints = next(len(rows) for name, _, rows in tables if name == "touchpoint")
    messages = [
        (
            f"{topics}.{TOPICS[row[place['aggregatetype']]]}",
            row[place["aggregateid"]].encode(),
            row[place["payload"]].encode(),
        )
        for row in outbox[2]
        if row[place["aggregatetype"]] in TOPICS
    ]
    copier = Copier(tables, touchpoints)
    connection = await asyncpg.connect(target)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all") as producer:
        await _go()
        sent = 0
        for start in range(0, touchpoints, BATCH):
            async with connection.transaction():
                await copier.advance(connection, BATCH)
            upto = len(messages) * min(start + BATCH, touchpoints) // touchpoints
            waiting = [await producer.send(topic, body, key=key) for topic, key, body in messages[sent:upto]]
            await asyncio.gather(*waiting)
            sent = upto
    await connection.close()
    _say(f"done {time.time()}")


async def consume(role: str, source: str, target: str, bootstrap: str, topics: str, expected: int) -> None:
    copier = Copier(await tables_of(source), expected)
    connection = await asyncpg.connect(target)
    consumer = AIOKafkaConsumer(
        f"{topics}.{READS[role]}", bootstrap_servers=bootstrap, group_id=f"{topics}.{role}", enable_auto_commit=False,
        auto_offset_reset="earliest", fetch_max_wait_ms=50,
    )  # fmt: skip
    await consumer.start()
    while not consumer.assignment():
        await consumer.getmany(timeout_ms=100)
    await _go()
    seen = 0
    while seen < expected:
        polled = await consumer.getmany(timeout_ms=200, max_records=POLL)
        count = sum(map(len, polled.values()))
        if count:
            async with connection.transaction():
                await copier.advance(connection, count)
            await consumer.commit({partition: some[-1].offset + 1 for partition, some in polled.items()})
            seen += count
    moment = time.time()
    await consumer.stop()
    await connection.close()
    _say(f"done {moment}")


async def _go() -> None:
    gc.collect()
    gc.freeze()
    _say("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    role, source, target, bootstrap, topics, *expected = sys.argv[1:]
    if role == "ingest":
        asyncio.run(ingest(source, target, bootstrap, topics))
    else:
        asyncio.run(consume(role, source, target, bootstrap, topics, int(expected[0])))


if __name__ == "__main__":
    main()
