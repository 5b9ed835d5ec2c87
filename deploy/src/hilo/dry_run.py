"""A load without sending: every row is rendered and checked against the API's own schema."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from hilo.verdicts import Lookup, Verdict, Verdicts
from interactions.touchpoints.schemas import TouchpointCreate

AT_ONCE = 500  # verdicts that are written to the disk together


def check(
    touchpoints: Iterable[dict[str, Any]],
    *,
    total: int,
    verdicts: Verdicts | None = None,
    lookup: Lookup | None = None,
) -> str:
    """How many rows would be taken as they are, and what is wrong with the others, by field.

    Into `verdicts` a line for each: new, duplicate (its id stands twice in the file), matches (customers whom `lookup`
    finds under its identifiers) or refused.
    """
    good, matching = 0, 0
    wrong: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    waiting: list[Verdict] = []
    for touchpoint in tqdm(touchpoints, total=total, unit=" touchpoints"):
        problems = _problems(touchpoint)
        wrong.update(words for _, words in problems)
        good += not problems
        if verdicts is not None:
            verdict = _verdict(touchpoint, problems, seen, lookup)
            matching += verdict["verdict"] == "matches"
            waiting.append(verdict)
            if len(waiting) == AT_ONCE:
                verdicts.add(waiting)
                waiting = []
    if verdicts is not None:
        verdicts.add(waiting)
    lines = [f"{good} of {total} would be taken; identifiers are checked when they are sent"]
    if lookup is not None:
        lines.append(f"{matching} match customers who are there already")
    return "\n".join([*lines, *(f"  {count:>7}  {words}" for words, count in wrong.most_common(20))])


def _problems(touchpoint: dict[str, Any]) -> list[tuple[str, str]]:
    """Pointer and words of each thing that is wrong with it."""
    try:
        TouchpointCreate.model_validate(touchpoint)
    except ValidationError as error:
        places = [(f"/{'/'.join(map(str, one['loc']))}", one["msg"]) for one in error.errors(include_input=False)]
        return [(pointer, f"{pointer}: {words}") for pointer, words in places]
    return []


def _verdict(
    touchpoint: dict[str, Any],
    problems: list[tuple[str, str]],
    seen: set[tuple[str, str]],
    lookup: Lookup | None,
) -> Verdict:
    key = str(touchpoint.get("source") or ""), str(touchpoint.get("external_id") or "")
    known, twice = (
        lookup.customers_of(touchpoint.get("identifiers") or []) if lookup and not problems else [],
        key in seen,
    )
    seen.add(key)
    word = "refused" if problems else "duplicate" if twice else "matches" if known else "new"
    return {
        "external_id": key[1], "verdict": word, "customers": " ".join(known), "touchpoint_id": "", "parked_id": "",
        "code": "invalid" if problems else "", "where": " ".join(pointer for pointer, _ in problems),
    }  # fmt: skip
