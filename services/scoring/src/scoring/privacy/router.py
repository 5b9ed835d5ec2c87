"""What this service has on record of a person, over HTTP."""

from common.belonging import export_router
from scoring import tables
from scoring.appraisals.reading import UnknownCustomer
from scoring.privacy.repository import find_subjects

router = export_router("scoring", find_subjects, lambda: tables.METADATA, unknown=UnknownCustomer)
