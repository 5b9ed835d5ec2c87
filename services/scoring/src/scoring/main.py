"""The API's composition root."""

from typing import Any

from common.bus.delivery import replay
from common.contracts import identity, interactions, scoring
from common.http import ServiceApp, create_service
from common.parked_http import parked_router
from common.service import Runtime
from scoring.appraisals.reading import MadeLists
from scoring.appraisals.router import router as customers
from scoring.policies.router import router as policies
from scoring.privacy.router import router as export
from scoring.reports.router import router as reports
from scoring.worker import create_consumer

DESCRIPTION = """
What the relationship with each customer is worth (**valor**), how it moves, and how he is to be treated.

- **Value**: `profitability = F * V - cost of sales`, contribution, tenure, from purchases, payments, quotes and contact costs.
- **Classes**: tier (MVC, GROWING, STANDARD, BELOW_ZERO) and ABC, each by dated cut points; lifecycle.
- **Signals**: purchases that dropped (**caída**), customers who sleep (**inactivos**), with their evidence.
- **Policies**: every threshold and the treatment policy (**política de trato**) as versioned data.

Every figure explains itself and takes `as_of`. For the company's own people: a customer's or a partner's credential is refused.
"""


def create_app(runtime: Runtime) -> ServiceApp:
    """The API of scoring over the given runtime."""
    consumer = create_consumer(runtime)

    async def handle_again(item: Any, _: Any) -> None:
        await replay(consumer, item.body)

    return create_service(
        name="scoring",
        title="Hilo scoring",
        description=DESCRIPTION,
        settings=runtime.settings,
        routers=[export, customers, reports, policies, parked_router("scoring", {"event": handle_again})],
        publishes=[scoring.TOPIC, scoring.ERASURES],
        consumes=[interactions.TOPIC, identity.TOPIC],
        tags={
            "privacy (datos personales)": "All that is on record of a person.",
            "value (valor)": "What customers are worth, and why.",
            "reports (informes)": "ABC, Pareto and key figures over the population.",
            "policies (políticas)": "Thresholds and treatment policy as versioned data.",
            "parked (apartados)": "Events that could not be handled: read, repaired, sent again.",
        },
        state={
            "database": runtime.database,
            "company": runtime.company,
            "clock": runtime.clock,
            "made_lists": MadeLists[Any](),
        },
    )
