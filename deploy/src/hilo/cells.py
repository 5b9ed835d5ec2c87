"""The cells of a file column by column, many rows at a time: each value once, and which rows tell it."""

import codecs
import csv
import io
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hilo.load import is_ndjson, readable, rows_of
from hilo.mapping import FileMap, column_of

Places = npt.NDArray[np.int32]
Positions = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.signedinteger[Any]]  # positions, as small as they may be: there are millions of them
Words = npt.NDArray[np.uint64]

BYTES_AT_ONCE = 64 * 1024 * 1024
ROWS_AT_ONCE = 50_000
LOOKED_AT = 4 * 1024 * 1024  # bytes in which separators are looked for at a time: few enough for the cache
LONGEST = 64  # bytes of a cell that is compared in pieces of eight
BYTEWISE = frozenset(
    {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
)  # what an ASCII byte says it says everywhere
NEWLINE, RETURN, QUOTE = b'\n\r"'
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(31))
_FIRST_BYTES = np.array([(1 << 8 * some) - 1 for some in range(9)], dtype=np.uint64)


class Block(ABC):
    """Some rows of a file. The column `row` is the number of the row; a column that the file does not have is empty."""

    def __init__(self, first: int, rows: int, at: Mapping[str, int]) -> None:
        self.first, self.count, self._at = first, rows, at

    def texts(self, name: str) -> list[str]:
        """The cells of a column, row by row."""
        if name == "row":
            return list(map(str, range(self.first, self.first + self.count)))
        return self._texts(self._at[name]) if name in self._at else [""] * self.count

    def values(self, names: Sequence[str]) -> tuple[list[list[str]], Places]:
        """What some columns tell together, each once, column by column; and for each row which of it is its own.

        It stands in the order in which it is met.
        """
        if not names:
            return [], np.zeros(self.count, dtype=np.int32)
        told, places = self._values(names[0])
        columns = [told]
        for name in names[1:]:
            told, more = self._values(name)
            first, both = _each_once([places.astype(np.uint64) * np.uint64(len(told)) + more.astype(np.uint64)])
            columns = [[column[place] for place in places[first].tolist()] for column in columns]
            columns.append([told[place] for place in more[first].tolist()])
            places = both
        return columns, places

    def _values(self, name: str) -> tuple[list[str], Places]:
        if name != "row" and name not in self._at:
            return [""], np.zeros(self.count, dtype=np.int32)
        return self._distinct(self._at[name]) if name != "row" else _numbered(self.texts(name))

    @abstractmethod
    def _texts(self, column: int) -> list[str]:
        """The cells of a column, row by row."""

    @abstractmethod
    def _distinct(self, column: int) -> tuple[list[str], Places]:
        """The cells of a column each once, and for each row which is its own."""


class Rows(Block):
    """Rows as they were read one by one."""

    def __init__(self, rows: Sequence[Sequence[str]], first: int, at: Mapping[str, int]) -> None:
        super().__init__(first, len(rows), at)
        self._rows = rows

    def _texts(self, column: int) -> list[str]:
        return list(map(itemgetter(column), self._rows))

    def _distinct(self, column: int) -> tuple[list[str], Places]:
        return _numbered(self._texts(column))


