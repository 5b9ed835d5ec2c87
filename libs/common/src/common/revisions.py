"""State that arrives in any order: the highest revision wins, in a batch and in the table."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar


class Revised(Protocol):
    """Anything that carries the revision of its subject."""

    @property
    def revision(self) -> int: ...


R = TypeVar("R", bound=Revised)
K = TypeVar("K", bound=Hashable)


def latest(items: Iterable[R], key: Callable[[R], K]) -> dict[K, R]:
    """The item of each key whose revision is the highest, in the order of the keys: the order in which rows are locked."""
    found: dict[K, R] = {}
    for item in items:
        known = found.get(key(item))
        if known is None or item.revision > known.revision:
            found[key(item)] = item
    return dict(sorted(found.items(), key=lambda pair: str(pair[0])))


def if_newer(table: str, columns: Sequence[str], *, by: str = "revision", than: str = ">") -> dict[str, str]:
    """For `insert_rows(on_conflict=...)`: the columns change only where the row that came is newer by the column `by`.

    `than` ">=" lets the later arrival of two equals win.
    """
    rule = f'CASE WHEN excluded."{by}" {than} "{table}"."{by}" THEN excluded."{{0}}" ELSE "{table}"."{{0}}" END'
    return {column: rule.format(column) for column in columns}


def of_type(events: Iterable[Any], kind: type[Any]) -> list[Any]:
    """The data of those events that are of one kind, in their order."""
    return [event.data for event in events if isinstance(event.data, kind)]
