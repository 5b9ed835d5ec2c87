"""What differs from company to company, read from one file that every service shares."""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from common.money import exponent, to_minor
from common.names import fold

DEFAULT_FILE = Path(__file__).with_name("company.toml")


class UnusableCompanyFile(Exception):  # noqa: N818 - the deployment cannot start, nobody was refused
    """The company's file cannot be read, or says something that makes no sense. The words name the place."""


class ChannelGroup(StrEnum):
    SALES_FORCE = "SALES_FORCE"
    DISTRIBUTION = "DISTRIBUTION"
    INTERNET = "INTERNET"
    CONTACT_CENTER = "CONTACT_CENTER"
    MASS = "MASS"  # exposure, not dialogue


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


DecimalText = Annotated[Decimal, Field(ge=0, max_digits=18)]


class Channel(_Part):
    group: ChannelGroup | None = None
    unit_cost: DecimalText = Field(default=Decimal(0), description="Of one contact, in the company's currency")
    automated: bool = Field(default=False, description="Nobody of ours is present: no drip question by a person")
    paid_outbound: bool = Field(default=False, description="A contact that we start is paid to a carrier")
    max_response_minutes: PositiveInt | None = None


UNKNOWN_CHANNEL = Channel()


class NewWithin(_Part):
    """How many new identifiers of one scheme a customer may gather within some days before a person should look."""

    at_most: PositiveInt
    days: PositiveInt


class IdentifierRules(_Part):
    unique_once_attested: frozenset[str] = frozenset()
    shared_account_issuers: frozenset[str] = Field(default=frozenset(), description="Accounts of organisations")
    blocked: frozenset[str] = frozenset()
    blocked_patterns: tuple[str, ...] = ()
    limits: Mapping[str, PositiveInt] = {}
    windows: Mapping[str, NewWithin] = {}

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(text.casefold() for text in self.blocked)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in self.blocked_patterns)

    def blocks(self, text: str) -> bool:
        """Whether the normalised text `scheme:value` is nobody's identifier."""
        return self._judged(text)

    @cached_property
    def _judged(self) -> Callable[[str], bool]:
        # The same identifiers come again and again, and each would go through a dozen expressions.
        return lru_cache(maxsize=16_384)(self._judge)

    def _judge(self, text: str) -> bool:
        return text.casefold() in self._exact or any(pattern.fullmatch(text) for pattern in self._patterns)

    def __reduce__(self) -> tuple[Callable[[object], Self], tuple[dict[str, object]]]:
        # Another process takes the rules; what was judged by them stays here, and may be written meanwhile.
        return type(self).model_validate, (self.model_dump(),)

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            _ = self._patterns
        except re.error as error:
            raise ValueError(f"blocked_patterns: {error}") from None
        return self


SurvivorshipRule = Literal["most-recent", "most-trusted", "most-complete", "longest"]


class Survivorship(_Part):
    """Which of several values of an attribute stands. What staff verified stands before all others, the latest of it."""

    default: SurvivorshipRule = "most-recent"
    rules: Mapping[str, SurvivorshipRule] = Field(default={}, description="By attribute")
    trusted: tuple[str, ...] = Field(
        default=(), description="Sources, the most trusted first; others after them, alike"
    )

    def rule_of(self, key: str) -> SurvivorshipRule:
        return self.rules.get(key, self.default)

    def distrust(self, source: str) -> int:
        """The source's place among the trusted ones; one that is not named comes after all of them."""
        return self.trusted.index(source) if source in self.trusted else len(self.trusted)


class DripQuestion(_Part):
    """One question of the drip dialogue (diálogo por goteo) and the fact that its answer becomes."""

    id: str
    key: str
    text: str
    priority: int = 0
    channels: frozenset[str] = Field(default=frozenset(), description="None named: any channel")
    validity_days: PositiveInt | None = None

    def suits(self, channel: str | None) -> bool:
        return channel is None or not self.channels or channel in self.channels


