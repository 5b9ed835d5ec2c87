"""The four services, in the order in which they are started."""

from common.service import Service
from identity.service import SERVICE as IDENTITY
from interactions.service import SERVICE as INTERACTIONS
from scoring.service import SERVICE as SCORING
from service_audit.service import SERVICE as SERVICE_AUDIT

SERVICES: tuple[Service, ...] = (IDENTITY, INTERACTIONS, SCORING, SERVICE_AUDIT)
