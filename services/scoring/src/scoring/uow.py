"""What one transaction of scoring can reach."""

from common.db import Database
from common.uow import UnitOfWork
from scoring.appraisals.repository import StandingRepository
from scoring.census.repository import CensusRepository
from scoring.classes.repository import CutPointsRepository
from scoring.links.repository import LinkRepository
from scoring.policies.repository import PolicyRepository
from scoring.signals.repository import SignalRepository
from scoring.values.domain import Books
from scoring.values.repository import ValueRepository


class ScoringUnitOfWork(UnitOfWork):
    """`books` are the company's: what currency and whose midnight the figures are in."""

    def __init__(self, database: Database, *, books: Books, reading: bool = False) -> None:
        super().__init__(database, reading=reading)
        self.books = books

    def _open(self) -> None:
        self.links = LinkRepository(self.session)
        self.values = ValueRepository(self.session)
        self.cuts = CutPointsRepository(self.session)
        self.signals = SignalRepository(self.session)
        self.policies = PolicyRepository(self.session, currency=self.books.currency)
        self.standings = StandingRepository(self.session)
        self.census = CensusRepository(self.session)
