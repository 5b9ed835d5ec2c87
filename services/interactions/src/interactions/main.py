"""The API's composition root."""

from fastapi import FastAPI

from common.auth import Principal
from common.bus.delivery import replay
from common.contracts import interactions
from common.http import create_service
from common.parked import ParkedItem
from common.parked_http import parked_router
from common.service import CHANNELS_TOPIC, Runtime
from interactions.cases.router import router as cases
from interactions.commitments.router import router as commitments
from interactions.consumers import TOPICS
from interactions.contact.router import router as contact
from interactions.conversations.router import router as conversations
from interactions.corrections.router import router as corrections
from interactions.privacy.router import router as export
from interactions.reports.router import TAG as REPORTS
from interactions.reports.router import router as reports
from interactions.resume.router import router as resume
from interactions.timeline.router import router as timeline
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.router import router as touchpoints
from interactions.touchpoints.schemas import read_body
from interactions.touchpoints.use_cases import Refused, record_touchpoints
from interactions.worker import create_consumer, desk_of

DESCRIPTION = """
All that was said and done, on whatever channel, and how to go on. A **touchpoint** (punto de contacto) is recorded once, however
often it is sent; it continues a **conversation** (hilo) or opens one; promises (**commitments**, compromisos) and **cases** (PQR:
peticiones, quejas, reclamos) follow from it; and the **resume** (resumen) says where the talk stopped, whoever asks next.
"""
TAGS = {
    "touchpoints (puntos de contacto)": "Record what happened, one by one or a thousand at a time; correct, retract, redact.",
    "conversations (hilos)": "Threads across channels: whose turn it is, and where the talk stopped.",
    "commitments (compromisos)": "What was promised, by whom, by when, and whether it was kept.",
    "cases (PQR)": "Complaints, claims, petitions, suggestions and compliments, until the customer confirms that it is well.",
    "resume": "Everything that the next contact needs to know, in one answer.",
    "contact": "Whether a customer may be contacted now, with every reason.",
    REPORTS: "What the log tells of many customers at once: whose bond is with one employee only.",
    "privacy (datos personales)": "All that is on record of a person.",
    "parked (apartados)": "Touchpoints that were refused and events that could not be handled: read, repair, send again.",
}


def create_app(runtime: Runtime) -> FastAPI:
    """The whole API of interactions."""
    consumer = create_consumer(runtime)
    desk = desk_of(runtime)

    async def event_again(item: ParkedItem, _: Principal) -> None:
        await replay(consumer, item.body)

    async def touchpoint_again(item: ParkedItem, _: Principal) -> None:
        # He who sent it speaks, with what his credential attested, not whoever repaired it.
        speaker = Speaker.of_row(item.problem["speaker"])
        (outcome,) = await record_touchpoints(
            [read_body(item.body, speaker=speaker, company=runtime.company)], desk=desk, park=False
        )
        if isinstance(outcome, Refused):
            raise outcome.refusal

    replays = {"event": event_again, "touchpoint": touchpoint_again}
    return create_service(
        name="interactions",
        title="Hilo: interactions",
        description=DESCRIPTION.strip(),
        settings=runtime.settings,
        routers=[
            resume,  # first what is asked most: routes are looked for in this order
            touchpoints,
            corrections,
            conversations,
            commitments,
            cases,
            timeline,
            contact,
            reports,
            export,
            parked_router("interactions", replays),
        ],
        publishes=[interactions.TOPIC, interactions.PEOPLE, interactions.ERASURES],
        consumes=[*TOPICS, CHANNELS_TOPIC],
        tags=TAGS,
        state={"database": runtime.database, "clock": runtime.clock, "company": runtime.company},
    )
