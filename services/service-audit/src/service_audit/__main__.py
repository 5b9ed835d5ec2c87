"""python -m service_audit api | worker | migrate."""

from common.service import Service, run
from service_audit.main import create_app
from service_audit.settings import AuditSettings
from service_audit.worker import create_consumer, create_timers, prepare

SERVICE = Service(
    name="service-audit",
    package="service_audit",
    settings=AuditSettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    prepare=prepare,
)

if __name__ == "__main__":
    run(SERVICE)
