"""Taking an erased person out of service-audit, within the transaction that has heard of it."""

from collections.abc import Sequence
from datetime import datetime

from common.contracts.identity import CustomerErased
from common.contracts.service_audit import CustomerForgotten
from common.erasure import empty_parked, naming
from service_audit.privacy.repository import ErasureRepository
from service_audit.uow import AuditUnitOfWork


async def forget(erasures: Sequence[CustomerErased], *, uow: AuditUnitOfWork, now: datetime) -> None:
    """What was observed of him goes; the verdicts stay in the scores, and nobody can say whose they were. Does not commit."""
    repository = ErasureRepository(uow.session)
    for each in erasures:
        kept = {"evidence": await repository.keep_verdicts(each.traces)}
        removed = await repository.take_out(each.traces)
        kept["action"] = await repository.untie_actions(each.traces)
        removed["parked"] = await empty_parked(uow.session, naming([*each.traces, *each.customers]), at=now)
        done = CustomerForgotten(erasure_id=each.erasure_id, part=each.part, removed=removed, kept=kept, at=now)
        uow.outbox.add(done, at=now)
