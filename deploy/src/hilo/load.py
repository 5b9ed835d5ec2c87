"""`hilo load`: rows of CSV, CSV.gz or NDJSON become touchpoints, posted in batches, resumable, counted to the last row."""

import csv
import gzip
import hashlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

import httpx
from tqdm import tqdm

from hilo.mapping import FileMap, Row
from hilo.verdicts import Verdicts, verdicts_of

BATCH = 250
BATCH_BYTES = 2_000_000
PATIENCE_SECONDS = 300.0
BUSY = frozenset({429, 502, 503, 504})

csv.field_size_limit(10_000_000)
_END = "\x1e"  # a last line that no file has: read as one, it ends the rows, and within a quote it tells that the quote is open


class LoadStopped(Exception):  # noqa: N818 - told to the person at the keyboard
    """The load cannot go on; what was sent so far stays, and `--resume` continues there."""


@dataclass
class Tally:
    """What became of the touchpoints, and a few of the refusals to look at."""

    recorded: int = 0
    duplicate: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, answer: dict[str, Any]) -> None:
        self.recorded += answer["recorded"]
        self.duplicate += answer["duplicate"]
        self.refused += answer["refused"]
        for result in answer["results"]:
            if result["status"] == "refused" and len(self.examples) < 5:
                problem = result["problem"]
                where = ", ".join(e["pointer"] for e in problem.get("errors", [])) or "-"
                self.examples.append(f"{problem['code']} at {where} (parked as {result['parked_id']})")

    @property
    def total(self) -> int:
        return self.recorded + self.duplicate + self.refused


def touchpoints_of(path: Path, file_map: FileMap) -> Iterator[dict[str, Any]]:
    """The touchpoints of a file, in the order of their first rows."""
    for rows in _grouped(rows_of(path, file_map), file_map):
        yield file_map.touchpoint_of(rows)


def count_of(path: Path, file_map: FileMap) -> int:
    """How many touchpoints a file holds, for the progress bar."""
    if file_map.group is None:
        return sum(1 for _ in rows_of(path, file_map))
    return len({file_map.group_of(row) or row["row"] for row in rows_of(path, file_map)})


def load(
    path: Path,
    file_map: FileMap,
    *,
    client: httpx.Client,
    progress: Path,
    resume: bool,
    quiet: bool = False,
    verdicts: Path | None = None,
) -> Tally:
    """Post every touchpoint of the file. Sending one again is harmless: it is recognised as a duplicate.

    `progress` remembers how many were answered for, so that `resume` starts behind them. `verdicts` is a CSV with a line for
    each touchpoint; a load that is resumed goes on in it.
    """
    version = _version(path)
    done = _done(progress, version) if resume else 0
    tally = Tally()
    lines = Verdicts(verdicts, kept=done) if verdicts is not None else None
    total = count_of(path, file_map)
    with tqdm(total=total, initial=min(done, total), unit=" touchpoints", disable=quiet) as bar:
        for batch in _batches(touchpoints_of(path, file_map), skip=done):
            answer = _post(client, batch)
            tally.add(answer)
            if lines is not None:
                lines.add(verdicts_of(batch, answer))  # before the progress: no line is missing after a kill
            done += len(batch)
            _remember(progress, done, version)
            bar.update(len(batch))
    progress.unlink(missing_ok=True)
    return tally


def progress_file(var: Path, path: Path, map_path: Path, to: str) -> Path:
    """Where the progress of this file under this map to this address is kept; a changed map is another: it may group rows otherwise."""
    told = f"{path.resolve()}|{map_path.resolve()}|{to}|".encode() + map_path.read_bytes()
    name = hashlib.sha256(told).hexdigest()[:16]
    return var / "load" / f"{name}.json"


def rows_of(path: Path, file_map: FileMap) -> Iterator[Row]:
    """The rows of a CSV file, or the documents of NDJSON, each with its number. Raises LoadStopped."""
    with readable(path, file_map) as file:
        rows = _documents(file) if is_ndjson(path) else _csv_rows(file, file_map.delimiter)
        yield from ({**row, "row": number} for number, row in enumerate(rows, start=1))


def _csv_rows(file: Iterable[str], delimiter: str) -> Iterator[Row]:
    """The rows by their columns. Raises csv.Error where a quote is never closed: all rows behind it would be one field."""
    rows = csv.DictReader(chain(file, [_END]), delimiter=delimiter)
    before: Row | None = None
    number = 0
    for row in rows:
        if before is not None:
            yield before
        if next(iter(row.values())) == _END:
            return
        before, number = row, number + 1
    if rows.fieldnames != [_END]:  # else there is nothing in it
        raise csv.Error(f"a quote that is opened in row {number} is never closed")


