"""What this service has on record of a person, over HTTP."""

from common.belonging import export_router
from interactions import tables
from interactions.privacy.repository import find_subjects, steps_of_cases
from interactions.resume.domain import UnknownCustomer

router = export_router(
    "interactions",
    find_subjects,
    lambda: tables.METADATA,
    unknown=UnknownCustomer,
    more=steps_of_cases,
)
