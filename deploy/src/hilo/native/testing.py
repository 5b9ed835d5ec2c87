"""The real PostgreSQL and the real Apache Kafka for the length of a test run, as context managers; the root conftest makes fixtures of them."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hilo.native.kafka import KafkaServer
from hilo.native.ports import free_port
from hilo.native.postgres import PostgresServer
from hilo.native.roles import SERVICES, Service
from hilo.native.stack import Stack


@contextmanager
def real_postgres() -> Iterator[PostgresServer]:
    """A server of its own in a temporary directory, without fsync; gone afterwards."""
    with scratch("hilo-postgres-") as directory:
        server = PostgresServer(home=directory / "postgres", fast=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def real_kafka() -> Iterator[KafkaServer]:
    """A broker of its own in a temporary directory; gone afterwards. It makes no topic by itself."""
    with scratch("hilo-kafka-") as directory:
        server = KafkaServer(home=directory / "kafka", quick=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def real_stack(*, services: Sequence[Service] = SERVICES) -> Iterator[Stack]:
    """The whole distributed stack in a temporary directory, on ports of its own: `stack.services` tells the APIs' ports."""
    own = [replace(service, port=free_port(), door=free_port()) for service in services]
    with fleeting_stack("hilo-stack-", own) as stack:
        yield stack


@contextmanager
def fleeting_stack(prefix: str, services: Sequence[Service]) -> Iterator[Stack]:
    """A stack of these services in a temporary directory; afterwards it is down, and its database gone wherever it had to lie."""
    with scratch(prefix) as directory:
        stack = Stack(directory / "var", services=services, fleeting=True)
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
            shutil.rmtree(stack.postgres.home, ignore_errors=True)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary directory that the database's own user can enter."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
