"""Real complaints, as history: 1,582 of the CFPB, 1,538 of them answered in time by what the data themselves say.

The data have days and no hours. "Date sent to company" is when the agency passed the complaint on: the nearest thing to an
answer that has a date, not the company's reply. Whether the reply was in time is told by "Timely response?" only, so that is
judged by a `flag`, and the lag of the passing on by `answered-within`; three lie a day before the complaint itself.
"""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import pytest

from common.contracts.service_audit import ActionMoved, EvidenceRecorded, MomentFailed
from service_audit.standards.schemas import CycleBody
from service_audit.standards.shipped import shipped
from service_audit.standards.use_cases import put_cycle

FILE = Path(__file__).parents[4] / "shared" / "data" / "cfpb" / "cfpb_half.csv.gz"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the CFPB complaints are not in ../shared/data")


def day(text):
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


@pytest.fixture(scope="module")
def rows():
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
async def complaints(audit, telling, rows):
    """The rows, told as interactions tells history: opened, and answered with what the source says of it."""
    events = []
    for number, row in enumerate(rows):
        received, sent = day(row["Date received"]), day(row["Date sent to company"])
        known = {
            "number": f"PQR-{number}",
            "trace_id": uuid5(NAMESPACE_URL, str(number)),
            "occurred_at": received,
            "backfill": True,
            "channel": row["Submitted via"],
        }
        timely = {"Yes": True, "No": False}[row["Timely response?"]]
        events.append(telling.told(telling.case("opened", at=received, **known)))
        events.append(telling.told(telling.case("answered", at=sent, timely=timely, **known)))
    for start in range(0, len(events), 500):
        await audit.hears(*events[start : start + 500])
    return rows


async def counted(audit, moment):
    states = await audit.states(moment)
    return {state: states.count(state) for state in ("met", "failed", "excluded")}


def by_lag(rows, hours):
    lags = [day(row["Date sent to company"]) - day(row["Date received"]) for row in rows]
    return {
        "met": sum(timedelta(0) <= lag <= timedelta(hours=hours) for lag in lags),
        "failed": sum(lag > timedelta(hours=hours) for lag in lags),
        "excluded": sum(lag < timedelta(0) for lag in lags),
    }


async def test_real_complaints_become_evidence_and_set_nothing_off(audit, complaints, client):
    assert await counted(audit, "timely-by-its-source") == {"met": 1538, "failed": 44, "excluded": 0}
    answered = await counted(audit, "complaint-answered")
    assert answered == by_lag(complaints, 24)
    assert (answered["excluded"], sum(answered.values())) == (3, 1582)
    assert await audit.says(MomentFailed) == []
    assert await audit.says(ActionMoved) == []
    assert len([e for e in await audit.says(EvidenceRecorded) if e.moment == "timely-by-its-source"]) == 1582
    years = [await in_year(client, year) for year in range(2013, 2018)]
    assert (sum(met for met, _ in years), sum(failed for _, failed in years)) == (1538, 44)


async def in_year(client, year):
    answer = await client.get("/service-audit/v1/cycles/complaint-care/map", params={"period": str(year)})
    return {m["moment"]: (m["met"], m["failed"]) for m in answer.json()["moments"]}["timely-by-its-source"]


async def test_another_standard_gives_other_results_on_real_complaints(audit, complaints):
    body = shipped("complaint-care")
    body["moments"][0]["standard"]["hours"] = 120
    full = CycleBody.model_validate(body).model_dump(mode="json")
    await put_cycle("complaint-care", full, expected=1, by="test", uow=audit.uow(), clock=audit.clock)
    await audit.passes(minutes=1)
    assert await counted(audit, "complaint-answered") == by_lag(complaints, 120)
    assert await counted(audit, "timely-by-its-source") == {"met": 1538, "failed": 44, "excluded": 0}
    assert await audit.says(MomentFailed) == []
