"""Docker Compose's file without an engine: it must say the same as the native stack, and hang together."""

import re
from pathlib import Path

import pytest
import yaml

from hilo.native.compose_environment import write_environment
from hilo.native.postgres import SETTINGS
from hilo.native.roles import SERVICES
from hilo.services import SERVICES as INSTALLED

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
PROCESSES = COMPOSE["services"]
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
# What a service of the Compose specification may hold, as far as this file goes.
KEYS = {
    "build", "cap_drop", "command", "depends_on", "env_file", "environment", "healthcheck", "image", "ports", "read_only", "restart",
    "security_opt", "shm_size", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def arguments(command: list[str]) -> list[str]:
    """What follows the interpreter: it has another path here and there."""
    assert command[1] == "-m"
    return command[2:]


def required_variables() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", TEXT))


def test_every_service_has_an_api_a_worker_and_a_migration_that_runs_once():
    expected = {f"{service.name}-{kind}" for service in SERVICES for kind in ("api", "worker", "migrate")}
    assert set(PROCESSES) == expected | {"postgres", "kafka", "proxy"}
    for service in SERVICES:
        assert PROCESSES[f"{service.name}-migrate"]["restart"] == "no"
        assert PROCESSES[f"{service.name}-api"]["restart"] == "unless-stopped"
        assert PROCESSES[f"{service.name}-worker"]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_commands_are_those_of_the_native_stack(service):
    for kind, command in {
        "api": service.command("api", "--port", str(service.port)),
        "worker": service.command("worker", "--port", str(service.door)),
        "migrate": service.command("migrate"),
    }.items():
        assert arguments(PROCESSES[f"{service.name}-{kind}"]["command"]) == arguments(command)


def test_only_keys_of_the_specification_are_used():
    for name, process in PROCESSES.items():
        assert set(process) <= KEYS, name
        assert process["image"], name


def test_everything_waited_for_exists_and_can_reach_the_awaited_state():
    for name, process in PROCESSES.items():
        for awaited, how in process.get("depends_on", {}).items():
            assert how["condition"] in CONDITIONS, name
            assert awaited in PROCESSES, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in PROCESSES[awaited], awaited
            if how["condition"] == "service_completed_successfully":
                assert PROCESSES[awaited]["restart"] == "no", awaited


def test_nothing_waits_for_itself():
    def started_before(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, " -> ".join((*path, name))
        for awaited in PROCESSES[name].get("depends_on", {}):
            started_before(awaited, (*path, name))

    for name in PROCESSES:
        started_before(name)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_order_is_database_migration_then_api_and_worker(service):
    assert set(PROCESSES[f"{service.name}-migrate"]["depends_on"]) == {"postgres"}
    assert f"{service.name}-migrate" in PROCESSES[f"{service.name}-api"]["depends_on"]
    assert set(PROCESSES[f"{service.name}-worker"]["depends_on"]) == {f"{service.name}-migrate", "kafka"}
    assert f"{service.name}-api" in PROCESSES["proxy"]["depends_on"]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_reaches_its_own_database_only(service):
    for kind in ("api", "worker", "migrate"):
        environment = PROCESSES[f"{service.name}-{kind}"]["environment"]
        assert environment["HILO_DATABASE_URL"].endswith(f"@postgres:5432/{service.database}")
        assert environment["HILO_KAFKA_BOOTSTRAP"] == "kafka:9092"
        assert environment["HILO_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_any_setting_may_stand_in_the_environment_file_and_name_a_file(service):
    for kind in ("api", "worker", "migrate"):
        process = PROCESSES[f"{service.name}-{kind}"]
        assert process["env_file"] == [{"path": ".env", "required": False}]
        assert process["volumes"] == ["${HILO_FILES:-./var/files}:/etc/hilo:ro"]


def test_everything_that_a_process_is_told_is_a_setting():
    known = {f"HILO_{name.upper()}" for each in INSTALLED for name in type(each.settings()).model_fields}
    told = {name for process in PROCESSES.values() for name in process.get("environment", {})}
    example = re.findall(r"^(\w+)=", (ROOT / "deploy/env.example").read_text(), re.MULTILINE)
    ours = {name for name in [*told, *example] if name.startswith("HILO_")}
    assert ours - known == {"HILO_BIND", "HILO_FILES"}  # which Compose itself reads


def test_the_databases_are_those_of_the_services():
    script = (ROOT / "deploy/postgres/databases.sql").read_text()
    assert re.findall(r"create database (\w+);", script) == [service.database for service in SERVICES]
    assert (
        "./deploy/postgres/databases.sql:/docker-entrypoint-initdb.d/databases.sql:ro"
        in PROCESSES["postgres"]["volumes"]
    )


def test_both_databases_run_under_the_same_settings():
    command = PROCESSES["postgres"]["command"]
    given = dict(option.removeprefix("-c").split("=") for option in command[1:])
    assert given == {name: value for name, value in SETTINGS.items() if name != "listen_addresses"}


def test_both_brokers_run_under_the_same_settings():
    lines = (ROOT / "deploy/kafka/server.properties").read_text().splitlines()
    native = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    places = {
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "log.dirs",
        "controller.quorum.voters",
    }
    environment = PROCESSES["kafka"]["environment"]
    for name, value in native.items():
        if name not in places:
            assert environment["KAFKA_" + name.upper().replace(".", "_")] == value, name


def test_the_broker_is_the_version_that_the_tests_run():
    version = re.search(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", (ROOT / "deploy/kafka/pom.xml").read_text()
    )
    assert PROCESSES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_no_port_is_published_beyond_this_machine_by_default():
    published = [port for process in PROCESSES.values() for port in process.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith(("127.0.0.1:", "${HILO_BIND:-127.0.0.1}:")) for port in published)


def test_no_secret_has_a_default():
    assert required_variables() == {"HILO_SECRET", "HILO_FIRST_KEY_HASH", "POSTGRES_PASSWORD"}


def test_the_example_names_every_variable_that_the_file_reads():
    named = set(re.findall(r"^(\w+)=", (ROOT / "deploy/env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", TEXT)) - named == {"HILO_VERSION"}


def test_the_written_environment_fills_every_required_variable_and_is_for_its_owner_only(tmp_path):
    file = tmp_path / ".env"
    assert write_environment(file, example=ROOT / "deploy/env.example", var=tmp_path)
    values = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#")
    assert all(re.fullmatch(r"[0-9a-zA-Z]{32,}", values[name]) for name in required_variables())
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "credential").exists()
    assert (tmp_path / "files").is_dir()


def test_an_environment_that_is_there_is_never_overwritten(tmp_path):
    file = tmp_path / ".env"
    file.write_text("HILO_SECRET=mine\n")
    assert not write_environment(file, example=ROOT / "deploy/env.example", var=tmp_path)
    assert file.read_text() == "HILO_SECRET=mine\n"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_proxy_sends_each_service_its_paths(service):
    routes = dict(
        re.findall(
            r"handle /([\w-]+)/\* \{\s*reverse_proxy \{\$\w+:([\w.:-]+)\}",
            (ROOT / "deploy/proxy/Caddyfile").read_text(),
        )
    )
    assert routes[service.name] == f"{service.name}-api:{service.port}"
    assert f'href="/{service.name}/docs"' in (ROOT / "deploy/proxy/index.html").read_text()


def test_the_image_runs_as_a_user_without_rights():
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE) == ["hilo"]
    assert "--require-hashes" in dockerfile
    assert all(PROCESSES[f"{service.name}-api"]["read_only"] for service in SERVICES)
