"""Who may ask scoring: the company's own people and systems. A customer's or a partner's credential never sees a value."""

from typing import Annotated, Any

from fastapi import Depends, Request

from common.auth import Principal, needs
from common.errors import Forbidden, VersionMissing
from common.http import company_of, database_of
from scoring.books import books_of
from scoring.uow import ScoringUnitOfWork


class NotForThisView(Forbidden):
    code = "not-for-this-view"
    title = "Value, tier and signals are for the company's own people"


def own_people(scope: str) -> Any:
    """The caller, who has the scope and is bound to no customer and no partner."""

    def check(who: Annotated[Principal, needs(scope)]) -> Principal:
        if who.subject is not None:
            raise NotForThisView
        return who

    return Depends(check)


def _reading(request: Request) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(database_of(request), books=books_of(company_of(request)), reading=True)


def _writing(request: Request) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(database_of(request), books=books_of(company_of(request)))


def version_read(request: Request) -> int:
    """The version in If-Match, which a PUT must send."""
    given = request.headers.get("if-match", "").removeprefix("W/").strip('"')
    if not given.isdigit():
        raise VersionMissing
    return int(given)


Reading = Annotated[ScoringUnitOfWork, Depends(_reading)]
Writing = Annotated[ScoringUnitOfWork, Depends(_writing)]
VersionRead = Annotated[int, Depends(version_read)]
