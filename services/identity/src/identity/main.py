"""The API's composition root."""

from fastapi import FastAPI

from common.auth import Principal
from common.bus.delivery import replay
from common.contracts import identity
from common.http import create_service
from common.parked import ParkedItem
from common.parked_http import parked_router
from common.service import Runtime
from identity.access_keys.router import router as access_keys
from identity.assignments.router import router as assignments
from identity.cleanup.router import TAG as CLEANUP
from identity.cleanup.router import router as cleanup
from identity.consumers import TOPICS
from identity.contact.router import router as contact
from identity.customers.router import router as customers
from identity.customers.router import search_router as search
from identity.forms.router import router as forms
from identity.guards.router import router as guards
from identity.knowledge.router import router as knowledge
from identity.merges.router import router as merges
from identity.parties.router import TAG as PARTIES
from identity.parties.router import router as parties
from identity.privacy.router import TAG as PRIVACY
from identity.privacy.router import export
from identity.privacy.router import router as privacy
from identity.relationships.router import TAG as RELATIONSHIPS
from identity.relationships.router import router as relationships
from identity.reports.router import router as reports
from identity.reviews.router import router as reviews
from identity.worker import create_consumer

DESCRIPTION = """
Who he is, what we know of him, how he wants to be treated, who looks after him. Every touchpoint belongs to one **trace**
(rastro); which customer a trace belongs to is decided here, by rules or by people, and every decision can be undone exactly.
"""
TAGS = {
    "customers (clientes)": "The golden record: names, identifiers, values, each with its source.",
    "facts (lo que sabemos)": "Dated facts with source, confidence and expiry, the next two questions to ask, and forms that need not ask again.",
    "contact (cómo contactarlo)": "Preferences, and a ledger of consents that only grows.",
    "people (quién lo atiende)": "Account owner, nanny, executive counterpart.",
    RELATIONSHIPS: "Organisations and their contacts, households, referrals, whatever holds between two parties.",
    PARTIES: "References (show-room), target accounts, partners; our own people and places.",
    PRIVACY: "Erase a person in all four services, with a certificate; export, put right, leave unused.",
    CLEANUP: "Find stale, dead, duplicate and unreachable records by rules; propose, approve, take back.",
    "merges (fusiones)": "Merge with preview, undo exactly, and what keeps two traces apart.",
    "reviews (revisiones)": "Pairs in doubt, explained, for people to decide.",
    "guards (salvaguardas)": "What keeps two persons from becoming one: limits, block list, unique numbers; and when one bit.",
    "reports (informes)": "How healthy the identities are: joined, undone, in doubt, shared by too many.",
    "access keys (llaves)": "Credentials for channel systems: scoped, hashed, shown once.",
    "parked (apartados)": "Events that could not be handled: read, repair, send again.",
}


def create_app(runtime: Runtime) -> FastAPI:
    """The whole API of identity."""
    consumer = create_consumer(runtime)

    async def again(item: ParkedItem, _: Principal) -> None:
        await replay(consumer, item.body)

    return create_service(
        name="identity",
        title="Hilo: identity",
        description=DESCRIPTION.strip(),
        settings=runtime.settings,
        routers=[
            search, customers, privacy, export, cleanup, knowledge, forms, contact, assignments, relationships, parties, merges, reviews, guards, reports, access_keys,
            parked_router("identity", {"event": again}),
        ],
        publishes=[identity.TOPIC, identity.PEOPLE],
        consumes=TOPICS,
        tags=TAGS,
        state={"database": runtime.database, "clock": runtime.clock, "company": runtime.company},
    )  # fmt: skip
