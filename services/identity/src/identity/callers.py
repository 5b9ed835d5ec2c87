"""What the routes of this service ask for: a transaction to read or write in, and the secret of identifier ids."""

from typing import Annotated

from fastapi import Depends, Request

from common.http import DatabaseOf, settings_of
from identity.uow import IdentityUnitOfWork


async def _reading(database: DatabaseOf) -> IdentityUnitOfWork:
    return IdentityUnitOfWork(database, reading=True)


async def _writing(database: DatabaseOf) -> IdentityUnitOfWork:
    return IdentityUnitOfWork(database)


async def _secret(request: Request) -> bytes:
    return settings_of(request).key_for("identifiers")


Reading = Annotated[IdentityUnitOfWork, Depends(_reading)]
Writing = Annotated[IdentityUnitOfWork, Depends(_writing)]
Secret = Annotated[bytes, Depends(_secret)]
