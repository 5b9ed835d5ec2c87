"""Waiting that ends at once when the process is told to stop."""

import asyncio


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
