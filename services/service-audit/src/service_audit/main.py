"""The API's composition root."""

from fastapi import FastAPI

from common.auth import Principal
from common.bus.delivery import replay
from common.contracts import service_audit
from common.http import create_service
from common.parked import ParkedItem
from common.parked_http import parked_router
from common.service import Runtime
from service_audit.actions.router import router as actions
from service_audit.consumers import TOPICS
from service_audit.evidence.router import router as evidence
from service_audit.privacy.router import router as export
from service_audit.scorecards.router import router as scorecards
from service_audit.standards.router import router as standards
from service_audit.worker import create_consumer

DESCRIPTION = """
How well we serve, and what we change. A **promise** (promesa de servicio) with its pillars; **service cycles** (ciclos de
servicio) of **moments of truth** (momentos de verdad), each with a standard, all of it data. Evidence comes by itself from
what happens in the other services; scorecards, failed moments and improvement actions follow from it.
"""
TAGS = {
    "standards (estándares)": "The promise, the attributes of the scorecard and the service cycles: versioned data.",
    "evidence (evidencia)": "What came of each moment of truth.",
    "scorecards (tableros)": "Scores from 0 to 100 by period, each with the size of its sample.",
    "privacy (datos personales)": "All that is on record of a person.",
    "actions (acciones de mejora)": "What we change because of what we saw.",
    "parked (apartados)": "Events that could not be handled: read, repair, send again.",
}


def create_app(runtime: Runtime) -> FastAPI:
    """The whole API of service-audit."""
    consumer = create_consumer(runtime)

    async def again(item: ParkedItem, _: Principal) -> None:
        await replay(consumer, item.body)

    return create_service(
        name="service-audit",
        title="Hilo: service audit",
        description=DESCRIPTION.strip(),
        settings=runtime.settings,
        routers=[standards, scorecards, evidence, export, actions, parked_router("service-audit", {"event": again})],
        publishes=[service_audit.TOPIC, service_audit.ERASURES],
        consumes=TOPICS,
        tags=TAGS,
        state={"database": runtime.database, "clock": runtime.clock, "company": runtime.company},
    )
