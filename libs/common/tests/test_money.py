"""Money is exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.money import MOST_MINOR, InvalidMoney, MoneyBody, from_minor, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("129900.00", "COP", 12990000),
        ("129900", "COP", 12990000),
        ("-0.05", "COP", -5),
        ("12.500", "USD", 1250),
        ("1990", "CLP", 1990),
        ("1990.00", "CLP", 1990),
        ("5", "JPY", 5),
        ("1.234", "KWD", 1234),
        ("1000000000000.00", "COP", MOST_MINOR),
        (Decimal("2.55"), "GBP", 255),
        (Decimal("1E+2"), "GBP", 10000),
        (7, "GBP", 700),
    ],
)
def test_an_amount_becomes_minor_units(amount, currency, minor):
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("1.005", "COP"),
        ("0.5", "JPY"),
        ("1e5", "COP"),
        ("1,5", "COP"),
        ("$5", "COP"),
        ("", "COP"),
        ("NaN", "COP"),
        ("٣", "COP"),
        ("1", "cop"),
        ("1", "PESOS"),
        ("1000000000000.01", "COP"),
        (Decimal("NaN"), "COP"),
        (Decimal("Infinity"), "COP"),
        (2.5, "COP"),
        (True, "COP"),
    ],
)
def test_what_is_not_exact_is_refused(amount, currency):
    with pytest.raises(InvalidMoney):
        to_minor(amount, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (12990000, "COP", "129900.00"),
        (-5, "COP", "-0.05"),
        (0, "USD", "0.00"),
        (1990, "CLP", "1990"),
        (1, "KWD", "0.001"),
    ],
)
def test_minor_units_are_written_with_all_decimals(minor, currency, amount):
    assert from_minor(minor, currency) == amount


@given(st.integers(-MOST_MINOR, MOST_MINOR), st.sampled_from(["COP", "JPY", "KWD", "CLF"]))
def test_writing_and_reading_gives_the_same_amount(minor, currency):
    assert to_minor(from_minor(minor, currency), currency) == minor
    assert MoneyBody.of(minor, currency).minor == minor


def test_a_sum_is_shown_that_is_more_than_one_amount_may_be():
    assert MoneyBody.of(MOST_MINOR * 90_000, "COP").amount == "90000000000000000.00"


@pytest.mark.parametrize(
    "body",
    [
        {"amount": "1.005", "currency": "COP"},
        {"amount": "1", "currency": "cop"},
        {"amount": 1.5, "currency": "COP"},
        {"amount": "1"},
    ],
)
def test_a_body_that_is_not_money_is_not_valid(body):
    with pytest.raises(ValidationError):
        MoneyBody.model_validate(body)
