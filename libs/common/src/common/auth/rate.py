"""How often a credential may ask: a bucket of tokens for each, in each process."""

import math
import time
from collections.abc import Callable

from common.errors import TooMany

PRUNE_AT = 10_000


class RateExceeded(TooMany):
    code = "rate-exceeded"
    title = "This credential asks faster than it may"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s.")
        self.retry_after = retry_after


class RateLimit:
    """A bucket of tokens for each credential in this process: `rate` requests a second, twice as many at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was

    def take(self, who: str, rate: float) -> None:
        """Raises RateExceeded with the seconds to wait. A rate of 0 is no limit."""
        if rate <= 0:
            return
        now, burst = self._clock(), max(2 * rate, 1)
        tokens, at = self._buckets.get(who, (burst, now))
        tokens = min(burst, tokens + (now - at) * rate)
        if tokens < 1:
            self._buckets[who] = (tokens, now)
            raise RateExceeded(max(1, math.ceil((1 - tokens) / rate)))
        self._buckets[who] = (tokens - 1, now)
        if len(self._buckets) > PRUNE_AT:
            self._buckets = {
                key: kept for key, kept in self._buckets.items() if now - kept[1] < 2
            }  # the others are full
