"""What one transaction of identity can reach."""

from uuid import UUID

from common.uow import UnitOfWork
from identity.assignments.repository import Assignments
from identity.cleanup.repository import Cleanups
from identity.contact.repository import Contact
from identity.customers.domain import Customer, UnknownCustomer
from identity.customers.repository import Customers
from identity.guards.repository import Guards
from identity.knowledge.repository import Knowledge
from identity.linking.repository import Links
from identity.matching.repository import Matching
from identity.parties.repository import Parties
from identity.privacy.repository import Erasures
from identity.relationships.repository import Relationships
from identity.reviews.repository import Reviews
from identity.sightings.repository import Sightings

DECISIONS, CUSTOMERS = 1, 2  # lock spaces, taken in this order


class IdentityUnitOfWork(UnitOfWork):
    """One transaction over traces, customers and what is known of them."""

    links: Links
    sightings: Sightings
    customers: Customers
    knowledge: Knowledge
    contact: Contact
    assignments: Assignments
    relationships: Relationships
    parties: Parties
    reviews: Reviews
    guards: Guards
    erasures: Erasures
    cleanups: Cleanups
    matching: Matching

    def _open(self) -> None:
        self.links = Links(self.session)
        self.sightings = Sightings(self.session)
        self.customers = Customers(self.session)
        self.knowledge = Knowledge(self.session)
        self.contact = Contact(self.session)
        self.assignments = Assignments(self.session)
        self.relationships = Relationships(self.session)
        self.parties = Parties(self.session)
        self.reviews = Reviews(self.session)
        self.guards = Guards(self.session)
        self.erasures = Erasures(self.session)
        self.cleanups = Cleanups(self.session)
        self.matching = Matching(self.session)

    async def lock_decisions(self) -> None:
        """One decision at a time: a merge moves traces that a link decided elsewhere would otherwise join too late."""
        await self.lock(["decisions"], space=DECISIONS)

    async def hold(self, customer_id: UUID) -> Customer:
        """The customer, or whoever absorbed him, locked: nobody merges him or writes to him until this transaction ends."""
        found = await self.customers.resolve(customer_id)
        while found is not None:
            await self.lock([found.customer_id], space=CUSTOMERS)
            again = await self.customers.resolve(found.customer_id)
            if again is not None and again.customer_id == found.customer_id:
                return again
            found = again
        raise UnknownCustomer
