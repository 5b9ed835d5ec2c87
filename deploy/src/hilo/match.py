"""`hilo match`: which rows of a file, or of two, are one person's; without a server, by the engine that identity runs on."""

import csv
import gc
import json
import os
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import count, islice, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from common.company import Company
from common.identifiers import InvalidIdentifier, read_identifiers
from hilo.load import columns_of
from hilo.mapping import Drawn, FileMap
from identity.matching import bulk
from identity.matching.columns import PARTS, Codes, Columns, Reader
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import learnt_document, score, verdict_of, waterfall
from identity.matching.records import PLACES

# What is plain is read without the whole grammar, many lines at once. A phone is compared by its last digits, so that it needs
# no country.
_PLAIN = re.compile(
    r"^(?:phone:\+?(?P<phone>[0-9]{9,15})"
    r"|(?i:email:(?P<email>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,6}))"
    r"|(?i:document:(?P<document>co-cc:[1-9][0-9]{4,9}))"
    r"|.*)$",
    re.ASCII | re.MULTILINE,
)
_NOT_PLAIN = ("",) * _PLAIN.groups
ROWS_AT_ONCE = 500  # few enough for their cells to stay in the cache of a core
MOST_REMEMBERED = 100_000  # distinct values of a part
EXPLAINED_AT_ONCE = 100_000  # pairs
# Two processes read a large file side by side, each of them all rows and these parts: no word that the one meets is the other's.
SHARES = (("id", "identifiers", "birth", "organisation", *PLACES), ("given", "surnames", "full", "address"))
WORTH_A_PROCESS = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Files:
    """The records of one file or two: their ids, where the second begins, and their columns."""

    ids: list[str]
    second_from: int
    columns: Columns


class _Part:
    """A part of a record, made of some columns: what is told often is read once, and a record keeps its number."""

    def __init__(self, drawn: Sequence[Drawn], read: Callable[..., Codes]) -> None:
        self.columns = tuple(column for each in drawn for column in each.columns)
        ends = np.cumsum([len(each.columns) for each in drawn]).tolist()
        self._draws = [(each, end - len(each.columns), end) for each, end in zip(drawn, ends, strict=True)]
        self._read = read
        self._numbers: defaultdict[Any, int] = defaultdict(count().__next__)
        self._known = 0  # of these numbers
        self._rows: list[Codes] = []
        self._of_record = array("i")

    def add(self, cells: Sequence[Sequence[str]], count: int) -> None:
        """The next records, by the columns of this part."""
        told = cells[0] if len(cells) == 1 else zip(*cells, strict=True) if cells else repeat((), count)
        self._of_record.extend(map(self._numbers.__getitem__, told))
        if fresh := list(islice(reversed(self._numbers), len(self._numbers) - self._known)):
            self._rows.append(self._read_many(fresh[::-1]))
        if len(self._numbers) > MOST_REMEMBERED:
            self._numbers.clear()
        self._known = len(self._numbers)

    def _read_many(self, told: Sequence[Any]) -> Codes:
        cells = [told] if len(self.columns) == 1 else list(zip(*told, strict=True))
        return self._read(*(_drawn(each, cells[start:end], len(told)) for each, start, end in self._draws))

    def codes(self) -> Codes:
        """What was read, a row for each record."""
        return np.concatenate(self._rows)[np.array(self._of_record, dtype=np.int32)]


def _drawn(value: Drawn, cells: Sequence[Sequence[str]], count: int) -> list[str]:
    """What becomes of the cells of many rows; where it is made of none, it is the same for all."""
    return list(map(value.of, zip(*cells, strict=True))) if cells else [value.of(())] * count


def read(paths: list[Path], file_map: FileMap, company: Company, *, processes: int | None = None) -> Files:
    """Read all rows. A row that tells nothing of a person stays a record, alone. What is read is the same in two processes."""
    region = company.phone_region
    if processes is None:
        large = sum(path.stat().st_size for path in paths) > WORTH_A_PROCESS
        processes = 2 if large and (os.cpu_count() or 1) > 1 else 1
    if processes == 1:
        found = _read_parts(paths, file_map, region, sum(SHARES, ()))
        return replace(found, columns=Columns.together([found.columns]))
    mine, theirs = SHARES
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = pool.submit(_read_parts, paths, file_map, region, theirs, quiet=True)
        found = _read_parts(paths, file_map, region, mine)
        return replace(found, columns=Columns.together([found.columns, other.result().columns]))


def _read_parts(
    paths: list[Path], file_map: FileMap, region: str, share: Collection[str], *, quiet: bool = False
) -> Files:
    """The ids and the parts that belong to the share; all rows are read for it."""
    gc.disable()  # millions of small values and no cycle among them: looking for one takes a third of the time
    reader = Reader(country=region)
    record_id = file_map.drawn_id() if "id" in share else Drawn((), lambda _: "")
    parts = {
        name: _Part([file_map.drawn(entry) for entry in entries], getattr(reader, name))
        for name, entries in PARTS.items()
        if name in share and not file_map.profile.keys().isdisjoint(entries)
    }
    drawn = file_map.drawn_identifiers() if "identifiers" in share else []
    carried = [_Part([each], partial(_identifiers, region=region, reader=reader)) for each in drawn]
    every = [*parts.values(), *carried]
    names = list(dict.fromkeys([*record_id.columns, "row", *(column for part in every for column in part.columns)]))
    ids: list[str] = []
    rows = second_from = 0
    for path in paths:
        second_from = rows
        with tqdm(desc=f"reading {path.name}", unit=" rows", disable=quiet) as bar:
            for cells in columns_of(path, file_map, names, at_once=ROWS_AT_ONCE):
                table = dict(zip(names, cells, strict=True))
                count = len(table["row"])
                if "id" in share:
                    own = _drawn(record_id, [table[column] for column in record_id.columns], count)
                    ids += own if all(own) else [each or row for each, row in zip(own, table["row"], strict=True)]
                for part in every:
                    part.add([table[column] for column in part.columns], count)
                rows += count
                bar.update(count)
    told = {name: part.codes() for name, part in parts.items()} if rows else {}
    columns = reader.columns(rows, told, [part.codes() for part in carried] if rows else [])
    gc.enable()
    return Files(ids, second_from if len(paths) > 1 else rows, columns)


def _identifiers(given: Sequence[str], region: str, reader: Reader) -> Codes:
    """The identifiers of cells; none where one says nothing."""
    lines = "\n".join(each.replace("\n", " ") for each in given)
    found = _PLAIN.findall(lines)
    alone = {
        scheme: {place: value.lower() for place, value in enumerate(values) if value}
        for scheme, values in zip(_PLAIN.groupindex, zip(*found, strict=True), strict=True)
    }
    several = {
        place: _read(given[place], region)
        for place, values in enumerate(found)
        if values == _NOT_PLAIN and given[place]
    }
    return reader.identifiers(len(given), alone, several)


@lru_cache(maxsize=65_536)
def _read(given: str, region: str) -> tuple[tuple[str, str], ...]:
    try:
        read = read_identifiers([given], default_region=region, source="file")
    except InvalidIdentifier:
        return ()
    return tuple((each.scheme, each.value) for each in read.identifiers)


def match(
    paths: list[Path],
    file_map: FileMap,
    *,
    out: Path,
    explain: Path | None,
    learnt: Path | None,
    company: Company,
    processes: int | None = None,
) -> tuple[int, int, int]:
    """Match, and write who is who. Answers with the numbers of rows, of clusters, and of pairs in doubt."""
    files = read(paths, file_map, company, processes=processes)
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
