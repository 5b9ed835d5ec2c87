"""A person asks what is known of him, and has it put right."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .people import Person
from .systems import SERVICES, until
from .test_erasure import HIS, his_life, who
from .worlds import World, a_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "world") as found:
        yield found


async def test_everything_that_is_on_record_of_him_is_in_the_export_and_nothing_of_anybody_else(world):
    customer_id = await his_life(world)
    found = {service: await world.get(f"/{service}/v1/customers/{customer_id}/export") for service in world.runtimes}
    assert {each["customer_id"] for each in found.values()} == {customer_id}
    text = json.dumps(found, ensure_ascii=False)
    for word in ("Zacarías Quintanilla Ruiz", "+573001234567", "zacarias@example.com", "zebra races", "He said zebra",
                 "Bring the zebra", "My zebra is lost", "double-charge"):  # fmt: skip
        assert word in text
    for word in ("Marta", "3009998877", "marta@example.com"):
        assert word not in text
    records = {service: each["records"] for service, each in found.items()}
    assert len(records["interactions"]["touchpoint"]) == 4
    # the message under his other address is a contact on the complaint since both are one customer
    assert [step["move"] for step in records["interactions"]["case_step"]] == ["opened", "contacted"]
    assert records["scoring"]["day_value"]
    assert records["service-audit"]["observation"]
    assert {one["value"] for one in records["identity"]["identifier"]} >= {"+573001234567", "zacarias@example.com"}


async def test_what_is_wrong_is_put_right_and_what_stood_stays_on_record(world):
    await his_life(world)
    mine = await who(world, HIS[0])
    said = {"key": "full_name", "value": "Zacarías Quintanilla Ríos", "reason": "He showed his document"}
    first = await world.post(f"/identity/v1/customers/{mine}:rectify", said)
    assert (first["was"], first["value"]) == ("Zacarías Quintanilla Ruiz", "Zacarías Quintanilla Ríos")
    fact = {"key": "hobby", "value": "chess", "reason": "He never liked zebras"}
    assert (await world.post(f"/identity/v1/customers/{mine}:rectify", fact))["was"] == "zebra races"
    await world.settle()
    golden = json.dumps(await world.get(f"/identity/v1/customers/{mine}"), ensure_ascii=False)
    assert "Ríos" in golden
    series = await world.get(f"/identity/v1/customers/{mine}/facts", key="hobby")
    assert [one["value"] for one in series["items"]] == ["chess", "zebra races"]
    listed = await world.get(f"/identity/v1/customers/{mine}/rectifications")
    assert [(one["key"], one["reason"]) for one in listed["items"]] == [
        ("hobby", fact["reason"]), ("full_name", said["reason"]),
    ]  # fmt: skip
    wrong = await world.ask("POST", f"/identity/v1/customers/{mine}:rectify", json=said | {"value": 7})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not-text")


def test_on_the_running_system_each_service_gives_out_its_own_and_what_was_put_right_is_told(caller):
    ana, other = Person.new(caller, "ANA LUCIA PERES"), Person.new(caller, "MARTA GIL")
    ana.does(
        kind="complaint",
        channel="web",
        payload={"severity": "high"},
        content=f"For {ana.tag}a",
        facts=[{"key": "hobby", "value": "chess"}],
    )
    ana.buys("90000.00")
    other.buys("7000.00")
    customer_id = until(ana.customer_id)
    paths = {service: f"/{service}/v1/customers/{customer_id}/export" for service in SERVICES}

    def given_out():
        found = {service: caller.get(path)["records"] for service, path in paths.items()}
        kinds = [
            ("interactions", "touchpoint"),
            ("scoring", "day_value"),
            ("service-audit", "observation"),
            ("identity", "fact"),
        ]
        return all(found[service].get(kind) for service, kind in kinds) and found

    found = until(given_out)
    text = json.dumps(found, ensure_ascii=False)
    assert len(found["interactions"]["touchpoint"]) == 2
    assert found["interactions"]["case_step"][0]["move"] == "opened"
    assert all(word in text for word in ("ANA LUCIA PERES", f"+57301{ana.tag}", f"For {ana.tag}a", "chess"))
    assert not any(word in text for word in ("MARTA", f"301{other.tag}"))
    said = {"key": "full_name", "value": "Ana Lucía Pérez", "reason": "She showed her document"}
    assert caller.post(f"/identity/v1/customers/{customer_id}:rectify", said)["was"] == "ANA LUCIA PERES"
    until(lambda: ana.resume()["who"]["display_name"] == "Ana Lucía Pérez")
    listed = caller.get(f"/identity/v1/customers/{customer_id}/rectifications")["items"]
    assert [(one["key"], one["was"], one["value"]) for one in listed] == [
        ("full_name", "ANA LUCIA PERES", "Ana Lucía Pérez")
    ]
