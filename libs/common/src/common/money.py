"""Money: a decimal string and an ISO currency outside, whole minor units inside, and no rounding in between."""

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.errors import Invalid

# Ninety thousand times as much fits a BIGINT: sums of days, customers and companies are kept in such columns too, in the company's
# currency, of which a dollar may be thousands.
MOST_MINOR = 10**14

# ISO 4217 currencies that do not have two decimals. COP keeps two: prices carry centavos, whatever the coins do.
_OTHER_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: places for places, codes in _OTHER_EXPONENTS.items() for code in codes.split()}
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,10})?")


class InvalidMoney(Invalid):
    code: ClassVar[str] = "invalid-money"
    title: ClassVar[str] = "Not an amount of this currency"


def exponent(currency: str) -> int:
    """How many decimals the currency has; 2 where ISO 4217 names no other."""
    if not _CURRENCY.fullmatch(currency):
        raise InvalidMoney("A currency is three capital letters (ISO 4217)")
    return _EXPONENTS.get(currency, 2)


def to_minor(amount: str | int | Decimal, currency: str) -> int:
    """Whole minor units: ("129900.00", "COP") is 12990000. Refuses what would need rounding, and what is too much to be summed."""
    minor = _exact(amount, currency)
    if abs(minor) > MOST_MINOR:
        raise InvalidMoney(f"The most of one amount is {from_minor(MOST_MINOR, currency)} {currency}")
    return minor


def _exact(amount: str | int | Decimal, currency: str) -> int:
    text = format(amount, "f") if isinstance(amount, Decimal) else str(amount)
    if isinstance(amount, float) or not _AMOUNT.fullmatch(text):
        raise InvalidMoney("An amount is a plain decimal, such as 129900.00")
    whole, _, decimals = text.partition(".")
    places = exponent(currency)
    if decimals[places:].strip("0"):
        raise InvalidMoney(f"{currency} has {places} decimals and amounts are never rounded")
    return int(whole + decimals[:places].ljust(places, "0"))


def from_minor(minor: int, currency: str) -> str:
    """The decimal string with all the currency's decimals: (12990000, "COP") is "129900.00"."""
    places = exponent(currency)
    digits = str(abs(minor)).rjust(places + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


class MoneyBody(BaseModel):
    """An amount as callers write and read it (valor)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"amount": "129900.00", "currency": "COP"}]}
    )

    amount: Annotated[
        str,
        Field(
            pattern=r"^-?[0-9]{1,19}(\.[0-9]{1,10})?$", description="A plain decimal; negative where money went back"
        ),
    ]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]

    @model_validator(mode="after")
    def _is_exact(self) -> Self:
        try:
            _exact(self.amount, self.currency)  # sums may be more than one amount is
        except InvalidMoney as refusal:
            raise ValueError(refusal.detail) from None
        return self

    @property
    def minor(self) -> int:
        return _exact(self.amount, self.currency)

    @classmethod
    def of(cls, minor: int, currency: str) -> Self:
        return cls(amount=from_minor(minor, currency), currency=currency)
