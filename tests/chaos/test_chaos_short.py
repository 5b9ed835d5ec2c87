"""Nothing lost, nothing twice, nothing missing, while every role is killed: the shorter pass of `make chaos`."""

import asyncio

import pytest

from .arena import alone, distributed
from .runs import Wanted, run_trials
from .trials import SHORT, SHORT_EMBEDDED


@pytest.mark.real
def test_every_acknowledged_touchpoint_has_every_effect_once_though_all_roles_are_killed(postgres_server, kafka_server):
    """The session's servers are asked for only so that their absence skips this, with the reason."""
    with distributed() as arena:
        assert asyncio.run(run_trials(arena, SHORT, Wanted(times=1, pace=60.0)))


def test_the_embedded_stack_loses_nothing_when_it_is_killed():
    with alone() as arena:
        assert asyncio.run(run_trials(arena, SHORT_EMBEDDED, Wanted(times=2, pace=60.0)))
