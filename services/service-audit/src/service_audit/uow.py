"""What one transaction of this service can reach."""

from common.uow import UnitOfWork
from service_audit.actions.repository import Actions
from service_audit.customers.repository import Customers
from service_audit.evidence.repository import EvidenceStore
from service_audit.observations.repository import Observations
from service_audit.scorecards.repository import Publications
from service_audit.standards.repository import Standards


class AuditUnitOfWork(UnitOfWork):
    """`async with uow: ...; await uow.commit()`."""

    def _open(self) -> None:
        self.observations = Observations(self.session)
        self.standards = Standards(self.session)
        self.evidence = EvidenceStore(self.session)
        self.actions = Actions(self.session)
        self.customers = Customers(self.session)
        self.publications = Publications(self.session)
