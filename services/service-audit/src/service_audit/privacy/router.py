"""What this service has on record of a person, over HTTP."""

from common.belonging import export_router
from service_audit import tables
from service_audit.evidence.domain import UnknownCustomer
from service_audit.privacy.repository import find_subjects

router = export_router("service-audit", find_subjects, lambda: tables.METADATA, unknown=UnknownCustomer)
