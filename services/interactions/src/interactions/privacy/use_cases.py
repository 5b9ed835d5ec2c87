"""Taking an erased person out of the log, within the transaction that has heard of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from common.company import Company
from common.contracts.identity import CustomerErased
from common.contracts.interactions import PEOPLE, CustomerForgotten
from common.erasure import empty_parked, empty_people_events, list_erased
from interactions.conversations.use_cases import recompute, told_of
from interactions.corrections.use_cases import relearn
from interactions.privacy.domain import marks_of
from interactions.privacy.repository import ErasureRepository
from interactions.uow import InteractionsUnitOfWork


async def forget(
    erasures: Sequence[CustomerErased], *, uow: InteractionsUnitOfWork, now: datetime, company: Company
) -> None:
    """Take out what was recorded, or occurred, until the erasure; what came since is another customer's. Does not commit."""
    for each in erasures:
        await _forget(each, uow=uow, now=now, company=company)


async def _forget(told: CustomerErased, *, uow: InteractionsUnitOfWork, now: datetime, company: Company) -> None:
    repository = ErasureRepository(uow.session)
    found = await repository.provisional_traces(told.customers) - set(told.traces)
    traces = {*told.traces, *found}
    await list_erased(uow.session, found, at=told.erased_at)
    parties = await repository.parties_of(traces) | set(told.customers)
    rows = await repository.recorded_until(told.erased_at, traces)
    ids = {row.touchpoint_id for row in rows}
    before = await told_of(parties, uow=uow, company=company)
    removed = await repository.take_out(ids, parties, traces, told.customers)
    for trace_id in sorted(await uow.conversations.spoken(traces)):
        await relearn(trace_id, uow=uow)  # what came since stays
    marks = marks_of(rows, {*traces, *told.customers}, others=await _carried_still(rows, uow))
    removed["people_events"] = await empty_people_events(uow.session, PEOPLE, traces)
    removed["parked"] = await empty_parked(uow.session, marks.are_in, at=now)
    kept = {"receipts": await repository.receipts(ids), "readings": await repository.unname_readings(told.customers)}
    await recompute(parties, told=before, uow=uow, company=company, now=now)
    uow.outbox.add(
        CustomerForgotten(
            erasure_id=told.erasure_id, part=told.part, removed=removed, kept=kept, found=sorted(found), at=now
        ),
        at=now,
    )  # fmt: skip


async def _carried_still(rows: Sequence[Any], uow: InteractionsUnitOfWork) -> set[UUID]:
    """Those of the identifiers that lead to somebody else."""
    ids = {UUID(one["id"]) for row in rows for one in row.identifiers}
    return {identifier for identifier, parties in (await uow.traces.parties(ids)).items() if parties}