# What a golden record says of a party.
PROFILE_KEYS = (
    "full_name", "given_names", "surnames", "preferred_name", "form_of_address", "birth_date", "address", "city", "region",
    "postcode", "country", "organisation",
)  # fmt: skip
# The schemes of which a form may ask one.
ASKED_SCHEMES = ("document", "phone", "email")
# What of him a fact tells: who he is and how he buys (S2-40), and what is in his mind (S4-17, S0-122).
FactCategory = Literal[
    "demographic", "psychographic", "behaviour", "need", "expectation", "perception", "idea", "desire", "fear", "capability",
    "challenge", "aspiration", "doubt", "pretension", "taste", "frustration", "value", "brake", "accelerator", "preference",
    "life-event", "org-process", "usage", "perceived-benefit", "competition",
]  # fmt: skip


class FactDefinition(_Part):
    """What a fact means, how long it holds, and who may read it."""

    key: str
    label: str
    category: FactCategory | None = None
    validity_days: PositiveInt | None = None
    sensitivity: Literal["public", "internal", "restricted"] = "public"
    public: bool = Field(default=False, description="The customer himself and partners may read it")


class Form(_Part):
    """A form (formulario) that somebody fills in: what is on record already need not be asked again (S0-108)."""

    id: str
    label: str
    fields: tuple[str, ...] = Field(min_length=1, description="Keys of facts, of the profile, or a scheme")


