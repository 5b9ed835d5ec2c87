"""Identity as one value: what both stacks need to know of it."""

from common.service import Service
from identity.main import create_app
from identity.republish import REPUBLISH
from identity.settings import IdentitySettings
from identity.worker import create_consumer, create_timers, prepare

SERVICE = Service(
    name="identity",
    package="identity",
    settings=IdentitySettings,
    create_app=create_app,
    create_consumer=create_consumer,
    create_timers=create_timers,
    prepare=prepare,
    republish=REPUBLISH,
)
