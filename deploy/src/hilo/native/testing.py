"""The real PostgreSQL and the real Apache Kafka for the length of a test run, as context managers; the root conftest makes fixtures of them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilo.native.kafka import KafkaServer
from hilo.native.postgres import PostgresServer


@contextmanager
def real_postgres() -> Iterator[PostgresServer]:
    """A server of its own in a temporary directory, without fsync; gone afterwards."""
    with _scratch("hilo-postgres-") as directory:
        server = PostgresServer(home=directory / "postgres", fast=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def real_kafka() -> Iterator[KafkaServer]:
    """A broker of its own in a temporary directory; gone afterwards. It makes no topic by itself."""
    with _scratch("hilo-kafka-") as directory:
        server = KafkaServer(home=directory / "kafka", quick=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _scratch(prefix: str) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o755)  # the database may run as another user
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
