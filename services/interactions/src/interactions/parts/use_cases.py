"""What happens here when another service has said something about a customer."""

from collections.abc import Sequence
from datetime import datetime

from common.clock import utc_now
from common.events import Event
from common.uow import UnitOfWork
from interactions.parts import domain
from interactions.parts.repository import PartRepository


async def apply_parts(events: Sequence[Event], *, uow: UnitOfWork, now: datetime | None = None) -> None:
    """Keep what the events say, inside the open transaction of whoever claimed them; events of no interest are passed over.

    Safe in any order and any number of times: the highest revision (for moments: the latest word) stays.
    """
    received_at = now or utc_now()
    parts = PartRepository(uow.session)
    await parts.save(domain.parts_of(events, now=received_at))
    await parts.save_moments(domain.moments_of(events, now=received_at))
