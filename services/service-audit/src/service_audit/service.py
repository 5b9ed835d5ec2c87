"""service-audit as one value: what both stacks need to know of it."""

from common.service import Service
from service_audit.main import create_app
from service_audit.settings import AuditSettings
from service_audit.worker import create_consumer, create_timers, prepare, republish

SERVICE = Service(
    name="service-audit",
    package="service_audit",
    settings=AuditSettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    republish={"failures": republish},
    prepare=prepare,
)
