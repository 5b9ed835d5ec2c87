"""Scoring as one value: what both stacks need to know of it."""

from common.rebuild import Projections, Wake
from common.service import Service
from scoring.classes.use_cases import EVERYBODY, RANK, SOON, WAVE
from scoring.main import create_app
from scoring.settings import Settings
from scoring.worker import create_consumer, create_timers, republish

# Standings, signals and the series of changes are derived: once the rows are right, everybody is looked at again and what is
# otherwise than before is told. Policies and cut points are our own.
PROJECTIONS = Projections(
    states=("trace_link", "customer", "open_case", "restriction", "access_key"),
    replaced=("day_value", "category_value"),
    filled=("standing",),
    apart=("standing_change", "signal"),
    kept={"day_value": "trace_id", "category_value": "trace_id"},
    wakes=(Wake(RANK, SOON), Wake(WAVE, EVERYBODY, {"after": None})),
)

SERVICE = Service(
    name="scoring",
    package="scoring",
    settings=Settings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    republish={"values": republish},
    projections=PROJECTIONS,
)
