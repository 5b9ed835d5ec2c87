"""Every query on what was seen."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_columns, insert_rows
from common.revisions import if_newer
from service_audit.observations.domain import SUBJECT_KINDS, Observation, Source, SubjectKind, Withdrawal
from service_audit.observations.models import observation, withdrawal

_COLUMNS = tuple(field.name for field in fields(Observation))
_values = attrgetter(*_COLUMNS)
_LATEST = if_newer("observation", [name for name in _COLUMNS if name not in ("key", "noted_at")], by="told")


class Observations:
    """What was seen, and what was taken back."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, seen: Iterable[Observation]) -> set[str]:
        """Keep those observations that were never told before; gives their keys. The others are as they were."""
        if not (columns := _columns(seen)):
            return set()
        written = await insert_columns(self._session, observation, columns, on_conflict="nothing", returning=["key"])
        return {row.key for row in written}

    async def save(self, seen: Iterable[Observation]) -> None:
        """Keep the observations; of several tellings of the same the latest counts, and the first says when it was noted."""
        if columns := _columns(seen):
            await insert_columns(self._session, observation, columns, on_conflict=_LATEST)

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        latest: dict[str, UUID] = {}
        for one in withdrawals:
            latest[one.key] = max(one.told, latest.get(one.key, one.told))
        rows = [{"key": key, "told": told} for key, told in sorted(latest.items())]
        await insert_rows(self._session, withdrawal, rows, on_conflict=if_newer("withdrawal", ["told"], by="told"))

    async def withdrawals(self, keys: Collection[str]) -> dict[str, UUID]:
        """Which of the keys were taken back, and by which event."""
        if not keys:
            return {}
        rows = await self._session.execute(select(withdrawal).where(among(withdrawal.c.key, keys)))
        return {row.key: row.told for row in rows}

    async def of_scopes(self, scopes: Iterable[str]) -> dict[str, list[Observation]]:
        """What was seen in each scope: `case:PQR-7`, `conversation:<id>` ..., or `observation:<key>` for one alone."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for scope in sorted(set(scopes)):
            kind, _, value = scope.partition(":")
            wanted[kind].append(value)
        found: dict[str, list[Observation]] = defaultdict(list)
        for one in await self._read(select(observation).where(among(observation.c.key, wanted.pop("observation", [])))):
            found[f"observation:{one.key}"].append(one)
        for kind in SUBJECT_KINDS:
            if kind in wanted:
                for one in await self._of_subjects(kind, wanted[kind]):
                    found[str(one.subject(kind))].append(one)
        return found

    async def known(self, keys: Collection[str]) -> list[Observation]:
        """Those of the keys that were seen before."""
        return await self._read(select(observation).where(among(observation.c.key, keys))) if keys else []

    async def depending_on(self, withdrawn: Iterable[Withdrawal]) -> list[Observation]:
        """What the withdrawals may take back."""
        wanted: dict[SubjectKind, set[str]] = defaultdict(set)
        for kind, value in (one.subject for one in withdrawn):
            wanted[kind].add(value)
        found = [one for kind in sorted(wanted) for one in await self._of_subjects(kind, sorted(wanted[kind]))]
        return list({one.key: one for one in found}.values())

    async def of_traces(self, traces: Collection[UUID]) -> list[Observation]:
        return await self._read(select(observation).where(among(observation.c.trace_id, traces)))

    async def page(self, sources: Sequence[Source], *, after: tuple[str, str] | None, limit: int) -> list[Observation]:
        """Observations of the sources in a fixed order, from where the page before ended."""
        c = observation.c
        query = select(observation).where(among(c.source, sources)).order_by(c.source, c.key).limit(limit)
        if after is not None:
            query = query.where(tuple_(c.source, c.key) > tuple_(*after))
        return await self._read(query)

    async def _of_subjects(self, kind: SubjectKind, values: Sequence[str]) -> list[Observation]:
        if kind == "case":
            return await self._read(select(observation).where(among(observation.c.case_number, values)))
        ids = [UUID(value) for value in values]
        return await self._read(select(observation).where(among(observation.c[f"{kind}_id"], ids)))

    async def _read(self, query: Select[Any]) -> list[Observation]:
        return [_observation(row) for row in (await self._session.execute(query)).all()]


def _columns(seen: Iterable[Observation]) -> dict[str, Sequence[Any]]:
    """By column a value for each thing that was seen, by its latest telling, in the order in which rows are locked; nothing of nothing."""
    latest: dict[str, Observation] = {}
    for one in seen:
        known = latest.get(one.key)
        if known is None or one.told > known.told:
            latest[one.key] = one
    rows = [_values(latest[key]) for key in sorted(latest)]
    return dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}


def _observation(row: Row[Any]) -> Observation:
    return Observation(**{name: row._mapping[name] for name in _COLUMNS})  # noqa: SLF001 - SQLAlchemy's documented access
