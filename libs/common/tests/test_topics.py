"""Topics are there, or it is said why not, before anybody subscribes."""

import asyncio
import signal

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import InvalidReplicationFactorError

from common.bus.kafka import ensure_topics

pytestmark = pytest.mark.real


async def partitions(bootstrap: str, *topics: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(topics))}
    finally:
        await admin.close()


async def test_topics_are_to_be_seen_with_all_their_partitions_at_once(kafka_server):
    await ensure_topics(kafka_server.bootstrap, ["topics.a", "topics.b"], partitions=3)
    assert await partitions(kafka_server.bootstrap, "topics.a", "topics.b") == {"topics.a": 3, "topics.b": 3}


async def test_a_topic_that_is_there_keeps_its_partitions(kafka_server):
    await ensure_topics(kafka_server.bootstrap, ["topics.kept"], partitions=3)
    await ensure_topics(kafka_server.bootstrap, ["topics.kept", "topics.new"], partitions=5)
    assert await partitions(kafka_server.bootstrap, "topics.kept", "topics.new") == {"topics.kept": 3, "topics.new": 5}


async def test_several_processes_may_make_the_same_topics_at_once(kafka_server):
    topics = [f"topics.raced.{number}" for number in range(6)]
    await asyncio.gather(*(ensure_topics(kafka_server.bootstrap, topics, partitions=2) for _ in range(4)))
    assert await partitions(kafka_server.bootstrap, *topics) == dict.fromkeys(topics, 2)


async def test_what_the_broker_refuses_is_an_error_and_not_a_missing_topic(kafka_server):
    with pytest.raises(InvalidReplicationFactorError, match=r"topics\.refused"):
        await ensure_topics(kafka_server.bootstrap, ["topics.refused"], replication=3, within=0.2)


async def test_a_broker_whose_heartbeat_was_late_is_asked_again(kafka_server):
    kafka_server.process.send(signal.SIGSTOP)
    await asyncio.sleep(4)  # longer than the broker's session
    kafka_server.process.send(signal.SIGCONT)
    await ensure_topics(kafka_server.bootstrap, ["topics.after-a-pause"], partitions=2)
    assert await partitions(kafka_server.bootstrap, "topics.after-a-pause") == {"topics.after-a-pause": 2}