def absent_columns(path: Path, file_map: FileMap) -> str | None:
    """In words, which columns the map draws from and the file does not have; None where there are none.

    Raises LoadStopped where id or moment would be drawn from nothing: the map is another file's, or the file is not in the
    encoding or with the delimiter that it says, and every row would be refused. Documents may each have other fields.
    """
    if is_ndjson(path):
        return None
    with readable(path, file_map) as file:
        header = next(csv.reader(file, delimiter=file_map.delimiter), [])
    absent = [name for name in file_map.columns() if name not in header]
    if not absent:
        return None
    words = f"{path.name} has no column {_quoted(absent)}; its columns are {_quoted(header)}"
    if set(absent) & set(file_map.columns_of_each()):
        raise LoadStopped(f"{words}. Are encoding and delimiter in [read] those of the file?")
    return words


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@contextmanager
def readable(path: Path, file_map: FileMap, *, as_text: bool = True) -> Iterator[IO[Any]]:
    """A file opened to be read, packed or not. Raises LoadStopped where it cannot be, now or later."""
    try:
        with _opened(path, file_map.encoding if as_text else None) as file:
            yield file
    except UnicodeDecodeError as error:
        raise LoadStopped(f"{path.name} is not in the encoding {file_map.encoding}: name its own in [read]") from error
    except (csv.Error, OSError, EOFError) as error:
        raise LoadStopped(f"{path.name} cannot be read: {error}") from error


def _documents(file: Iterable[str]) -> Iterator[Row]:
    """A document a line. A line that is none stays a row, an empty one: the API refuses it, and the others are not held up."""
    for line in file:
        if line.strip():
            try:
                document = _document(line)
            except (ValueError, RecursionError):
                document = None
            yield document if isinstance(document, dict) else {}


def _document(line: str) -> Any:
    document = json.loads(line)
    if "\\ud" in line.lower():  # half a sign where a text was cut off: no JSON with it can be sent
        document = json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    return document


def is_ndjson(path: Path) -> bool:
    """Whether a file holds a document a line."""
    return any(suffix in {".ndjson", ".jsonl"} for suffix in path.suffixes)


@contextmanager
def _opened(path: Path, encoding: str | None) -> Iterator[IO[Any]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    how = {"mode": "rt", "encoding": encoding, "newline": ""} if encoding else {"mode": "rb"}
    with opener(path, **how) as file:
        yield file


def _grouped(rows: Iterable[Row], file_map: FileMap) -> Iterator[Sequence[Row]]:
    """Each row alone, or all rows of a group together, wherever in the file they stand."""
    if file_map.group is None:
        yield from ([row] for row in rows)
        return
    # The rows of a group need not follow each other, and files may be larger than memory: a scratch file sorts them.
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as scratch, sqlite3.connect(scratch.name) as database:
        database.executescript("PRAGMA synchronous=OFF; CREATE TABLE line (place TEXT, nr INTEGER, body TEXT);")
        database.executemany(
            "INSERT INTO line VALUES (?, ?, ?)",
            # a row without a group is one of its own
            ((file_map.group_of(row) or f"row {row['row']}", row["row"], json.dumps(row)) for row in rows),
        )
        database.execute("CREATE INDEX by_place ON line (place, nr)")
        places = database.execute("SELECT place, min(nr) AS first FROM line GROUP BY place ORDER BY first")
        for place, _ in places:
            bodies = database.execute("SELECT body FROM line WHERE place IS ? ORDER BY nr", (place,))
            yield [json.loads(body) for (body,) in bodies]


def _batches(touchpoints: Iterable[dict[str, Any]], *, skip: int) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for number, touchpoint in enumerate(touchpoints):
        if number < skip:
            continue
        weight = len(json.dumps(touchpoint))
        if batch and (len(batch) >= BATCH or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(touchpoint)
        size += weight
    if batch:
        yield batch


def _post(client: httpx.Client, batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Post one batch; while the server is away or busy, wait and send the same again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = client.post("/interactions/v1/touchpoints:batch", json=batch)
        except httpx.TransportError as error:
            problem, pause = f"no answer ({type(error).__name__})", 1.0
        else:
            if answer.status_code == httpx.codes.OK:
                read: dict[str, Any] = answer.json()
                return read
            problem, pause = f"{answer.status_code} {answer.text[:300]}", _pause(answer)
            if answer.status_code not in BUSY:
                raise LoadStopped(problem)
        if time.monotonic() > deadline:
            raise LoadStopped(problem)
        time.sleep(pause)


def _pause(answer: httpx.Response) -> float:
    given = answer.headers.get("retry-after", "")
    return float(given) if given.isdigit() else 1.0


def _version(path: Path) -> list[int]:
    """Tells the file from what it is after it was changed: the place where a load stopped is no place in another file."""
    told = path.stat()
    return [told.st_size, told.st_mtime_ns]


def _done(progress: Path, version: list[int]) -> int:
    noted = json.loads(progress.read_text()) if progress.exists() else {}
    return int(noted["done"]) if noted.get("version") == version else 0


def _remember(progress: Path, done: int, version: list[int]) -> None:
    progress.parent.mkdir(parents=True, exist_ok=True)
    draft = progress.with_suffix(".new")
    draft.write_text(json.dumps({"done": done, "version": version}))
    draft.replace(progress)
