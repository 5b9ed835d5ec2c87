"""Changing the rules: a new version beside the old ones, and everybody looked at again by timer."""

from collections.abc import Mapping
from typing import Any

from common.clock import Clock
from common.errors import Stale
from scoring.classes.use_cases import rank_all_anew
from scoring.policies.domain import moves_timers
from scoring.policies.repository import THRESHOLDS, PolicyName, PolicyVersion
from scoring.uow import ScoringUnitOfWork


async def replace_policy(
    name: PolicyName, body: Mapping[str, Any], *, read: int, author: str, uow: ScoringUnitOfWork, clock: Clock
) -> PolicyVersion:
    """Put rules into force. `read` is the version that the caller had before him; raises Stale if it is not the latest."""
    now = clock()
    async with uow:
        await uow.lock([f"policy:{name}"])
        latest = await uow.policies.latest(name)
        if latest.version != read:
            raise Stale(f"Version {latest.version} is in force.")
        version = PolicyVersion(name, latest.version + 1, dict(body), author, now)
        await uow.policies.add(version)
        await rank_all_anew(everybody=name == THRESHOLDS and moves_timers(latest.body, body), uow=uow, now=now)
        await uow.commit()
    return version
