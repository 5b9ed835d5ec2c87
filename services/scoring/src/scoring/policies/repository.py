"""Every query on the rules and their versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
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
        thresholds, treatment = await self.latest(THRESHOLDS), await self.latest(TREATMENT)
        return RuleSet(
            Thresholds.model_validate(thresholds.body),
            thresholds.version,
            TreatmentPolicy.model_validate(treatment.body),
            treatment.version,
        )

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
        body = Thresholds() if name == THRESHOLDS else shipped_policy(self._currency)
        return PolicyVersion(name, SHIPPED, body.model_dump(mode="json"), None, None)
