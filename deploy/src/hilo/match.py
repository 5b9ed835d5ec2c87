"""`hilo match`: which rows of a file, or of two, are one person's; without a server, by the engine that identity runs on."""

import csv
import gc
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from phonenumbers import country_code_for_region
from tqdm import tqdm

from common.company import Company, IdentifierRules
from common.identifiers import RANK, InvalidIdentifier, read_identifiers
from hilo.cells import Block, blocks_of
from hilo.mapping import Drawn, FileMap
from identity.matching import bulk
from identity.matching.columns import PARTS, Codes, Columns, Reader
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import learnt_document, score, verdict_of, waterfall
from identity.matching.records import PLACES

# What is plain is read without the whole grammar, many lines at once. A phone is compared by its last digits, so that it needs
# no country.
_PLAIN = {
    scheme: re.compile(rf"^(?:{pattern}|.*)$", re.ASCII | re.MULTILINE)
    for scheme, pattern in {
        "phone": r"phone:\+?([0-9]{9,15})",
        "email": r"(?i:email:([a-z0-9_-]+(?:\.[a-z0-9_-]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,6}))",
        "document": r"(?i:document:(co-cc:[1-9][0-9]{4,9}))",
    }.items()
}
PLAIN_AT_HOME = 10  # digits; a number with more begins with its country's code
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
    """A part of a record, made of some columns: what is told often is read once."""

    def __init__(self, drawn: Sequence[Drawn], read: Callable[..., Codes]) -> None:
        self.columns = tuple(dict.fromkeys(column for each in drawn for column in each.columns))
        self._drawn, self._read = drawn, read
        self._rows: list[Codes] = []

    def add(self, block: Block) -> None:
        """The next records."""
        cells, places = block.values(self.columns)
        count = len(cells[0]) if cells else 1
        told = dict(zip(self.columns, cells, strict=True))
        self._rows.append(self._read(*(_texts(each, told, count) for each in self._drawn))[places])

    def codes(self) -> Codes:
        """What was read, a row for each record; it is told once."""
        whole = np.concatenate(self._rows)
        self._rows.clear()
        return whole


def _texts(value: Drawn, told: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """What becomes of the cells of many rows; where it is made of none, it is the same for all."""
    if not value.columns:
        return [value.of(())] * count
    return list(map(value.of, zip(*(told[column] for column in value.columns), strict=True)))


def read(paths: list[Path], file_map: FileMap, company: Company, *, processes: int | None = None) -> Files:
    """Read all rows. A row that tells nothing of a person stays a record, alone. What is read is the same in two processes."""
    region, rules = company.phone_region, company.identifiers
    if processes is None:
        large = sum(path.stat().st_size for path in paths) > WORTH_A_PROCESS
        processes = 2 if large and (os.cpu_count() or 1) > 1 else 1
    if processes == 1:
        found = _read_parts(paths, file_map, region, rules, sum(SHARES, ()))
        return replace(found, columns=Columns.together([found.columns]))
    mine, theirs = SHARES
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = pool.submit(_read_parts, paths, file_map, region, rules, theirs, quiet=True)
        found = _read_parts(paths, file_map, region, rules, mine)
        return replace(found, columns=Columns.together([found.columns, other.result().columns]))


def _read_parts(
    paths: list[Path],
    file_map: FileMap,
    region: str,
    rules: IdentifierRules,
    share: Collection[str],
    *,
    quiet: bool = False,
) -> Files:
    """The ids and the parts that belong to the share; all rows are read for it. `rules`: what is nobody's identifier."""
    gc.disable()  # millions of small values and no cycle among them: looking for one takes a third of the time
    reader = Reader(country=region)
    record_id = file_map.drawn_id() if "id" in share else Drawn((), lambda _: "")
    parts = {
        name: _Part([file_map.drawn(entry) for entry in entries], getattr(reader, name))
        for name, entries in PARTS.items()
        if name in share and not file_map.profile.keys().isdisjoint(entries)
    }
    drawn = file_map.drawn_identifiers() if "identifiers" in share else []
    nobodys = Nobodys(rules, region)
    carried = [_Part([each], partial(_identifiers, nobodys=nobodys, reader=reader)) for each in drawn]
    every = [*parts.values(), *carried]
    names = [*record_id.columns, *(column for part in every for column in part.columns)]
    ids: list[str] = []
    rows = second_from = 0
    for path in paths:
        second_from = rows
        with tqdm(desc=f"reading {path.name}", unit=" rows", disable=quiet) as bar:
            for block in blocks_of(path, file_map, names):
                if "id" in share:
                    own = _texts(record_id, {column: block.texts(column) for column in record_id.columns}, block.count)
                    ids += own if all(own) else [each or str(number) for number, each in enumerate(own, block.first)]
                for part in every:
                    part.add(block)
                rows += block.count
                bar.update(block.count)
    told = {name: part.codes() for name, part in parts.items()} if rows else {}
    columns = reader.columns(rows, told, [part.codes() for part in carried] if rows else [])
    gc.enable()
    return Files(ids, second_from if len(paths) > 1 else rows, columns)


class Nobodys:
    """What is on the company's block list (000000, sincorreo@) makes nobody alike in bulk, as it makes none online."""

    def __init__(self, rules: IdentifierRules, region: str) -> None:
        self._rules, self._region = rules, region
        self._code = str(country_code_for_region(region))
        listed = (*map(re.escape, rules.blocked), *rules.blocked_patterns)
        self._listed = {
            scheme: [re.compile(f"(?im)^(?:{each})$") for each in listed if scheme in each or not _names_a_scheme(each)]
            for scheme in _PLAIN
        }

    def without(self, scheme: str, values: list[str]) -> list[str]:
        """Plain values, of those that may be on the list nothing: they are read in full, and judged in their normal form."""
        lines = [f"{scheme}:{value}" for value in (map(self._in_full, values) if scheme == "phone" else values)]
        text = "\n".join(lines)
        found = {hit[0].partition("\n")[0] for listed in self._listed[scheme] for hit in listed.finditer(text)}
        return ["" if line in found else value for line, value in zip(lines, values, strict=True)] if found else values

    def _in_full(self, digits: str) -> str:
        """A plain phone number nearly in its normal form."""
        abroad = digits.startswith(self._code) and len(digits) > PLAIN_AT_HOME
        return f"+{digits}" if abroad else f"+{self._code}{digits}"

    def read(self, given: str) -> tuple[tuple[str, str], ...]:
        """The identifiers of a cell that are somebody's."""
        return tuple(each for each in _read(given, region=self._region) if not self._rules.blocks(":".join(each)))


def _names_a_scheme(pattern: str) -> bool:
    return any(scheme in pattern for scheme in RANK)


def _identifiers(given: Sequence[str], nobodys: Nobodys, reader: Reader) -> Codes:
    """The identifiers of cells; none where one says nothing."""
    lines = "\n".join(given)
    if lines.count("\n") >= len(given):
        lines = "\n".join(each.replace("\n", " ") for each in given)
    schemes = [scheme for scheme in _PLAIN if f"{scheme}:" in lines.lower()]
    plain = {scheme: "\n".join(_PLAIN[scheme].findall(lines)).lower().split("\n") for scheme in schemes}
    plain = {scheme: nobodys.without(scheme, values) for scheme, values in plain.items()}
    return reader.identifiers(given, plain, nobodys.read)


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