class Company(_Part):
    """The company's file, checked. Dates, months and years are those of its time zone."""

    name: str
    time_zone: str
    language: str = "es"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    fiscal_year_start: Annotated[
        str, Field(pattern=r"^(0[1-9]|1[0-2])-([01][0-9]|2[0-8])$", description="Month-day")
    ] = "01-01"
    holidays: frozenset[date] = frozenset()
    conversation_window_hours: PositiveInt = 72
    recovery_days: PositiveInt = 30
    first_contact_days: PositiveInt = 7
    rates: Mapping[str, Decimal] = {}
    channels: Mapping[str, Channel] = {}
    topics: Mapping[str, tuple[str, ...]] = {}
    roles: Mapping[str, tuple[str, ...]] = {}
    identifiers: IdentifierRules = IdentifierRules()
    survivorship: Survivorship = Survivorship()
    facts: tuple[FactDefinition, ...] = ()
    questions: tuple[DripQuestion, ...] = ()
    forms: tuple[Form, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The shipped default, with the file at `path` laid over it. Raises UnusableCompanyFile."""
        try:
            settings = tomllib.loads(DEFAULT_FILE.read_text(encoding="utf-8"))
            if path is not None:
                settings = _laid_over(settings, tomllib.loads(path.read_text(encoding="utf-8")))
            return cls.model_validate(settings)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UnusableCompanyFile(f"{path or DEFAULT_FILE}: {error}") from error
        except ValidationError as error:
            raise UnusableCompanyFile(f"{path or DEFAULT_FILE}: {_places(error)}") from error

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("time_zone is no IANA zone") from None
        unknown = {question.key for question in self.questions} - {fact.key for fact in self.facts}
        if unknown:
            raise ValueError(f"questions ask for facts that are not defined: {', '.join(sorted(unknown))}")
        self._check_forms()
        _words_for("topics", self.topics)
        _words_for("roles", self.roles)
        return self

    def _check_forms(self) -> None:
        shown = {fact.key for fact in self.facts if fact.sensitivity != "restricted"}
        unknown = {key for form in self.forms for key in form.fields} - shown - {*PROFILE_KEYS, *ASKED_SCHEMES}
        if unknown:
            raise ValueError(f"forms ask for what is not defined, or restricted: {', '.join(sorted(unknown))}")
        if len({form.id for form in self.forms}) < len(self.forms):
            raise ValueError("two forms have one id")

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def channel(self, code: str | None) -> Channel:
        """The channel as configured; one that is not known costs nothing and belongs to no group."""
        return self.channels.get(code or "", UNKNOWN_CHANNEL)

    def contact_cost(self, code: str | None) -> int:
        """Minor units of the company's currency for one contact on the channel."""
        return self._contact_costs.get(code or "", 0)

    @cached_property
    def _contact_costs(self) -> dict[str, int]:
        places = Decimal(1).scaleb(-exponent(self.currency))
        return {
            code: to_minor(channel.unit_cost.quantize(places, rounding=ROUND_HALF_EVEN), self.currency)
            for code, channel in self.channels.items()
        }

    def topic_of(self, word: str | None) -> str | None:
        """The topic that the word names, by code or synonym, whatever its case and accents; None for an unknown one."""
        return self._topic_words.get(fold(word)) if word else None

    @cached_property
    def _topic_words(self) -> dict[str, str]:
        return _words_for("topics", self.topics)

    def role_of(self, word: str | None) -> str | None:
        """The role towards a customer that the word names, read like a topic; None for an unknown one."""
        return self._role_words.get(fold(word)) if word else None

    @cached_property
    def _role_words(self) -> dict[str, str]:
        return _words_for("roles", self.roles)

    def fact(self, key: str) -> FactDefinition | None:
        return self._facts.get(key)

    def facts_about(self, category: FactCategory) -> list[str]:
        """The keys of the facts that tell this of a customer."""
        return [fact.key for fact in self.facts if fact.category == category]

    @cached_property
    def _facts(self) -> dict[str, FactDefinition]:
        return {fact.key: fact for fact in self.facts}

    def question(self, question_id: str) -> DripQuestion | None:
        return next((question for question in self.questions if question.id == question_id), None)

    def form(self, form_id: str) -> Form | None:
        return next((form for form in self.forms if form.id == form_id), None)

    @property
    def conversation_window(self) -> timedelta:
        """How far apart two contacts may lie and still be one talk."""
        return timedelta(hours=self.conversation_window_hours)

    @property
    def first_contact_span(self) -> timedelta:
        """How long nobody must come back on an answer for it to have held."""
        return timedelta(days=self.first_contact_days)

    def valid_for(self, key: str, question_id: str | None = None) -> timedelta | None:
        """How long a fact of the key holds: by its definition, else by the question that it answers; None: for ever."""
        told = (self.fact(key), self.question(question_id) if question_id is not None else None)
        days = next((each.validity_days for each in told if each is not None and each.validity_days), None)
        return timedelta(days=days) if days else None

    def questions_for(self, channel: str | None) -> list[DripQuestion]:
        """What may be asked on the channel, the most wanted first."""
        suitable = [question for question in self.questions if question.suits(channel)]
        return sorted(suitable, key=lambda question: (-question.priority, question.id))

    def in_base_currency(self, minor: int, currency: str) -> int | None:
        """Minor units of the company's currency, for comparing; None where no rate is configured."""
        if currency == self.currency:
            return minor
        if (rate := self.rates.get(currency)) is None:
            return None
        shift = exponent(self.currency) - exponent(currency)
        return int((Decimal(minor) * rate).scaleb(shift).to_integral_value(rounding=ROUND_HALF_EVEN))

    def local_date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def month_of(self, at: datetime) -> str:
        """The local month, as 2026-11."""
        return f"{self.local_date(at):%Y-%m}"

    def start_of_day(self, day: date) -> datetime:
        """The moment, in UTC, at which the local day begins."""
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)

    def fiscal_year(self, at: datetime) -> tuple[date, date]:
        """First local day of the fiscal year around `at`, and the first day after it."""
        today = self.local_date(at)
        month, day = map(int, self.fiscal_year_start.split("-"))
        year = today.year if (today.month, today.day) >= (month, day) else today.year - 1
        return date(year, month, day), date(year + 1, month, day)

    def last_closed_fiscal_year(self, at: datetime) -> tuple[date, date]:
        """The fiscal year before the one around `at` (último ejercicio), bounds as in `fiscal_year`."""
        start, _ = self.fiscal_year(at)
        return start.replace(year=start.year - 1), start

    def is_working_day(self, day: date) -> bool:
        return day.isoweekday() <= 5 and day not in self.holidays

    def working_days_after(self, at: datetime, days: int) -> date:
        """The local date of the `days`-th working day (hábil) after the day of `at`, which does not count itself."""
        day = self.local_date(at)
        while days > 0:
            day += timedelta(days=1)
            days -= self.is_working_day(day)
        return day


def _words_for(table: str, codes: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Folded word -> code. A code beats a synonym; one synonym cannot mean two of them."""
    words = {fold(code): code for code in codes}
    for code, synonyms in codes.items():
        for synonym in synonyms:
            if words.setdefault(fold(synonym), code) != code and fold(synonym) not in codes:
                raise ValueError(f"{table}: one word means both {words[fold(synonym)]} and {code}: {synonym}")
    return words


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; every other value replaces what was there."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _places(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_input=False))
