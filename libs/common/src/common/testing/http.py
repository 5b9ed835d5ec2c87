"""A client of an application without a socket, with the first key or another credential."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from common.auth import hash_of
from common.settings import Settings

TEST_SECRET = "a secret that only tests use, long enough"
S = TypeVar("S", bound=Settings)

FIRST_KEY = "hilo_0123456789ab_" + "0" * 48


def settings_for(cls: type[S], **changes: Any) -> S:
    """Settings of a service for tests: the test secret, the first key, no rate limit."""
    given = {"secret": TEST_SECRET, "first_key_hash": hash_of(FIRST_KEY, TEST_SECRET), "rate_limit": 0, **changes}
    return cls(**given)


@asynccontextmanager
async def client_for(app: FastAPI, key: str | None = FIRST_KEY) -> AsyncIterator[httpx.AsyncClient]:
    """The application, started, and a client that sends `key` as its bearer token."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client
