"""`hilo match`: which rows of a file, or of two, are one person's; without a server, by the engine that identity runs on."""

import csv
import gc
import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from common.company import Company
from common.identifiers import InvalidIdentifier, read_identifiers
from hilo.load import columns_of
from hilo.mapping import Drawn, FileMap
from identity.matching import bulk
from identity.matching.columns import PARTS, Columns, Reader
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import learnt_document, score, verdict_of, waterfall

# A phone is compared by its last digits, so that a plain one needs no country.
_PLAIN_PHONE = re.compile(r"phone:\+?([0-9]{9,15})", re.ASCII)
_PLAIN_EMAIL = re.compile(
    r"email:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,6}", re.ASCII | re.IGNORECASE
)
_PLAIN_CEDULA = re.compile(r"document:co-cc:([1-9][0-9]{4,9})", re.ASCII | re.IGNORECASE)
ROWS_AT_ONCE = 20_000
MOST_REMEMBERED = 50_000  # distinct values of a part
EXPLAINED_AT_ONCE = 100_000  # pairs


@dataclass(frozen=True)
class Files:
    """The records of one file or two: their ids, where the second begins, and their columns."""

    ids: list[str]
    second_from: int
    columns: Columns


class _Part:
    """A part of a record, made of some columns: what is told often is read once, and a record keeps its number."""

    def __init__(self, drawn: Sequence[Drawn], read: Callable[..., Sequence[int]]) -> None:
        self.columns = tuple(column for each in drawn for column in each.columns)
        ends = np.cumsum([len(each.columns) for each in drawn]).tolist()
        self._draws = [(each.of, end - len(each.columns), end) for each, end in zip(drawn, ends, strict=True)]
        self._read = read
        self._known: dict[Any, int] = _Numbers(self._number)
        self._distinct, self._rows = 0, array("i")
        self._of_record = array("i")

    def add(self, cells: Sequence[Sequence[str]], count: int) -> None:
        """The next records, by the columns of this part."""
        told = cells[0] if len(cells) == 1 else zip(*cells, strict=True) if cells else repeat((), count)
        self._of_record.extend(map(self._known.__getitem__, told))
        if len(self._known) > MOST_REMEMBERED:
            self._known.clear()

    def _number(self, told: str | Sequence[str]) -> int:
        cells = (told,) if isinstance(told, str) else told
        self._rows.extend(self._read(*[of(cells[start:end]) for of, start, end in self._draws]))
        self._distinct += 1
        return self._distinct - 1

    def codes(self) -> "np.ndarray[Any, np.dtype[np.int32]]":
        """What was read, a row for each record."""
        rows = np.array(self._rows, dtype=np.int32).reshape(self._distinct, -1)
        return rows[np.array(self._of_record, dtype=np.int32)]


class _Numbers(dict[Any, int]):
    """A dictionary that asks for what it does not know."""

    def __init__(self, number: Callable[[Any], int]) -> None:
        super().__init__()
        self._number = number

    def __missing__(self, told: Any) -> int:
        self[told] = number = self._number(told)
        return number


def read(paths: list[Path], file_map: FileMap, company: Company) -> Files:
    """Read all rows. A row that tells nothing of a person stays a record, alone."""
    gc.disable()  # millions of small values and no cycle among them: looking for one takes a third of the time
    region = company.phone_region
    reader = Reader(country=region)
    record_id = file_map.drawn_id()
    parts = {
        name: _Part([file_map.drawn(entry) for entry in entries], getattr(reader, name))
        for name, entries in PARTS.items()
        if not file_map.profile.keys().isdisjoint(entries)
    }
    carried = [
        _Part([drawn], lambda given: reader.identifiers(_normal(given, region)))
        for drawn in file_map.drawn_identifiers()
    ]
    every = [*parts.values(), *carried]
    names = list(dict.fromkeys([*record_id.columns, "row", *(column for part in every for column in part.columns)]))
    ids: list[str] = []
    second_from = 0
    for path in paths:
        second_from = len(ids)
        with tqdm(desc=f"reading {path.name}", unit=" rows") as bar:
            for cells in columns_of(path, file_map, names, at_once=ROWS_AT_ONCE):
                table = dict(zip(names, cells, strict=True))
                count = len(table["row"])
                own = zip(*(table[column] for column in record_id.columns), strict=True) or repeat((), count)
                ids += [record_id.of(each) or number for each, number in zip(own, table["row"], strict=True)]
                for part in every:
                    part.add([table[column] for column in part.columns], count)
                bar.update(count)
    told = {name: part.codes() for name, part in parts.items()} if ids else {}
    columns = reader.columns(len(ids), told, [part.codes() for part in carried] if ids else [])
    gc.enable()
    return Files(ids, second_from if len(paths) > 1 else len(ids), columns)


