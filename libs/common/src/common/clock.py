"""Time is an argument: rules and use cases are given a clock and never ask the machine."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time, aware and in UTC: what composition roots pass as the clock."""
    return datetime.now(UTC)
