"""Reading the scorecard of a period, and publishing that of a month when it has ended."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from common.clock import Clock
from common.company import Company
from common.contracts.service_audit import ScorecardPublished
from common.timers import Timer
from service_audit.scorecards.domain import (
    AttributeScore,
    MomentScore,
    Period,
    Scorecard,
    attributes_of,
    map_cycle,
    month_around,
    period_of,
    score_period,
)
from service_audit.scorecards.repository import Publication
from service_audit.standards.domain import UnknownDocument
from service_audit.standards.use_cases import ATTRIBUTES
from service_audit.uow import AuditUnitOfWork

PUBLISH = "publish-scorecard"


async def scorecard_of(period: Period, *, company: Company, uow: AuditUnitOfWork) -> Scorecard:
    """The scorecard as the evidence stands now."""
    attributes = attributes_of(await uow.standards.get("attributes", ATTRIBUTES))
    cycles = await uow.standards.all("cycle")
    tallies = await uow.evidence.tally(*period.bounds(company))
    earlier = await uow.evidence.tally(*period.moved(-1).bounds(company))
    return score_period(period, tallies, earlier, attributes=attributes, cycles=cycles)


async def cycle_map(code: str, period: Period, *, company: Company, uow: AuditUnitOfWork) -> list[MomentScore]:
    """The moments of the cycle, each with its score in the period. Raises UnknownDocument."""
    cycle = await uow.standards.get("cycle", code)
    if cycle is None:
        raise UnknownDocument
    return map_cycle(cycle, await uow.evidence.tally(*period.bounds(company)))


async def publish_due(due: Sequence[Timer], *, company: Company, uow: AuditUnitOfWork, clock: Clock) -> None:
    """Publish the months that have ended, and wake again when the next one ends. Does not commit."""
    for timer in due:
        period = period_of(timer.key)
        await _publish(await scorecard_of(period, company=company, uow=uow), uow=uow, clock=clock)
        await _wake_for(period.moved(1), company=company, uow=uow)


async def wake_for_this_month(*, company: Company, uow: AuditUnitOfWork, clock: Clock) -> None:
    """Wake when the present month ends. Months before it whose timer is set are published by that."""
    async with uow:
        await _wake_for(month_around(clock(), company), company=company, uow=uow)
        await uow.commit()


async def _wake_for(period: Period, *, company: Company, uow: AuditUnitOfWork) -> None:
    await uow.timers.set(PUBLISH, period.label, period.bounds(company)[1])


async def _publish(card: Scorecard, *, uow: AuditUnitOfWork, clock: Clock) -> None:
    now = clock()
    attributes = [_told(attribute) for attribute in card.attributes]
    published = ScorecardPublished(period=card.period.label, total=card.total, attributes=attributes, at=now)
    await uow.publications.save(Publication(card.period.label, card.total, attributes, now))
    uow.outbox.add(published, at=now)


def _told(scored: AttributeScore) -> dict[str, Any]:
    known = asdict(scored.attribute) | asdict(scored.result) | {"delta": scored.delta, "reached": scored.reached}
    names = ("code", "weight", "target", "score", "n", "met", "failed", "excluded", "rating", "delta", "reached")
    return {name: known[name] for name in names}
