"""The real Apache Kafka that the native stack and the tests run on."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hilo.native import kafka
from hilo.native.errors import NativeError
from hilo.native.kafka import KafkaServer
from hilo.native.testing import real_kafka


async def make_topic(server: KafkaServer, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()


async def send(server: KafkaServer, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(server: KafkaServer, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=server.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.real
async def test_what_was_acknowledged_is_there_after_the_broker_was_killed(kafka_server):
    await make_topic(kafka_server, "native.kept")
    await send(kafka_server, "native.kept", [b"one", b"two"])

    kafka_server.process.kill()
    assert not kafka_server.answers()
    kafka_server.start()

    await send(kafka_server, "native.kept", [b"three"])
    assert await read(kafka_server, "native.kept", 3) == [b"one", b"two", b"three"]


@pytest.mark.real
async def test_no_topic_is_made_by_asking_for_it(kafka_server):
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_server.bootstrap)
    await consumer.start()
    try:
        assert not consumer.partitions_for_topic("native.unknown")
        assert "native.unknown" not in await consumer.topics()
    finally:
        await consumer.stop()


@pytest.mark.real
def test_the_jars_are_fetched_once(monkeypatch):
    first = kafka.jars()
    monkeypatch.setenv("PATH", "")  # no Maven any more
    assert kafka.jars() == first
    assert any(first.glob("kafka_2.13-4.2.0.jar"))


def test_without_maven_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NativeError, match="Maven"):
        kafka.jars()


def test_without_java_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NativeError, match="Java is needed"):
        kafka.find_java()


@pytest.mark.parametrize("version", ['openjdk version "11.0.22" 2024-01-16', 'java version "1.8.0_402"', "garbage"])
def test_a_java_that_is_too_old_is_refused(monkeypatch, tmp_path, version):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(NativeError, match="needs Java 17"):
        kafka.find_java()


def test_a_fetch_that_fails_leaves_nothing_behind_and_says_why(monkeypatch, tmp_path):
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho 'no such artifact'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(NativeError, match="no such artifact"):
        kafka.jars()
    assert [path.suffix for path in (tmp_path / "cache" / "hilo").iterdir()] == [".lock"]


def test_a_cluster_id_is_never_taken_for_an_option():
    ids = {kafka._cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(cluster) == 22 and not cluster.startswith("-") for cluster in ids)


@pytest.mark.real
def test_nothing_is_left_behind():
    with real_kafka() as server:
        process, home = server.process, server.home
        assert server.answers()
    assert not process.is_alive()
    assert not home.exists()
