"""Every query on cut points."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from scoring.classes.domain import CutPoints
from scoring.classes.models import cut_points
from scoring.values.domain import Window


class CutPointsRepository:
    """The series of cut points; the latest is in force."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def latest(self) -> CutPoints | None:
        query = sa.select(cut_points).order_by(cut_points.c.version.desc()).limit(1)
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else cut_points_of(row)

    async def add(self, cuts: CutPoints) -> CutPoints:
        """Keep the cut points; gives them with the version they got."""
        row = {
            "computed_at": cuts.computed_at,
            "as_of": cuts.as_of,
            "thresholds_version": cuts.thresholds_version,
            "population": cuts.population,
            "a": cuts.a,
            "b": cuts.b,
            "mvc": cuts.mvc,
            "active": cuts.active,
            "worst": cuts.worst,
        }
        for name in ("abc", "mvc", "worst"):
            window: Window = getattr(cuts, f"{name}_window")
            row |= {f"{name}_kind": str(window.kind), f"{name}_first": window.first, f"{name}_last": window.last}
        ((version,),) = await insert_rows(self._session, cut_points, [row], returning=["version"])
        return replace(cuts, version=version)


def cut_points_of(row: Any) -> CutPoints:
    """The cut points in a row that has all of their columns."""

    def window(name: str) -> Window:
        return Window(getattr(row, f"{name}_kind"), getattr(row, f"{name}_first"), getattr(row, f"{name}_last"))

    return CutPoints(
        version=row.version,
        computed_at=row.computed_at,
        as_of=row.as_of,
        thresholds_version=row.thresholds_version,
        population=row.population,
        abc_window=window("abc"),
        a=row.a,
        b=row.b,
        mvc_window=window("mvc"),
        mvc=row.mvc,
        active=row.active,
        worst_window=window("worst"),
        worst=row.worst,
    )