def _normal(given: str, region: str) -> Sequence[tuple[str, str]]:
    """Scheme and value in normal form; none where it says nothing. What is plain is read without the whole grammar."""
    if plain := _PLAIN_PHONE.fullmatch(given):
        return (("phone", plain[1]),)
    if _PLAIN_EMAIL.fullmatch(given):
        return (("email", given[6:].lower()),)
    if plain := _PLAIN_CEDULA.fullmatch(given):
        return (("document", f"co-cc:{plain[1]}"),)
    return _read(given, region)


@lru_cache(maxsize=65_536)
def _read(given: str, region: str) -> tuple[tuple[str, str], ...]:
    try:
        read = read_identifiers([given], default_region=region, source="file")
    except InvalidIdentifier:
        return ()
    return tuple((each.scheme, each.value) for each in read.identifiers)


def match(
    paths: list[Path], file_map: FileMap, *, out: Path, explain: Path | None, learnt: Path | None, company: Company
) -> tuple[int, int, int]:
    """Match, and write who is who. Answers with the numbers of rows, of clusters, and of pairs in doubt."""
    files = read(paths, file_map, company)
    # the order of the ids, not of the rows: the same records give the same clusters in whatever order they come
    of_each = range(files.second_from), range(files.second_from, len(files.ids))
    order = np.array([row for rows in of_each for row in sorted(rows, key=files.ids.__getitem__)], dtype=np.int64)
    columns = files.columns.in_order(order)
    side = order >= files.second_from if files.second_from < len(files.ids) else None
    with tqdm(total=0, desc="matching", unit=" pairs", bar_format="{desc}: {n_fmt}/{total_fmt} {elapsed}") as bar:
        found = bulk.match(columns, side=side, progress=_telling(bar))
    names = _names(files)
    _write(out, files, names, order, found)
    in_doubt = found.cluster[found.left] != found.cluster[found.right]
    if explain is not None:
        _explain(explain, [names[row] for row in order], columns, found)
    if learnt is not None:
        common = Frequencies.of(columns).common(columns)
        learnt.write_text(json.dumps(learnt_document(found.weights, common), ensure_ascii=False))
    return len(files.ids), len(np.unique(found.cluster)), int(in_doubt.sum())


def _telling(bar: "tqdm[Any]") -> Callable[[str, int, int], None]:
    def tell(step: str, done: int, total: int) -> None:
        bar.set_description_str(step, refresh=False)
        bar.total, bar.n = total, done
        bar.refresh()

    return tell


def _names(files: Files) -> list[str]:
    """A name for each row that no other file's row has: an id that both files use is told apart by its file."""
    if files.second_from == len(files.ids):
        return files.ids
    first = set(files.ids[: files.second_from])
    return [
        f"2:{record_id}" if row >= files.second_from and record_id in first else record_id
        for row, record_id in enumerate(files.ids)
    ]


def _write(out: Path, files: Files, names: list[str], order: "np.ndarray[Any, Any]", found: bulk.Matched) -> None:
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("record_id", "cluster_id", "probability"))
        clusters, sure = order[found.cluster[place]].tolist(), found.probability[place].tolist()
        rows = zip(files.ids, clusters, sure, strict=True)
        writer.writerows((record_id, names[cluster], f"{each:.6f}") for record_id, cluster, each in rows)


def _explain(path: Path, names: list[str], columns: Columns, found: bulk.Matched) -> None:
    """A JSON document a line for each pair that was linked or is in doubt: the verdict and its waterfall, in bits."""
    with path.open("w", encoding="utf-8") as file:
        for document in _explained(names, columns, found):
            file.write(json.dumps(document, ensure_ascii=False) + "\n")


def _explained(names: list[str], columns: Columns, found: bulk.Matched) -> Iterator[dict[str, Any]]:
    comparer = Comparer(columns)
    for start in range(0, len(found.left), EXPLAINED_AT_ONCE):
        left = found.left[start : start + EXPLAINED_AT_ONCE]
        right = found.right[start : start + EXPLAINED_AT_ONCE]
        compared = comparer.compare(left, right)
        probability = score(compared.levels, compared.rarity, found.weights).probability
        for place in range(len(left)):
            bars = waterfall(compared.levels[place].tolist(), compared.rarity[place].tolist(), found.weights)
            yield {
                "left": names[left[place]], "right": names[right[place]],
                "probability": round(float(probability[place]), 6), "verdict": verdict_of(float(probability[place])),
                "one_cluster": bool(found.cluster[left[place]] == found.cluster[right[place]]),
                "waterfall": [{"field": b.field, "level": b.level, "weight": round(b.weight, 2)} for b in bars],
            }  # fmt: skip
