"""A load without sending: every row is rendered, and read as the API would read it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm

from common.company import Company
from common.errors import FieldError
from common.identifiers import InvalidIdentifier, read_identifiers
from hilo.verdicts import Lookup, Verdict, Verdicts
from interactions.touchpoints.domain import Speaker, Unreadable
from interactions.touchpoints.schemas import read_document

AT_ONCE = 500  # verdicts that are written to the disk together
MOST_TOLD = 20  # kinds of faults
SPEAKER = Speaker("hilo load")  # names the source where the map names none: the credential's is not asked


def check(
    touchpoints: Iterable[dict[str, Any]],
    *,
    total: int,
    company: Company,
    verdicts: Verdicts | None = None,
    lookup: Lookup | None = None,
) -> str:
    """How many rows would be taken as they are, what is wrong with the others, and what would be kept unread, by field.

    Into `verdicts` a line for each: new, duplicate (its id stands twice in the file), matches (customers whom `lookup`
    finds under its identifiers) or refused.
    """
    good, matching = 0, 0
    wrong: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    waiting: list[Verdict] = []
    for touchpoint in tqdm(touchpoints, total=total, unit=" touchpoints"):
        problems, warnings = _problems(touchpoint, company)
        wrong.update(f"{one.pointer}: {one.detail}" for one in problems)
        if not problems:
            good += 1
            unread.update(f"{one.pointer}: {one.detail}" for one in warnings)
        if verdicts is not None:
            verdict = _verdict(touchpoint, problems, seen, lookup)
            matching += verdict["verdict"] == "matches"
            waiting.append(verdict)
            if len(waiting) == AT_ONCE:
                verdicts.add(waiting)
                waiting = []
    if verdicts is not None:
        verdicts.add(waiting)
    lines = [f"{good} of {total} would be taken"]
    if lookup is not None:
        lines.append(f"{matching} match customers who are there already")
    lines += [f"  {count:>7}  {words}" for words, count in wrong.most_common(MOST_TOLD)]
    if unread:
        lines.append("of those taken these would be kept as they stand, and prove nothing:")
        lines += [f"  {count:>7}  {words}" for words, count in unread.most_common(MOST_TOLD)]
    return "\n".join(lines)


def _problems(touchpoint: dict[str, Any], company: Company) -> tuple[Sequence[FieldError], Sequence[FieldError]]:
    """What is wrong with it, and which of its identifiers have no normal form."""
    draft = read_document(touchpoint, speaker=SPEAKER, company=company)
    if isinstance(draft, Unreadable):
        return draft.refusal.errors, ()
    try:
        reading = read_identifiers(draft.identifiers, default_region=company.phone_region, source=draft.source)
    except InvalidIdentifier as refusal:
        return refusal.errors, ()
    return (), reading.warnings


def _verdict(
    touchpoint: dict[str, Any],
    problems: Sequence[FieldError],
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
        "code": "invalid" if problems else "", "where": " ".join(one.pointer for one in problems),
    }  # fmt: skip
