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
from scoring.classes.domain import CutPoints
from scoring.classes.models import cut_points
from scoring.classes.repository import cut_points_of
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


def _newest(name: PolicyName) -> sa.Subquery:
    """The version of the rules that is in force; its body as it is stored, since it is hardly ever one that is not known."""
    columns = (policy.c.version.label(f"{name}_written"), sa.cast(policy.c.body, sa.Text).label(name))
    return sa.select(*columns).where(policy.c.name == name).order_by(policy.c.version.desc()).limit(1).subquery(name)


_last = sa.select(cut_points).order_by(cut_points.c.version.desc()).limit(1).subquery("last")
_thresholds, _treatment = _newest(THRESHOLDS), _newest(TREATMENT)
# With every batch: one question, whose row is there whatever of it was written.
_IN_FORCE = sa.select(_thresholds, _treatment, _last).select_from(
    sa.select(sa.literal(1).label("one"))
    .subquery("always")
    .outerjoin(_thresholds, sa.true())
    .outerjoin(_treatment, sa.true())
    .outerjoin(_last, sa.true())
)


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
        return (await self.in_force_with_cuts())[0]

    async def in_force_with_cuts(self) -> tuple[RuleSet, CutPoints | None]:
        """The rules, and the lines that were drawn last."""
        row = (await self._session.execute(_IN_FORCE)).one()
        shipped = _shipped_bodies(self._currency)
        written = (
            (THRESHOLDS, row.thresholds_written, row.thresholds),
            (TREATMENT, row.treatment_written, row.treatment),
        )
        found = ((SHIPPED, shipped[name]) if version is None else (version, body) for name, version, body in written)
        return _rules(*found), None if row.version is None else cut_points_of(row)

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
def _rules(thresholds: tuple[int, str | bytes], treatment: tuple[int, str | bytes]) -> RuleSet:
    """Rules are read with every batch and change once a month: what they mean is worked out once."""
    return RuleSet(
        Thresholds.model_validate_json(thresholds[1]),
        thresholds[0],
        TreatmentPolicy.model_validate_json(treatment[1]),
        treatment[0],
    )
