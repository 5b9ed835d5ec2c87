"""Interactions as one value: what both stacks need to know of it."""

from common.rebuild import Projections
from common.service import Service
from interactions.main import create_app
from interactions.republish import REPUBLISH
from interactions.settings import InteractionsSettings
from interactions.worker import create_builder, create_consumer, create_timers, logs, prepare

# The log, threads, promises and cases are our own. Whose a trace is stands with what the trace is known by: identity tells that
# anew (`republish links`), and what is missing here is learnt.
PROJECTIONS = Projections(states=("part", "failed_moment", "customer", "access_key"), claims=False)

SERVICE = Service(
    name="interactions",
    package="interactions",
    settings=InteractionsSettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    prepare=prepare,
    republish=REPUBLISH,
    projections=PROJECTIONS,
    create_builder=create_builder,
    logs=logs,
)
