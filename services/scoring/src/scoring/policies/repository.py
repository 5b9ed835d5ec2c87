"""Every query on the rules and their versions."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from scoring.policies.domain import SHIPPED, RuleSet, Thresholds, TreatmentPolicy, shipped_policy
from scoring.policies.models import policy

PolicyName = Literal["thresholds", "treatment"]
THRESHOLDS: PolicyName = "thresholds"
TREATMENT: PolicyName = "treatment"


@dataclass(frozen=True)
class PolicyVersion:
    """One version of a set of rules. Version 0 is what the software ships; nobody wrote it."""

    name: PolicyName
    version: int
    body: dict[str, Any]
    author: str | None
    at: datetime | None


class PolicyRepository:
    """The versions of the rules; the highest is in force. `currency` is that of the shipped limits."""

    def __init__(self, session: AsyncSession, *, currency: str) -> None:
        self._session = session
        self._currency = currency

    async def latest(self, name: PolicyName) -> PolicyVersion:
        found = await self.page(name, after=None, limit=1)
        return found[0]

    async def page(self, name: PolicyName, *, after: int | None, limit: int) -> list[PolicyVersion]:
        """Versions, the newest first; the shipped one is the last."""
        query = sa.select(policy).where(policy.c.name == name).order_by(policy.c.version.desc()).limit(limit)
        if after is not None:
            query = query.where(policy.c.version < after)
        rows = [
            PolicyVersion(name, row.version, row.body, row.author, row.at)
            for row in (await self._session.execute(query)).all()
        ]
        if len(rows) < limit and after != SHIPPED:
            rows.append(self._shipped(name))
        return rows

    async def in_force(self) -> RuleSet:
        newest = sa.select(policy.c.name, sa.func.max(policy.c.version)).group_by(policy.c.name)
        query = sa.select(policy).where(sa.tuple_(policy.c.name, policy.c.version).in_(newest))
        found = {row.name: (row.version, orjson.dumps(row.body)) for row in await self._session.execute(query)}
        shipped = _shipped_bodies(self._currency)
        return _rules(*(found.get(name, (SHIPPED, shipped[name])) for name in (THRESHOLDS, TREATMENT)))

    async def add(self, version: PolicyVersion) -> None:
        row = {
            "name": version.name,
            "version": version.version,
            "body": version.body,
            "author": version.author,
            "at": version.at,
        }
        await insert_rows(self._session, policy, [row])

    def _shipped(self, name: PolicyName) -> PolicyVersion:
        return PolicyVersion(name, SHIPPED, orjson.loads(_shipped_bodies(self._currency)[name]), None, None)


@lru_cache
def _shipped_bodies(currency: str) -> dict[PolicyName, bytes]:
    bodies: dict[PolicyName, BaseModel] = {THRESHOLDS: Thresholds(), TREATMENT: shipped_policy(currency)}
    return {name: orjson.dumps(body.model_dump(mode="json")) for name, body in bodies.items()}


@lru_cache(maxsize=32)
def _rules(thresholds: tuple[int, bytes], treatment: tuple[int, bytes]) -> RuleSet:
    """Rules are read with every batch and change once a month: what they mean is worked out once."""
    return RuleSet(
        Thresholds.model_validate_json(thresholds[1]),
        thresholds[0],
        TreatmentPolicy.model_validate_json(treatment[1]),
        treatment[0],
    )
