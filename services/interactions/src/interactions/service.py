"""Interactions as one value: what both stacks need to know of it."""

from common.service import Service
from interactions.main import create_app
from interactions.republish import REPUBLISH
from interactions.settings import InteractionsSettings
from interactions.worker import create_consumer, create_timers, logs

SERVICE = Service(
    name="interactions",
    package="interactions",
    settings=InteractionsSettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    republish=REPUBLISH,
    logs=logs,
)
