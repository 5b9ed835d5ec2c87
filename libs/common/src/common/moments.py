"""How a moment is written: RFC 3339 in UTC, ending in Z, in all answers and events alike; how one is read that is told."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from common.errors import Invalid

Day = TypeVar("Day", bound=date)  # or a moment

FUTURE_TOLERANCE = timedelta(minutes=5)  # clocks of channels go ahead a little
_BEGINS_WITH_A_DAY = re.compile(r"[0-9]{4}-")


def _told_as_text(told: object) -> object:
    # Pydantic takes any numeral for seconds since 1970: 20251004 and 45934, days as files write them, would be days of that year.
    if not isinstance(told, str) or not _BEGINS_WITH_A_DAY.match(told):
        raise ValueError("A moment is an RFC 3339 text with an offset")
    return told


class OccurredInFuture(Invalid):
    code = "occurred-in-future"
    title = "It has not happened yet"


def check_occurred(moment: datetime, *, now: datetime, pointer: str) -> None:
    """Raises OccurredInFuture: dated ahead it would stand over all that is said until then, a withdrawal included."""
    if moment > now + FUTURE_TOLERANCE:
        raise OccurredInFuture("It lies more than five minutes ahead of our clock", pointer=pointer)


def in_history(day: Day) -> Day:
    """The day, or the moment. Raises ValueError near the ends of the calendar, where what is reckoned with it would leave it."""
    if not 1900 <= day.year <= 9000:
        raise ValueError("The year is out of range")
    return day


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


# What somebody tells us of a moment, in a body; held in UTC, as every answer has it.
Moment = Annotated[AwareDatetime, BeforeValidator(_told_as_text), AfterValidator(in_history), AfterValidator(_in_utc)]


@lru_cache(maxsize=256)  # all that one transaction tells happened at one moment
def written(moment: datetime) -> str:
    """The text of an aware moment."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
