"""The end of an API: whoever asks on an open connection is answered, and nobody is waited for for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from common.service import Server

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def ending(*, lingers: float) -> AsyncIterator[Wire]:
    """A connection on which a request was answered, to a server that takes no others any more and is about to end."""
    server = Server(uvicorn.Config(answers, port=0, lifespan="off", log_config=None))
    server.lingers = lingers
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*address)
    try:
        assert b"connection: close" not in await asked((reader, writer))
        server.should_exit = True
        while server.servers[0].is_serving():
            await asyncio.sleep(0.01)
        yield reader, writer
        await asyncio.wait_for(serving, 60)
    finally:
        writer.close()


async def asked(wire: Wire) -> bytes:
    wire[1].write(ASK)
    head = await wire[0].readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert await wire[0].readexactly(2) == b"ok"
    return head


async def test_a_request_on_an_open_connection_is_answered_by_a_server_that_ends_and_is_the_last_on_it() -> None:
    async with ending(lingers=600) as wire:
        assert b"connection: close" in await asked(wire)
        assert await wire[0].read() == b""


async def test_an_idle_connection_is_waited_for_for_a_moment_only() -> None:
    async with ending(lingers=0.05) as wire:
        assert await wire[0].read() == b""
