"""The real thing: UCI Online Retail, every invoice a purchase, against sums made without any of our code."""

import csv
import gzip
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest

from common.company import Company
from common.contracts.interactions import TouchpointRecorded
from common.testing import Databases, FakeClock, client_for
from scoring.main import create_app

from .conftest import Scoring, event_of, linked, scoring_on

FILE = Path(__file__).parents[4] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"
BATCH = 500

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not there: see shared/data/README.md")


@dataclass
class Invoice:
    number: str
    customer: str
    at: str
    amount: Decimal = Decimal(0)


@pytest.fixture(scope="module")
def invoices() -> list[Invoice]:
    found: dict[str, Invoice] = {}
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            number = row["InvoiceNo"]
            invoice = found.setdefault(number, Invoice(number, row["CustomerID"], row["InvoiceDate"]))
            invoice.amount += Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
    return list(found.values())


def _trace(customer: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"trace {customer}")


def _customer(customer: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"customer {customer}")


def _event(invoice: Invoice) -> TouchpointRecorded:
    at = datetime.fromisoformat(invoice.at).replace(tzinfo=UTC)
    return TouchpointRecorded(
        touchpoint_id=uuid5(NAMESPACE_OID, invoice.number),
        trace_id=_trace(invoice.customer or invoice.number),
        source="online-retail",
        kind="purchase",
        channel="marketplace",
        direction="inbound",
        occurred_at=at,
        recorded_at=at,
        backfill=True,
        anonymous=not invoice.customer,
        amount={"minor": round(invoice.amount * 100), "currency": "GBP"},  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
async def loaded(sqlite_databases: Databases, invoices: list[Invoice]) -> AsyncIterator[Scoring]:
    company = Company.load().model_copy(update={"currency": "GBP", "rates": {}, "time_zone": "Europe/London"})
    database = await sqlite_databases.make("scoring")
    scoring = scoring_on(database, FakeClock(), company)
    events = [event_of(_event(invoice)) for invoice in invoices]
    known = sorted({invoice.customer for invoice in invoices if invoice.customer})
    links = [event_of(linked((_trace(each), _customer(each), 1))) for each in known]
    for batch in (events, links):
        for start in range(0, len(batch), BATCH):
            await scoring.hear(*batch[start : start + BATCH])
    await scoring.wait()
    yield scoring
    await sqlite_databases.drop(database)


async def test_every_invoice_is_in_the_totals(loaded: Scoring, invoices: list[Invoice]) -> None:
    async with client_for(create_app(loaded.runtime)) as client:
        report = (await client.get("/scoring/v1/reports/abc")).json()
    sales = report["sales"]
    assert len(invoices) == sales["all"]["entries"] == 25_900
    assert sum(invoice.number.startswith("C") for invoice in invoices) == 3_836
    # two entries of bad debt are negative and no cancellations
    assert sales["all"]["returns"] == 3_838
    assert sales["all"]["billed"] == [{"amount": "9747747.93", "currency": "GBP"}]
    assert sales["customers"]["revenue"] == {"amount": "8300065.81", "currency": "GBP"}
    assert report["whole"]["customers"] == 4_372


async def test_abc_of_the_last_day_equals_an_independent_script(loaded: Scoring, invoices: list[Invoice]) -> None:
    net: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in invoices:
        if invoice.customer and invoice.at[:10] <= "2011-12-09":
            net[invoice.customer] += invoice.amount
    total, cumulated, expected = sum(net.values()), Decimal(0), {}
    for name in sorted(net, key=lambda each: net[each], reverse=True):
        cumulated += net[name]
        expected[str(_customer(name))] = (
            "A" if cumulated <= total * 80 / 100 else "B" if cumulated <= total * 95 / 100 else "C"
        )
    found = {}
    async with client_for(create_app(loaded.runtime)) as client:
        report = (await client.get("/scoring/v1/reports/abc", params={"as_of": "2011-12-09"})).json()
        for abc in "ABC":
            cursor: dict[str, str] = {}
            items: list[dict[str, str]] = []
            while True:
                query = {"abc": abc, "as_of": "2011-12-09", "limit": "200", **cursor}
                page = (await client.get("/scoring/v1/customers", params=query)).json()
                items += page["items"]
                if abc != "A" or page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            found |= {item["customer_id"]: item["abc"] for item in items}
    assert {name: expected[name] for name in found} == found
    assert sum(abc == "A" for abc in found.values()) == sum(abc == "A" for abc in expected.values())
    assert [group["customers"] for group in report["classes"]] == [list(expected.values()).count(abc) for abc in "ABC"]


async def test_who_is_below_zero_is_counted_to_the_penny(loaded: Scoring, invoices: list[Invoice]) -> None:
    net: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in invoices:
        if invoice.customer:
            net[invoice.customer] += invoice.amount
    async with client_for(create_app(loaded.runtime)) as client:
        report = (await client.get("/scoring/v1/reports/kpis", params={"as_of": "2011-12-09"})).json()
    # 44 by floating point: sums that are nothing to the penny come out as -1e-13 there
    assert (
        report["profit_below_zero"]
        == report["contribution_below_zero"]
        == sum(amount < 0 for amount in net.values())
        == 41
    )


async def test_what_the_load_found_to_be_true_set_nothing_off(loaded: Scoring) -> None:
    assert await loaded.told("signal-moved") == []
    async with loaded.uow() as uow:
        counts = await uow.signals.counts()
    assert counts["long-dormant"] == 4_372
