"""Where two people may write, the second must say which version he read; and who has read the newest is not sent it again."""

from typing import Annotated

from fastapi import Depends, Header, Request

from common.errors import Stale, VersionMissing


def etag_of(version: int | str) -> str:
    """The value of the header ETag."""
    return f'"{version}"'


async def expected_version(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag that was read; another one on record is answered 412",
            max_length=200,
        ),
    ] = None,
) -> int:
    if if_match is None:
        raise VersionMissing
    version = if_match.removeprefix("W/").strip('"')
    if not (version.isascii() and version.isdigit() and len(version) <= 18):
        raise Stale
    return int(version)


# In a route: `version: ExpectedVersion`; declare `problems_of(VersionMissing, Stale)`.
ExpectedVersion = Annotated[int, Depends(expected_version)]


def is_known(request: Request, etag: str) -> bool:
    """Whether the caller has it already (If-None-Match), so that 304 is the answer."""
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags
