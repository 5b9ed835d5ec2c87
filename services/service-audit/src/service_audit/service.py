"""service-audit as one value: what both stacks need to know of it."""

from common.rebuild import Projections
from common.service import Service
from service_audit.main import create_app
from service_audit.settings import AuditSettings
from service_audit.worker import create_consumer, create_timers, finish_rebuild, prepare, republish

# Standards, published scorecards and what people do about it are our own; an action opened on the way is open already.
PROJECTIONS = Projections(
    states=("link", "customer", "access_key"),
    replaced=("observation", "withdrawal", "evidence"),
    apart=("action",),
    kept={"evidence": "evidence_id"},
)

SERVICE = Service(
    name="service-audit",
    package="service_audit",
    settings=AuditSettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    republish={"failures": republish},
    prepare=prepare,
    projections=PROJECTIONS,
    finish_rebuild=finish_rebuild,
)
