"""Waiting that ends at once when the process is told to stop, and the rest between two turns in which work comes together."""

import asyncio
from collections.abc import Coroutine
from typing import Any

FEW = 100  # so many records share what a transaction costs whatever their number
MOST_REST = 0.025  # seconds
LAST_SECONDS = 4.0  # for what is under way when a part is told to stop


async def nap(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until told to stop; gives whether it was told."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def wait_for_news(news: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    """Wait until there is news, but no longer than `seconds`, and not when told to stop."""
    if stop.is_set():
        return
    waiters = [asyncio.ensure_future(news.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)


async def or_broken_off(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Do what ends by itself when told to stop; where it waits for somebody who is away, it is broken off after a few seconds."""
    doing, told = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([doing, told], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([doing], timeout=LAST_SECONDS)
    finally:
        told.cancel()
        is_broken_off = doing.cancel()
        await asyncio.gather(doing, told, return_exceptions=True)
    if not is_broken_off:
        doing.result()


def rest_after(done: int, took: float) -> float:
    """Seconds to wait after a turn that handled so many records in `took` seconds.

    A transaction of three costs nearly what one of thirty costs: under load the next are gathered for as long as the last ones
    took, which at most halves the turns. Whoever had nothing to do answers at once, and a long queue is not kept waiting.
    """
    return min(took, MOST_REST) if 0 < done < FEW else 0.0
