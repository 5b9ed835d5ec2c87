"""What tests of every service use: time that stands still, timers, migrated databases, a client with the first key."""

from common.testing.clock import FakeClock
from common.testing.databases import Databases
from common.testing.http import FIRST_KEY, TEST_SECRET, client_for, settings_for
from common.testing.rebuilding import waits_empty_handed
from common.testing.waking import woken

__all__ = [
    "FIRST_KEY",
    "TEST_SECRET",
    "Databases",
    "FakeClock",
    "client_for",
    "settings_for",
    "waits_empty_handed",
    "woken",
]
