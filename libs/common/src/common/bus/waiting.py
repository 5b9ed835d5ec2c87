"""Waiting that ends at once when the process is told to stop."""

import asyncio


async def nap(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until told to stop; gives whether it was told."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
