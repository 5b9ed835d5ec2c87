"""What of a form is on record already: whoever told us once is not asked again (S0-108)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from common.company import Company, Form
from common.errors import NotFound
from identity.customers.domain import KNOWN_BY, CarriedIdentifier, Dossier, survivors
from identity.knowledge.domain import Fact, current_facts
from identity.sightings.domain import ProfileValue


class UnknownForm(NotFound):
    code = "unknown-form"
    title = "There is no such form"


@dataclass(frozen=True)
class Filled:
    """One field: known, to be confirmed because it went stale, or to be asked."""

    key: str
    state: Literal["known", "confirm", "ask"]
    value: Any = None
    as_of: datetime | None = None
    source: str | None = None


def form_of(form_id: str, company: Company) -> Form:
    """Raises UnknownForm."""
    form = company.form(form_id)
    if form is None:
        raise UnknownForm(f"The forms are {', '.join(each.id for each in company.forms)}", pointer="/form")
    return form


def prefilled(form: Form, dossier: Dossier, company: Company, *, now: datetime, himself: bool) -> list[Filled]:
    """The form's fields, in its order. `himself`: he fills it in, and sees what is proved to be his and public."""
    seen = dossier.of_proven_traces() if himself else dossier
    values, facts = survivors(seen.values, company.survivorship), current_facts(seen.facts)
    identifiers = _best_of_each(seen)
    filled = []
    for key in form.fields:
        definition = company.fact(key)
        hidden = himself and definition is not None and not definition.public
        told = [] if hidden else list(_answers(key, values, identifiers, facts, now))
        filled.append(max(told, key=lambda each: (each.state == "known", each.as_of), default=Filled(key, "ask")))
    return filled


def _answers(
    key: str,
    values: Mapping[str, ProfileValue],
    identifiers: Mapping[str, CarriedIdentifier],
    facts: Mapping[str, Fact],
    now: datetime,
) -> Iterator[Filled]:
    by = KNOWN_BY.get(key, key)
    if (value := values.get(by)) is not None:
        yield Filled(key, "known", value.value, value.last_seen, value.source)
    if (carried := identifiers.get(by)) is not None:
        yield Filled(key, "known", carried.value, carried.last_seen, carried.source)
    if (fact := facts.get(key)) is not None:
        yield Filled(key, "confirm" if fact.stale(now) else "known", fact.value, fact.observed_at, fact.source)


def _best_of_each(dossier: Dossier) -> dict[str, CarriedIdentifier]:
    """By scheme the one that is most surely his alone, the latest of several."""
    return {
        each.scheme: each for each in sorted(dossier.identifiers, key=lambda i: (not i.shared, i.attested, i.last_seen))
    }
