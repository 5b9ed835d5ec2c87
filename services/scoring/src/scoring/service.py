"""Scoring as one value: what both stacks need to know of it."""

from common.service import Service
from scoring.main import create_app
from scoring.settings import Settings
from scoring.worker import create_consumer, create_timers, republish

SERVICE = Service(
    name="scoring",
    package="scoring",
    settings=Settings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    republish={"values": republish},
)
