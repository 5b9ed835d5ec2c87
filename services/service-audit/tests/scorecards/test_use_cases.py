"""The scorecard over real evidence, and its publication when the month has ended."""

from datetime import timedelta

from common.contracts.service_audit import ScorecardPublished
from service_audit.scorecards.domain import period_of
from service_audit.scorecards.use_cases import scorecard_of
from service_audit.worker import prepare


async def card(audit, period):
    async with audit.uow(reading=True) as uow:
        return await scorecard_of(period_of(period), company=audit.runtime.company, uow=uow)


async def test_evidence_counts_in_the_month_of_the_companys_time_zone(audit, telling):
    last_evening = telling.start.replace(month=12, day=1, hour=4, minute=59)  # 23:59 of 30 November in Bogotá
    await audit.hears(
        telling.survey(5, occurred_at=last_evening),
        telling.survey(1, occurred_at=last_evening + timedelta(minutes=1)),
    )
    assert ((await card(audit, "2026-11")).total, (await card(audit, "2026-12")).total) == (100.0, 0.0)
    assert (await card(audit, "2026-Q4")).total == 50.0
    assert (await card(audit, "2026")).n == 2
    assert (await card(audit, "2026-12")).delta == -100.0


async def test_the_month_is_published_when_it_has_ended(audit, telling):
    await audit.hears(telling.survey(4))
    await audit.passes(days=9)
    assert await audit.says(ScorecardPublished) == []
    await audit.passes(days=2)
    [published] = await audit.says(ScorecardPublished)
    assert (published.period, published.total) == ("2026-11", 75.0)
    satisfaction = next(a for a in published.attributes if a["code"] == "satisfaction")
    assert (satisfaction["score"], satisfaction["n"], satisfaction["target"]) == (75.0, 1, 80)


async def test_months_that_passed_while_nobody_was_awake_are_published_in_turn(audit):
    audit.clock.advance(timedelta(days=80))
    await prepare(audit.runtime)
    await audit.passes(minutes=1)
    assert [p.period for p in await audit.says(ScorecardPublished)] == ["2026-11", "2026-12", "2027-01"]
    await audit.passes(days=30)
    assert [p.period for p in await audit.says(ScorecardPublished)][3:] == ["2027-02"]
