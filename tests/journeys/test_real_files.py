"""Files of real and of synthetic history are loaded as they are: every row is recorded once, and found again."""

import csv
import gzip
from pathlib import Path

import httpx
import pytest

from hilo.load import Tally, load
from hilo.mapping import FileMap

from .systems import Caller, System, until

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
MAPS = ROOT / "deploy" / "maps"
COLOMBIAN = "colombian_identity/synthetic_co_customers.csv.gz"


def shipped(data: str) -> Path:
    path = DATA / data
    if not path.exists():
        pytest.skip(f"the data set {data} is not here")
    return path


def loaded(stack: System, caller: Caller, path: Path, name: str, folder: Path) -> Tally:
    client = httpx.Client(
        base_url=stack.origin("interactions"), headers={"Authorization": f"Bearer {stack.key}"}, timeout=120
    )
    with client:
        return load(
            path,
            FileMap.load(MAPS / f"{name}.toml"),
            client=client,
            progress=folder / "progress.json",
            resume=False,
            quiet=True,
        )


@pytest.mark.parametrize(
    ("data", "name", "rows"),
    [("cfpb/cfpb_half.csv.gz", "cfpb-complaints", 1_582), ("bank_marketing/bank.csv.gz", "bank-campaign", 4_521)],
)
def test_every_row_is_recorded_once_and_a_second_load_finds_duplicates_only(stack, caller, tmp_path, data, name, rows):
    path = shipped(data)
    first = loaded(stack, caller, path, name, tmp_path)
    assert (first.recorded, first.duplicate, first.refused) == (rows, 0, 0), first.examples
    second = loaded(stack, caller, path, name, tmp_path)
    assert (second.recorded, second.duplicate, second.refused) == (0, rows, 0)


def test_every_colombian_record_is_recorded_and_the_resume_by_any_of_its_identifiers_finds_it(stack, caller, tmp_path):
    path = shipped(COLOMBIAN)
    tally = loaded(stack, caller, path, "colombian-records", tmp_path)
    assert (tally.recorded, tally.duplicate, tally.refused) == (4_204, 0, 0), tally.examples
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        records = list(csv.DictReader(file))
    lost = [
        (record["record_id"], scheme)
        for record in records[:: max(1, len(records) // 150)]
        for scheme, identifier in identifiers_of(record).items()
        if not is_found(caller, identifier)
    ]
    assert lost == []


def identifiers_of(record: dict[str, str]) -> dict[str, str]:
    given = {
        "document": f"document:co-{record['doc_type']}:{record['doc_number']}",
        "email": f"email:{record['email']}",
        "phone": f"phone:{record['phone']}",
    }
    columns = {"document": ("doc_type", "doc_number"), "email": ("email",), "phone": ("phone",)}
    return {scheme: text for scheme, text in given.items() if all(record[column] for column in columns[scheme])}


def is_found(caller: Caller, identifier: str) -> bool:
    """A customer, candidates, or at least an anonymous history: never nobody."""
    told = caller.post("/interactions/v1/resume", {"identifiers": [identifier], "channel": "call"})
    return told["who"]["recognised"] in ("customer", "candidates", "anonymous")


def test_identity_makes_customers_of_them(stack, caller):
    """Runs after the load: most of the records' people are customers soon."""
    path = shipped(COLOMBIAN)
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        emails = [record["email"] for record in csv.DictReader(file) if "@" in record["email"]][::200]

    def recognised() -> bool:
        told = [
            caller.post("/interactions/v1/resume", {"identifiers": [f"email:{email}"], "channel": "call"})["who"]
            for email in emails
        ]
        return all(who["recognised"] in ("customer", "candidates") for who in told)

    until(recognised, within=180)
