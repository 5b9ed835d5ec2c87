"""One system for all journeys, on each stack: the embedded one, and the real PostgreSQL and Apache Kafka."""

from collections.abc import Iterator

import pytest

from .systems import Caller, System, embedded, native


@pytest.fixture(scope="session")
def embedded_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with embedded(tmp_path_factory.mktemp("embedded")) as system:
        yield system


@pytest.fixture(scope="session")
def native_system(request: pytest.FixtureRequest) -> Iterator[System]:
    # The session's own servers are asked for first: where they cannot be had, that tells whether to skip or to fail.
    request.getfixturevalue("postgres_server")
    request.getfixturevalue("kafka_server")
    with native() as system:
        yield system


@pytest.fixture(scope="session", params=["embedded", pytest.param("native", marks=pytest.mark.real)])
def stack(request: pytest.FixtureRequest) -> System:
    system: System = request.getfixturevalue(f"{request.param}_system")
    return system


@pytest.fixture
def caller(stack: System) -> Iterator[Caller]:
    """Whoever has the first key."""
    caller = Caller(stack)
    yield caller
    caller.close()
