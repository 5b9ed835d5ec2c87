"""The real PostgreSQL that the native stack and the tests run on."""

import pytest

from hilo.native.errors import NativeError
from hilo.native.postgres import PostgresServer
from hilo.native.testing import real_postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer):
    postgres_server.create_database("native")
    yield postgres_server
    postgres_server.drop_database("native")


def test_it_listens_on_the_loopback_interface_only(server):
    assert server.query("show listen_addresses") == "127.0.0.1"


def test_a_transaction_may_not_idle_for_long(server):
    assert server.query("show idle_in_transaction_session_timeout") == "30s"
    assert server.query("show max_connections") == "200"


def test_creating_a_database_twice_is_creating_it_once(server):
    server.create_database("twice")
    server.create_database("twice")
    assert server.query("select count(*) from pg_database where datname = 'twice'") == "1"


def test_a_wrong_password_is_refused(server, monkeypatch):
    monkeypatch.setattr(PostgresServer, "password", "guessed")
    assert not server.accepts_connections()


def test_a_failed_statement_says_why(server):
    with pytest.raises(NativeError, match="does not exist"):
        server.query("select * from nowhere")


def test_it_starts_again_on_its_data_after_a_kill_and_after_a_stop():
    with real_postgres() as server:
        server.create_database("kept")
        server.query("create table thread (id int)", database="kept")
        server.process.kill()
        assert not server.accepts_connections()
        server.start()
        assert server.query("select count(*) from thread", database="kept") == "0"
        server.stop()
        server.start()
        assert server.query("select count(*) from thread", database="kept") == "0"


def test_nothing_is_left_behind():
    with real_postgres() as server:
        process, home = server.process, server.home
        assert process.is_alive()
    assert not process.is_alive()
    assert not home.exists()
