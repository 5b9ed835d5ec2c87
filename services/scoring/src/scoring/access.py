"""Who may ask scoring: the company's own people and systems. A customer's or a partner's credential never sees a value."""

from typing import Annotated, Any

from fastapi import Depends, Request

from common.auth import Principal, needs
from common.errors import Forbidden
from common.http import company_of, database_of
from scoring.books import books_of
from scoring.uow import ScoringUnitOfWork


class NotForThisView(Forbidden):
    code = "not-for-this-view"
    title = "Value, tier and signals are for the company's own people"


def own_people(scope: str) -> Any:
    """The caller, who has the scope and is bound to no customer and no partner."""

    async def check(who: Annotated[Principal, needs(scope)]) -> Principal:
        if who.subject is not None:
            raise NotForThisView
        return who

    return Depends(check)


async def _reading(request: Request) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(database_of(request), books=books_of(company_of(request)), reading=True)


async def _writing(request: Request) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(database_of(request), books=books_of(company_of(request)))


Reading = Annotated[ScoringUnitOfWork, Depends(_reading)]
Writing = Annotated[ScoringUnitOfWork, Depends(_writing)]
