"""How far a consumer group is behind its topics, by the broker's word: whoever reads, or nobody."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from common.backlog import Behind, age_of
from common.clock import Clock

LONGEST_LOOK = 0.5  # seconds that the first waiting record of each partition is waited for


class GroupLag:
    """Asks the broker for the group's offsets, the ends of the partitions, and when the first waiting record was told."""

    def __init__(self, group: str, reader: str, topics: Sequence[str], bootstrap: str, *, clock: Clock) -> None:
        self._group = group
        self._reader = reader
        self._topics = sorted(topics)
        self._bootstrap = bootstrap
        self._clock = clock
        self._admin: AIOKafkaAdminClient | None = None
        self._looker: AIOKafkaConsumer | None = None
        self._alone = asyncio.Lock()

    async def read(self) -> list[Behind]:
        """For each topic, the events not yet handled and the age of the oldest. Raises KafkaError while the broker is away."""
        async with self._alone:
            admin, looker = await self._connected()
            partitions = await self._partitions(admin)
            ends = await looker.end_offsets(partitions)
            committed = await admin.list_consumer_group_offsets(self._group)
            fresh = [each for each in partitions if committed.get(each) is None or committed[each].offset < 0]
            starts = await looker.beginning_offsets(fresh) if fresh else {}
            places = {each: starts[each] if each in starts else committed[each].offset for each in partitions}
            behind = {each: ends[each] - places[each] for each in partitions if ends[each] > places[each]}
            told = await self._told(looker, {each: places[each] for each in behind})
        events: Counter[str] = Counter()
        for partition, count in behind.items():
            events[partition.topic] += count
        now = self._clock()
        return [Behind(self._reader, topic, events[topic], age_of(told.get(topic), now)) for topic in self._topics]

    async def close(self) -> None:
        async with self._alone:
            if self._admin is not None:
                await self._admin.close()
            if self._looker is not None:
                await self._looker.stop()
            self._admin = self._looker = None

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._admin is None or self._looker is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=2000)
            looker = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, enable_auto_commit=False, request_timeout_ms=2000,
                max_partition_fetch_bytes=1, fetch_max_wait_ms=50,
            )  # fmt: skip
            try:
                await admin.start()
                await looker.start()
            except BaseException:
                await admin.close()
                await looker.stop()
                raise
            self._admin, self._looker = admin, looker
        return self._admin, self._looker

    async def _partitions(self, admin: AIOKafkaAdminClient) -> list[TopicPartition]:
        described = await admin.describe_topics(self._topics)
        return [
            TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]
        ]

    async def _told(self, looker: AIOKafkaConsumer, places: dict[TopicPartition, int]) -> dict[str, datetime]:
        """When the first record at each place was written, the oldest of each topic."""
        found: dict[str, datetime] = {}
        if not places:
            return found
        looker.assign(list(places))
        for partition, place in places.items():
            looker.seek(partition, place)
        missing, until = set(places), asyncio.get_running_loop().time() + LONGEST_LOOK
        while missing and asyncio.get_running_loop().time() < until:
            for partition, records in (await looker.getmany(*missing, timeout_ms=100)).items():
                missing.discard(partition)
                at = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
                found[partition.topic] = min(at, found.get(partition.topic, at))
        looker.unsubscribe()
        return found
