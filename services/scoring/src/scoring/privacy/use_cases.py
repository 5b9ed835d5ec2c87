"""Taking an erased person out of scoring, within the transaction that has heard of it."""

from collections.abc import Sequence
from datetime import datetime

from common.contracts.identity import CustomerErased
from common.contracts.scoring import CustomerForgotten
from common.erasure import empty_parked, naming
from scoring.privacy.repository import ErasureRepository
from scoring.uow import ScoringUnitOfWork


async def forget(erasures: Sequence[CustomerErased], *, uow: ScoringUnitOfWork, now: datetime) -> None:
    """What is said of him goes, what he brought and cost stays in the totals. Does not commit; the caller holds the locks."""
    repository = ErasureRepository(uow.session)
    for each in erasures:
        kept = await repository.keep_sums(each.traces)
        removed = await repository.take_out(each.traces, each.customers)
        removed["parked"] = await empty_parked(uow.session, naming([*each.traces, *each.customers]), at=now)
        done = CustomerForgotten(erasure_id=each.erasure_id, part=each.part, removed=removed, kept=kept, at=now)
        uow.outbox.add(done, at=now)
