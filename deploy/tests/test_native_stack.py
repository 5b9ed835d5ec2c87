"""The native stack: real servers, with a small program standing in for a service."""

import json
import socket
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.service import all_topics
from hilo.native.__main__ import app
from hilo.native.errors import NativeError
from hilo.native.ports import free_port
from hilo.native.roles import SERVICES, Service
from hilo.native.stack import Stack
from hilo.native.testing import scratch

STANDIN = """
import http.server, json, os, sys, time
told = {name: value for name, value in os.environ.items() if name.startswith("HILO_")}
match sys.argv[1:]:
    case ["migrate"]:
        with open(os.environ["STANDIN_NOTES"], "a") as notes:
            notes.write(json.dumps(told) + "\\n")
    case ["worker"]:
        time.sleep(600)
    case ["api", "--port", port]:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())
        http.server.HTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()
"""


def standin(directory: Path, code: str = STANDIN) -> Service:
    package = directory / "standin"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(textwrap.dedent(code))
    return Service("stand-in", "standin", free_port())


@pytest.fixture(scope="module")
def environment():
    with pytest.MonkeyPatch.context() as patch, scratch("hilo-stack-") as directory:
        patch.setenv("PYTHONPATH", str(directory))
        patch.setenv("STANDIN_NOTES", str(directory / "notes"))
        yield directory


@pytest.fixture(scope="module")
def stack(environment, postgres_server, kafka_server):
    """The session's servers are asked for only so that their absence skips these tests, with the reason."""
    stack = Stack(environment / "var", services=[standin(environment)], fleeting=True)
    stack.up()
    yield stack
    stack.down()


def told(stack: Stack) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.services[0].port}/") as answer:
        return json.load(answer)


def pids(stack: Stack) -> dict[str, int | None]:
    return {standing.role.name: standing.process and standing.process.pid for standing in stack.standings()}


@pytest.mark.real
def test_servers_api_and_worker_run(stack):
    assert list(pids(stack)) == ["postgres", "kafka", "stand-in-api", "stand-in-worker"]
    assert all(pids(stack).values())


@pytest.mark.real
def test_every_process_is_told_the_same_secrets_and_its_own_database(stack):
    environment = told(stack)
    assert environment["HILO_DATABASE_URL"] == stack.postgres.url("standin")
    assert environment["HILO_KAFKA_BOOTSTRAP"] == stack.kafka.bootstrap
    assert environment["HILO_SECRET"] == (stack.var / "secret").read_text().strip()
    assert len(environment["HILO_FIRST_KEY_HASH"]) == 64
    migrated = [json.loads(line) for line in (stack.var.parent / "notes").read_text().splitlines()]
    assert environment in migrated


@pytest.mark.real
def test_what_is_secret_is_readable_by_its_owner_only(stack):
    for path in (stack.var / "secret", stack.credential, stack.postgres.home / "password"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.real
async def test_the_topics_are_there_before_anybody_subscribes(stack):
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap)
    await admin.start()
    try:
        described = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(all_topics())}
    finally:
        await admin.close()
    assert described == dict.fromkeys(all_topics(), 12)


@pytest.mark.real
def test_a_second_up_starts_nothing_twice(stack):
    before = pids(stack)
    stack.up()
    assert pids(stack) == before


@pytest.mark.real
@pytest.mark.parametrize("role", ["postgres", "kafka", "stand-in-api", "stand-in-worker"])
def test_a_role_that_was_killed_starts_again_alone_with_the_same_address(stack, role):
    before, environment = pids(stack), told(stack)
    stack.kill(role)
    assert pids(stack) == before | {role: None}
    stack.start(role)
    assert {name: pid for name, pid in pids(stack).items() if name != role} == {
        name: pid for name, pid in before.items() if name != role
    }
    assert told(stack) == environment


@pytest.mark.real
def test_a_role_is_stopped_alone(stack):
    assert stack.stop("stand-in-worker") == []
    assert pids(stack)["stand-in-worker"] is None
    assert pids(stack)["stand-in-api"] is not None
    stack.start("stand-in-worker")


@pytest.mark.real
def test_after_down_and_up_the_data_and_the_credential_are_found_again(stack):
    stack.postgres.query("create table thread as select 7 as id", database="standin")
    credential = stack.credential.read_text()
    assert stack.down() == []
    assert not any(pids(stack).values())
    again = Stack(stack.var, services=stack.services, fleeting=True)
    again.up()
    assert again.postgres.query("select id from thread", database="standin") == "7"
    assert again.credential.read_text() == credential


@pytest.mark.real
def test_a_migration_that_fails_is_told_with_its_reason(stack, environment):
    broken = standin(environment / "broken", code="raise SystemExit('no such column')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(environment / "broken"))
        with pytest.raises(NativeError, match="no such column"):
            Stack(stack.var, services=[broken], fleeting=True).up()


@pytest.mark.real
def test_an_api_whose_port_another_program_has_is_not_taken_for_started(stack):
    stack.stop("stand-in-api")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stack.services[0].port))
        other.listen()
        with pytest.raises(NativeError, match=f"needs port {stack.services[0].port}"):
            stack.start("stand-in-api")
    assert pids(stack)["stand-in-api"] is None
    stack.start("stand-in-api")


@pytest.mark.real
def test_two_commands_at_once_do_not_start_everything_twice(stack):
    with stack._alone(), pytest.raises(NativeError, match="Another command"):
        stack.up()


def test_an_unknown_role_is_refused_with_the_names_of_those_there_are(tmp_path):
    with pytest.raises(NativeError, match="interactions-worker"):
        Stack(tmp_path).start("interaction-worker")


def test_down_where_nothing_runs_stops_nothing(tmp_path):
    assert Stack(tmp_path).down() == []


def test_status_names_every_role_and_ends_with_one_when_nothing_runs(tmp_path):
    result = CliRunner().invoke(app, ["status", "--var", str(tmp_path)])
    assert result.exit_code == 1
    roles = [line.split()[0] for line in result.stdout.splitlines()]
    assert roles[:2] == ["postgres", "kafka"]
    assert roles[2:] == [f"{service.name}-{kind}" for kind in ("api", "worker") for service in SERVICES]


def test_a_service_is_run_by_the_interpreter_that_runs_this():
    assert SERVICES[3].command("api", "--port", "8004") == [
        sys.executable, "-m", "service_audit", "api", "--port", "8004",
    ]  # fmt: skip