class Table(Block):
    """Rows in their bytes, where it is plain which of them are a cell: only distinct cells ever become texts."""

    def __init__(
        self, data: bytes, encoding: str, ends: Numbers, first: int, at: Mapping[str, int], width: int
    ) -> None:
        super().__init__(first, len(ends) // width, at)
        self._data, self._encoding, self._width = data, encoding, width
        self._bounds = np.append(ends.dtype.type(-1), ends)
        text = data.decode(encoding)
        self._text = text if len(text) == len(data) else None  # a character for each byte
        self._doubled = b'""' in data
        self._bytes = np.frombuffer(data, dtype=np.uint8)

    @classmethod
    def of(
        cls, data: bytes, encoding: str, delimiter: str, first: int, at: Mapping[str, int], width: int
    ) -> "Table | None":
        """The rows of whole lines; None where only going through them character by character tells what their cells are."""
        data = data if data.endswith(b"\n") else data + b"\n"
        ends = None if b"\0" in data else _separators(data, ord(delimiter))
        if ends is None or len(ends) % width:
            return None
        breaks = (np.frombuffer(data, dtype=np.uint8)[ends] == NEWLINE).reshape(-1, width)
        if not breaks[:, -1].all() or breaks[:, :-1].any():
            return None
        if width == 1 and (b"\n\n" in data or b"\n\r\n" in data or data[0] in b"\r\n"):  # a line of nothing is no row
            return None
        return cls(data, encoding, ends, first, at, width)

    def _spans(self, column: int) -> tuple[Positions, Positions]:
        """Where the cells of a column begin and end, without their quotes."""
        ends = self._bounds[column + 1 :: self._width].astype(np.int64)
        starts = self._bounds[column :: self._width][: self.count].astype(np.int64) + 1
        if column == self._width - 1:
            ends -= (self._bytes[ends - 1] == RETURN) & (ends > starts)
        quoted = (self._bytes[starts] == QUOTE) & (ends > starts)
        return starts + quoted, ends - quoted

    def _cells(self, starts: Positions, ends: Positions) -> list[str]:
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        if (text := self._text) is not None:
            cells = [text[start:end] for start, end in spans]
        else:
            cells = [str(self._data[start:end], self._encoding) for start, end in spans]
        return [cell.replace('""', '"') for cell in cells] if self._doubled else cells

    def _texts(self, column: int) -> list[str]:
        return self._cells(*self._spans(column))

    def _distinct(self, column: int) -> tuple[list[str], Places]:
        starts, ends = self._spans(column)
        if (ends - starts).max() > LONGEST:
            return _numbered(self._cells(starts, ends))
        first, places = _each_once(self._words(starts, ends - starts))
        return self._cells(starts[first], ends[first]), places

    def _words(self, starts: Positions, lengths: Positions) -> list[Words]:
        """The bytes of cells as numbers, eight bytes each."""
        words = [self._eight(starts, lengths)]
        for at in range(8, int(lengths.max()), 8):
            longer = np.flatnonzero(lengths > at)
            word = np.zeros(len(starts), dtype=np.uint64)
            word[longer] = self._eight(starts[longer] + at, lengths[longer] - at)
            words.append(word)
        return words

    def _eight(self, starts: Positions, lengths: Positions) -> Words:
        """The eight bytes from each place on, of them no more than the length."""
        data = self._data.ljust(8, b"\0")
        last = len(data) - 8
        eight: Words = np.ndarray((last + 1,), dtype="<u8", buffer=data, strides=(1,))
        beyond = np.maximum(starts - last, 0)
        return eight[starts - beyond] >> (8 * beyond).astype(np.uint64) & _FIRST_BYTES[np.minimum(lengths, 8)]


def blocks_of(path: Path, file_map: FileMap, names: Sequence[str]) -> Iterator[Block]:
    """All rows of a file, of which these columns are asked for. Raises LoadStopped."""
    if is_ndjson(path):
        documents = ([column_of(row, name) for name in names] for row in rows_of(path, file_map))
        yield from _in_blocks(documents, 1, _at(names), len(names))
    elif (encoding := _bytewise(file_map)) is None:
        with readable(path, file_map) as file:
            rows: Iterator[list[str]] = filter(None, csv.reader(file, delimiter=file_map.delimiter))
            header = next(rows, [])
            yield from _in_blocks(rows, 1, _at(header), len(header))
    else:
        with readable(path, file_map, as_text=False) as file:
            yield from _blocks_of_lines(_Lines(file, encoding, file_map.delimiter))


def _bytewise(file_map: FileMap) -> str | None:
    """The encoding of a file in which a separator is one byte that nothing else is part of."""
    encoding = codecs.lookup(file_map.encoding).name
    plain = encoding in BYTEWISE and file_map.delimiter.isascii() and file_map.delimiter not in '"\r\n\0'
    return encoding if plain else None


def _at(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _in_blocks(rows: Iterator[list[str]], first: int, at: Mapping[str, int], width: int) -> Iterator[Rows]:
    """Rows by the thousands; what one lacks is empty, what it has too much belongs to no column."""
    while some := list(islice(rows, ROWS_AT_ONCE)):
        if set(map(len, some)) != {width}:
            some = [(row + [""] * width)[:width] for row in some]
        yield Rows(some, first, at)
        first += len(some)


# --- files in bytes -----------------------------------------------------------------------------------------------------


class _Lines:
    """A file of which whole lines are taken, and more where a row goes on."""

    def __init__(self, file: IO[bytes], encoding: str, delimiter: str) -> None:
        self._file, self.delimiter = file, delimiter
        self.encoding = encoding.removesuffix("-sig")
        self._rest = file.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8) if encoding != self.encoding else b""

    def line(self) -> bytes:
        """The next line; nothing at the end."""
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline if newline else line + self._file.readline()

    def block(self) -> bytes:
        """The next lines, as many as fit; the last one ends a row where quotes stand in pairs. Nothing at the end."""
        while more := self._file.read(BYTES_AT_ONCE):
            data = self._rest + more
            if end := _end_of_rows(data):
                self._rest = data[end:]
                return data[:end]
            self._rest = data
        data, self._rest = self._rest, b""
        return data

    def rows(self, data: bytes) -> Iterator[list[str]]:
        """The rows of these lines one by one, and of further lines as many as the last of them goes on for."""
        left = True

        def told() -> Iterator[str]:
            nonlocal left
            for line, following in pairwise(chain(io.TextIOWrapper(io.BytesIO(data), self.encoding, newline=""), [""])):
                left = bool(following)
                yield line
            while line := self.line().decode(self.encoding):
                yield line

        for row in csv.reader(told(), delimiter=self.delimiter):
            if row:
                yield row
            if not left:
                return


def _end_of_rows(data: bytes) -> int:
    """Behind the last newline that no quote is open at; or, where that is none, behind the last."""
    last = end = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, end)
    while end and quotes % 2:
        before = data.rfind(b"\n", 0, end - 1) + 1
        end, quotes = before, quotes - data.count(b'"', before, end)
    return end or last


