"""What became of each touchpoint of a file, a line each: recorded, duplicate or refused, and which customer it belongs to."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from hilo.client import asked

HEADER = ("external_id", "verdict", "customers", "touchpoint_id", "parked_id", "code", "where")
Verdict = dict[str, str]


class Verdicts:
    """The file of verdicts. `kept` lines of an earlier load stay; those beyond were not confirmed, and are written again."""

    def __init__(self, path: Path, *, kept: int = 0) -> None:
        earlier = _first_lines(path, kept)
        self._path = path
        draft = path.with_name(f"{path.name}.new")
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HEADER)
            writer.writeheader()
            writer.writerows(earlier)
        draft.replace(path)

    def add(self, lines: Sequence[Verdict]) -> None:
        """Write the lines to the disk itself: what is counted as answered for has its verdict, whatever happens next."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, HEADER).writerows(lines)
            file.flush()
            os.fsync(file.fileno())


def _first_lines(path: Path, number: int) -> list[Verdict]:
    if not number or not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [line for line, _ in zip(csv.DictReader(file), range(number), strict=False)]


def verdicts_of(batch: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> list[Verdict]:
    """A line for each touchpoint of a batch, from what the API said to it. `customers`: whom its identifiers reach already."""
    return [_of(sent, told) for sent, told in zip(batch, answer["results"], strict=True)]


def _of(sent: Mapping[str, Any], told: Mapping[str, Any]) -> Verdict:
    problem = told.get("problem") or {}
    return {
        "external_id": str(sent.get("external_id") or ""),
        "verdict": told["status"],
        "customers": str(told.get("customer_id") or ""),
        "touchpoint_id": str(told.get("touchpoint_id") or ""),
        "parked_id": str(told.get("parked_id") or ""),
        "code": problem.get("code", ""),
        "where": " ".join(error["pointer"] for error in problem.get("errors", [])),
    }


class Lookup:
    """Which customers an identifier reaches already, asked once for each."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._known: dict[str, list[str]] = {}

    def customers_of(self, identifiers: Sequence[str]) -> list[str]:
        """The customers whom any of the identifiers reaches, each once; one that cannot be read reaches nobody."""
        return list(dict.fromkeys(found for one in identifiers for found in self._of(str(one))))

    def _of(self, identifier: str) -> list[str]:
        if identifier not in self._known:
            answer = self._client.post("/identity/v1/customers:search", json={"identifier": identifier})
            unreadable = answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
            found = [] if unreadable else asked(answer)["items"]
            self._known[identifier] = [one["customer_id"] for one in found]
        return self._known[identifier]
