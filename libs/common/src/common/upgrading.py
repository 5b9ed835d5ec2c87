"""What an upgrade has gone through once, a slice at a time, by a timer that is also the note of the form in which things are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from common.clock import Clock
from common.timers import Timer
from common.uow import UnitOfWork

log = structlog.get_logger()

WHOLE = "whole"  # the key of the timer
REST = timedelta(milliseconds=50)  # between two slices: the locks are for those who take in and who ask
OTHERS = timedelta(minutes=1)  # until another worker, of the version that began it, has gone on
NEVER = datetime(9999, 1, 1, tzinfo=UTC)

# Goes through what comes after an id, under locks that it takes itself before it writes; gives the last id, none where nothing
# comes, and how many of what is counted.
Slice = Callable[[UUID | None], Awaitable[tuple[UUID | None, int]]]


@dataclass(frozen=True)
class Upgrade:
    """One way through everything: `timer` names it, `form` is today's, `counted` is what the note counts, `done` the log's word at the end.

    Timers that are due together are handled in the order of their names, and one whose slices lock has to come before those that
    lock in a later space.
    """

    timer: str
    form: int
    counted: str
    done: str

    async def begin_if_other(self, *, uow: UnitOfWork, clock: Clock) -> None:
        """Begin, if what there is is in another form than today's, or in none that was noted."""
        async with uow:
            noted = await uow.timers.get(self.timer, WHOLE)
            if noted is None or noted.payload["form"] != self.form:
                await uow.timers.set(self.timer, WHOLE, clock(), self._note(0, after=None))
                await uow.commit()

    async def go_on(self, due: Sequence[Timer], slice_after: Slice, *, uow: UnitOfWork, clock: Clock) -> None:
        """A timer's handler: the next slice. How far it has come is committed with it. Does not commit."""
        for timer in due:
            if timer.payload["form"] != self.form:
                await uow.timers.set(timer.name, timer.key, clock() + OTHERS, timer.payload)
                continue
            after, count = timer.payload["after"], timer.payload[self.counted]
            last, more = await slice_after(UUID(after) if after else None)
            if last is not None:
                await uow.timers.set(timer.name, timer.key, clock() + REST, self._note(count + more, after=str(last)))
            else:
                done = self._note(count, done_at=clock().isoformat())
                await uow.timers.set(timer.name, timer.key, NEVER, done)
                log.info(self.done, **self._note(count))

    def _note(self, count: int, **more: Any) -> dict[str, Any]:
        return {"form": self.form, self.counted: count, **more}