def _blocks_of_lines(lines: _Lines) -> Iterator[Block]:
    begun: list[list[str]] = next(filter(None, (list(lines.rows(line)) for line in iter(lines.line, b""))), [[]])
    at, width, first = _at(begun[0]), len(begun[0]), 1
    blocks: Iterable[Block] = _in_blocks(iter(begun[1:]), first, at, width)  # more than one where lines end otherwise
    while True:
        for block in blocks:
            yield block
            first += block.count
        if not (data := lines.block()):
            return
        table = Table.of(data, lines.encoding, lines.delimiter, first, at, width)
        blocks = [table] if table is not None else _in_blocks(lines.rows(data), first, at, width)


def _separators(data: bytes, delimiter: int) -> Numbers | None:
    """Where the cells of whole lines end; None where a quote or a return stands in an unusual place."""
    seen = np.frombuffer(data, dtype=np.uint8)
    ends = _places_of((delimiter, NEWLINE), seen)
    quotes = _places_of((QUOTE,), seen) if b'"' in data else ends[:0]
    if len(quotes):
        before, after = seen[np.maximum(quotes[::2] - 1, 0)], seen[quotes[1::2] + 1]
        if len(quotes) % 2 or not np.isin(before, (delimiter, NEWLINE, QUOTE)).all():
            return None
        if not np.isin(after, (delimiter, NEWLINE, RETURN, QUOTE)).all():
            return None
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if b"\r" in data:
        returns = _places_of((RETURN,), seen)
        returns = returns[np.searchsorted(quotes, returns) % 2 == 0]
        if (seen[returns + 1] != NEWLINE).any():
            return None
    return ends


def _places_of(wanted: Sequence[int], seen: npt.NDArray[np.uint8]) -> Numbers:
    small = np.int32 if len(seen) < 1 << 31 else np.int64
    found = [np.zeros(0, dtype=small)]
    for start in range(0, len(seen), LOOKED_AT):
        some = seen[start : start + LOOKED_AT]
        here = np.flatnonzero(np.logical_or.reduce([some == each for each in wanted]))
        found.append((here + start).astype(small))
    return np.concatenate(found)


# --- each value once ----------------------------------------------------------------------------------------------------


def _numbered(texts: Iterable[str]) -> tuple[list[str], Places]:
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    places = np.fromiter(map(numbers.__getitem__, texts), dtype=np.int32)
    return list(numbers), places


def _each_once(words: Sequence[Words]) -> tuple[Positions, Places]:
    """Which rows are the first of their like, in order, and for each row the place of its like among these.

    `words` are the numbers that a row is made of, each of them for all rows.
    """
    mixed = words[0]
    for word in words[1:]:  # after the finaliser of splitmix64
        mixed = ((mixed * _MIX[0]) ^ word) * _MIX[1]
        mixed ^= mixed >> _MIX[2]
    first, places = _alike(np.argsort(mixed), [mixed])
    if all(np.array_equal(word[first][places], word) for word in words):
        return first, places
    return _alike(np.lexsort(words), words)  # two that differ were mixed to the same


def _alike(order: Positions, words: Sequence[Words]) -> tuple[Positions, Places]:
    """The same of rows that are in such an order that those alike follow each other."""
    starts = np.flatnonzero(
        np.logical_or.reduce([np.diff(word[order], prepend=~word[order[:1]]) != 0 for word in words])
    )
    first = np.minimum.reduceat(order, starts)
    met = np.argsort(first)
    ranks, places = np.empty(len(first), dtype=np.int32), np.empty(len(order), dtype=np.int32)
    ranks[met] = np.arange(len(first), dtype=np.int32)
    places[order] = np.repeat(ranks, np.diff(np.append(starts, len(order))))
    return first[met], places
