"""The committed contracts are what the code says, break nobody, and can be read by the tools they are for."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from common.events import registered
from common.service import all_topics
from hilo.breaking import breaking
from hilo.contracts import Document, differing, documents, rendered, write
from hilo.services import SERVICES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "contracts"


@pytest.fixture(scope="module")
async def found() -> dict[str, Document]:
    return await documents()


def committed(path: str) -> dict[str, Any] | None:
    """The document of the last commit; None where it is new."""
    shown = subprocess.run(["git", "show", f"HEAD:contracts/{path}"], cwd=ROOT, capture_output=True, check=False)
    return json.loads(shown.stdout) if shown.returncode == 0 else None


def test_the_committed_documents_are_what_the_code_says(found):
    assert differing(FOLDER, found) == [], "run `make contracts`, read the difference, and commit it"


def test_there_is_a_document_for_every_event_and_two_for_every_service(found):
    events = {f"events/{event.type}.v1.json" for event in registered(all_topics())}
    services = {f"{service.name}.{kind}.json" for service in SERVICES for kind in ("openapi", "asyncapi")}
    assert set(found) == events | services


async def test_the_same_code_gives_the_same_documents(found):
    again = await documents()
    assert {path: rendered(document) for path, document in again.items()} == {
        path: rendered(document) for path, document in found.items()
    }


def test_nothing_that_others_rely_on_breaks(found):
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode != 0:
        pytest.skip("there is no git history here to compare with")
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "HEAD", "contracts/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [line.removeprefix("contracts/") for line in listed.stdout.split()]
    assert [path for path in paths if path not in found] == []
    changes = {path: breaking(old, found[path]) for path in paths if (old := committed(path)) is not None}
    assert {path: lines for path, lines in changes.items() if lines} == {}


def test_writing_brings_a_folder_up_to_date_and_takes_away_what_is_no_more(found, tmp_path):
    stale = tmp_path / "events" / "gone.v1.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    assert write(tmp_path, found) == sorted({*found, "events/gone.v1.json"})
    assert not stale.exists()
    assert differing(tmp_path, found) == []
    assert write(tmp_path, found) == []


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[service.name for service in SERVICES])
def asyncapi(request, found) -> Document:
    return found[f"{request.param}.asyncapi.json"]


def followed(document: Any, reference: str) -> Any:
    place = document
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def test_an_asyncapi_document_has_the_parts_that_version_3_asks_for(asyncapi):
    assert asyncapi["asyncapi"] == "3.0.0"
    assert asyncapi["info"]["title"]
    assert asyncapi["info"]["version"]
    for name, channel in asyncapi["channels"].items():
        assert re.fullmatch(r"[A-Za-z0-9_\-]+", name)
        assert re.fullmatch(r"[a-z.-]+\.v1", channel["address"])
    for operation in asyncapi["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert followed(asyncapi, operation["channel"]["$ref"]) in asyncapi["channels"].values()


def test_every_reference_of_an_asyncapi_document_leads_somewhere(asyncapi):
    for reference in set(re.findall(r'"\$ref": "(#/[^"]+)"', json.dumps(asyncapi))):
        assert followed(asyncapi, reference)


def test_every_message_is_a_cloud_event_with_a_schema(asyncapi):
    for message in asyncapi["components"]["messages"].values():
        assert message["contentType"] == "application/cloudevents+json"
        assert message["summary"]
        Draft202012Validator.check_schema(message["payload"])
        assert "data" in message["payload"]["required"]


def test_what_one_service_receives_another_sends(found):
    def topics(action: str) -> set[str]:
        return {
            followed(document, operation["channel"]["$ref"])["address"]
            for path, document in found.items()
            if path.endswith("asyncapi.json")
            for operation in document["operations"].values()
            if operation["action"] == action
        }

    assert topics("receive") - topics("send") == {"channels.touchpoints.v1"}
    assert topics("send") == set(all_topics()) - {"channels.touchpoints.v1"}


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[service.name for service in SERVICES])
def openapi(request, found) -> Document:
    return found[f"{request.param}.openapi.json"]


def test_every_reference_of_an_openapi_document_leads_somewhere(openapi):
    for reference in set(re.findall(r'"\$ref": "(#/[^"]+)"', json.dumps(openapi))):
        assert followed(openapi, reference)


def test_every_schema_of_an_openapi_document_is_one(openapi):
    for schema in openapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_path_is_that_of_the_service(openapi, request):
    name = request.node.callspec.params["openapi"]
    allowed = re.compile(rf"/{name}/(v1/.+|healthz|readyz|metrics)")
    assert [path for path in openapi["paths"] if not allowed.fullmatch(path)] == []
