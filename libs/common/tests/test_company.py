"""The company's file: the shipped default makes sense, and a company says only what differs."""

import pickle
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest

from common.company import ChannelGroup, Company, UnusableCompanyFile
from common.identifiers import RANK, blocked, parse_identifier

COMPANY = Company.load()


def company(tmp_path, text):
    path = tmp_path / "company.toml"
    path.write_text(text, encoding="utf-8")
    return Company.load(path)


def easter(year):
    """Gauss's rule as Lichtenberg gave it, for the Gregorian calendar."""
    k = year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    s = 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    oe = 7 - (og - (7 - (year + year // 4 + s) % 7)) % 7
    return date(year, 3, 1) + timedelta(days=og + oe - 1)


def on_monday(day):
    return next(day + timedelta(days=ahead) for ahead in count() if (day + timedelta(days=ahead)).weekday() == 0)


@pytest.mark.parametrize("year", [2026, 2027])
def test_the_holidays_are_those_of_colombian_law(year):
    fixed = {date(year, *day) for day in ((1, 1), (5, 1), (7, 20), (8, 7), (12, 8), (12, 25))}
    moved = {on_monday(date(year, *day)) for day in ((1, 6), (3, 19), (6, 29), (8, 15), (10, 12), (11, 1), (11, 11))}
    sunday = easter(year)
    holy = {sunday - timedelta(days=3), sunday - timedelta(days=2)} | {
        sunday + timedelta(days=days) for days in (43, 64, 71)
    }
    assert {day for day in COMPANY.holidays if day.year == year} == fixed | moved | holy


def test_rules_that_have_judged_already_can_be_sent_to_another_process():
    rules = COMPANY.identifiers
    assert rules.blocks("phone:+570000000000")
    received = pickle.loads(pickle.dumps(rules))
    assert received == rules
    assert received.blocks("phone:+570000000000")
    assert not received.blocks("phone:+573001112233")


@pytest.mark.parametrize(
    ("word", "topic"),
    [
        ("billing", "billing"),
        ("Facturación", "billing"),
        ("FACTURACION", "billing"),
        (" doble  cobro ", "billing"),
        ("garantía", "warranty"),
        ("pedidos", "order"),
        ("astrology", None),
        ("", None),
        (None, None),
    ],
)
def test_a_topic_is_known_by_its_synonyms(word, topic):
    assert COMPANY.topic_of(word) == topic


def test_a_role_towards_a_customer_is_known_by_its_synonyms_and_the_companys_own_stand_beside_them(tmp_path):
    theirs = company(tmp_path, '[roles]\ngodfather = ["padrino"]')
    words = ("account_owner", "Owner", "niñera", "padrino", "owmer")
    assert [theirs.role_of(word) for word in words] == ["account_owner", "account_owner", "nanny", "godfather", None]


def test_the_default_covers_the_channels_of_the_main_job():
    wanted = {
        "whatsapp",
        "call",
        "phone",
        "email",
        "chat",
        "web",
        "app",
        "shop",
        "visit",
        "distributor",
        "partner",
        "sms",
    }
    wanted |= {"letter", "mail", "fax", "referral", "social", "marketplace", "kiosk"}
    assert all(COMPANY.channel(code).group is not None for code in wanted)
    assert {channel.group for channel in COMPANY.channels.values()} == set(ChannelGroup)


def test_an_unknown_channel_costs_nothing():
    assert COMPANY.channel("telepathy").group is None
    assert COMPANY.contact_cost("telepathy") == COMPANY.contact_cost(None) == 0
    assert COMPANY.contact_cost("call") == 800_000


def test_questions_ask_for_known_facts_and_come_by_priority():
    asked = COMPANY.questions_for("call")
    assert asked[0].id == "q-email"
    assert [question.priority for question in asked] == sorted((question.priority for question in asked), reverse=True)
    assert "q-email" not in {question.id for question in COMPANY.questions_for("email")}
    assert all(COMPANY.fact(question.key) for question in COMPANY.questions)
    assert COMPANY.question("q-email") == asked[0]
    assert COMPANY.question("q-none") is None


def test_limits_and_uniqueness_speak_of_known_schemes():
    assert set(COMPANY.identifiers.limits) <= set(RANK)
    assert COMPANY.identifiers.unique_once_attested <= set(RANK)


def test_days_and_months_are_local():
    late_evening = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
    assert COMPANY.local_date(late_evening) == date(2026, 11, 30)
    assert COMPANY.month_of(late_evening) == "2026-11"
    assert COMPANY.start_of_day(date(2026, 11, 30)) == datetime(2026, 11, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "at", "first", "end"),
    [
        ("01-01", datetime(2026, 11, 22, 12, tzinfo=UTC), date(2026, 1, 1), date(2027, 1, 1)),
        ("01-01", datetime(2027, 1, 1, 4, 59, tzinfo=UTC), date(2026, 1, 1), date(2027, 1, 1)),
        ("07-01", datetime(2026, 6, 30, 12, tzinfo=UTC), date(2025, 7, 1), date(2026, 7, 1)),
        ("07-01", datetime(2026, 7, 1, 12, tzinfo=UTC), date(2026, 7, 1), date(2027, 7, 1)),
    ],
)
def test_a_fiscal_year_begins_where_the_company_says(tmp_path, start, at, first, end):
    theirs = company(tmp_path, f'fiscal_year_start = "{start}"')
    assert theirs.fiscal_year(at) == (first, end)
    assert theirs.last_closed_fiscal_year(at) == (first.replace(year=first.year - 1), first)


@pytest.mark.parametrize(
    ("at", "days", "expected"),
    [
        (datetime(2026, 11, 20, 15, tzinfo=UTC), 1, date(2026, 11, 23)),
        (datetime(2026, 11, 20, 15, tzinfo=UTC), 0, date(2026, 11, 20)),
        (datetime(2026, 11, 13, 15, tzinfo=UTC), 1, date(2026, 11, 17)),  # Monday is a holiday
        (datetime(2026, 12, 7, 15, tzinfo=UTC), 15, date(2026, 12, 30)),
    ],
)
def test_working_days_leave_out_weekends_and_holidays(at, days, expected):
    assert COMPANY.working_days_after(at, days) == expected


def test_foreign_amounts_are_compared_at_the_configured_rate():
    assert COMPANY.in_base_currency(100, "COP") == 100
    assert COMPANY.in_base_currency(250, "USD") == 1_000_000
    assert COMPANY.in_base_currency(10, "CLP") == 4_200  # without decimals over there, with two here
    assert COMPANY.in_base_currency(1, "XYZ") is None


def test_a_company_says_only_what_differs(tmp_path):
    theirs = company(
        tmp_path,
        """
        name = "Acme"
        phone_region = "MX"
        holidays = []
        [channels]
        drone = { group = "DISTRIBUTION", unit_cost = "12.5" }
        [topics]
        billing = ["cfdi"]
        [identifiers]
        blocked = ["email:Nobody@acme.test"]
        [identifiers.limits]
        phone = 9
        """,
    )
    assert (theirs.name, theirs.currency, theirs.holidays) == ("Acme", "COP", frozenset())
    assert theirs.contact_cost("drone") == 1250
    assert theirs.contact_cost("call") == COMPANY.contact_cost("call")
    assert (theirs.topic_of("CFDI"), theirs.topic_of("factura"), theirs.topic_of("pago")) == (
        "billing",
        None,
        "payments",
    )
    assert (theirs.identifiers.limits["phone"], theirs.identifiers.limits["device"]) == (9, 5)
    assert blocked(parse_identifier("email:nobody@acme.test", default_region="MX"), theirs)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name = ", "company.toml"),
        ('colour = "red"', "colour"),
        ('time_zone = "Mars/Olympus"', "time_zone"),
        ('currency = "pesos"', "currency"),
        ('fiscal_year_start = "02-30"', "fiscal_year_start"),
        ('[channels]\ncall = { group = "AIR" }', "channels.call.group"),
        ('[topics]\nbilling = ["pago"]', "one word means both"),
        ('[identifiers]\nblocked_patterns = ["("]', "blocked_patterns"),
        ('[[questions]]\nid = "q"\nkey = "shoe_size"\ntext = "?"', "shoe_size"),
        ('[[forms]]\nid = "f"\nlabel = "?"\nfields = ["shoe_size"]', "shoe_size"),
        ('[[forms]]\nid = "f"\nlabel = "?"\nfields = ["credit_note"]', "credit_note"),
        ('[[forms]]\nid = "f"\nlabel = "?"\nfields = []', "forms.0.fields"),
        ('[[forms]]\nid = "f"\nlabel = "?"\nfields = ["city"]\n' * 2, "two forms"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_place(tmp_path, text, place):
    with pytest.raises(UnusableCompanyFile, match=place):
        company(tmp_path, text)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(UnusableCompanyFile, match="nowhere"):
        Company.load(tmp_path / "nowhere.toml")
