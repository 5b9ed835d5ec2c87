"""What one transaction of interactions can reach."""

from sqlalchemy.exc import DBAPIError

from common.db import is_transient, misfits
from common.uow import UnitOfWork
from interactions.cases.repository import CaseRepository
from interactions.commitments.repository import CommitmentRepository
from interactions.conversations.repository import ConversationRepository
from interactions.reports.repository import ReportRepository
from interactions.touchpoints.repository import ReceiptRepository, TouchpointRepository, TraceRepository

# Kinds of advisory locks, taken in this order: what a contact is known by, then whose it is.
TRACES = 1
PARTIES = 2


class InteractionsUnitOfWork(UnitOfWork):
    receipts: ReceiptRepository
    traces: TraceRepository
    touchpoints: TouchpointRepository
    conversations: ConversationRepository
    commitments: CommitmentRepository
    cases: CaseRepository
    reports: ReportRepository

    def _open(self) -> None:
        self.receipts = ReceiptRepository(self.session)
        self.traces = TraceRepository(self.session)
        self.touchpoints = TouchpointRepository(self.session)
        self.conversations = ConversationRepository(self.session)
        self.commitments = CommitmentRepository(self.session)
        self.cases = CaseRepository(self.session)
        self.reports = ReportRepository(self.session)


def refused_by_database(error: Exception) -> bool:
    """Whether the database will never take what it was given: a value that it cannot keep, no moment of absence or of another version."""
    return isinstance(error, DBAPIError) and not is_transient(error) and not misfits(error)
