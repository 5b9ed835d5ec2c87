"""Identifiers come to one form, whatever the channel wrote; traces follow from a touchpoint's own content."""

import csv
import gzip
from pathlib import Path
from uuid import UUID

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.co import nit as standard

from common import identifiers
from common.company import Company
from common.identifiers import (
    PERSONAL,
    RANK,
    SHARED,
    Identifier,
    InvalidIdentifier,
    blocked,
    customer_trace,
    extension_of,
    identifier_id,
    is_shared,
    parse_identifier,
    parse_identifiers,
    read_identifiers,
    trace_of,
    traces_alone,
)

SECRET = b"a secret of this test alone, thirty-two bytes or more"
COMPANY = Company.load()
CUSTOMER = "018f6a4e-0000-7000-8000-000000000001"
DATA = Path(__file__).parents[3].parent / "shared" / "data"
RECORDS = DATA / "colombian_identity" / "synthetic_co_customers.csv.gz"


def text_of(given: str, region: str = "CO", source: str | None = "crm") -> str:
    return parse_identifier(given, default_region=region, source=source).text


def reason_of(given: str, region: str = "CO") -> str:
    with pytest.raises(InvalidIdentifier) as refused:
        parse_identifier(given, default_region=region)
    assert refused.value.code == "invalid-identifier"
    return refused.value.reason


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("phone:300 123 4567", "phone:+573001234567"),
        ("phone:(300) 123-4567", "phone:+573001234567"),
        ("phone:+57 300 123 4567", "phone:+573001234567"),
        ("phone:573001234567", "phone:+573001234567"),
        ("phone: 573001234567", "phone:+573001234567"),  # a lost plus
        ("phone: 300 123 4567", "phone:+573001234567"),  # or a space that meant nothing
        ("phone: 3212345678", "phone:+573212345678"),  # not a landline in Belgium
        ("phone: 34600123456", "phone:+34600123456"),
        ("phone:34600123456", "phone:+34600123456"),
        ("phone:0057 300 1234567", "phone:+573001234567"),
        ("phone:009 57 3001234567", "phone:+573001234567"),
        ("phone:tel:+57-300-123-4567", "phone:+573001234567"),
        ("phone:300 123 4567 ext 5", "phone:+573001234567"),
        ("phone:3001234567.0", "phone:+573001234567"),
        ("phone:3.001234567E9", "phone:+573001234567"),
        ("phone:3,001234567E+09", "phone:+573001234567"),
        ("phone:3.00123456E9", "phone:+573001234560"),  # programs leave the last zero out
        ("phone:5.73001234567e+11", "phone:+573001234567"),
        ("whatsapp:5.73001234567E11", "phone:+573001234567"),
        ("phone:\u202a+57 300 1234567\u202c", "phone:+573001234567"),
        ("phone:３００１２３４５６７", "phone:+573001234567"),
        ("PHONE:3001234567", "phone:+573001234567"),
        ("tel:3001234567", "phone:+573001234567"),
        ("whatsapp:573001234567", "phone:+573001234567"),
        ("whatsapp:573001234567@s.whatsapp.net", "phone:+573001234567"),
        ("whatsapp:+573001234567", "phone:+573001234567"),
        ("whatsapp:3001234567", "phone:+573001234567"),
        ("whatsapp:34600123456", "phone:+34600123456"),
        ("signal:+573001234567", "phone:+573001234567"),
        ("viber:573001234567", "phone:+573001234567"),
        ("sms:573001234567", "phone:+573001234567"),
        ("telegram-phone:573001234567", "phone:+573001234567"),
        ("phone:601 345 6789", "phone:+576013456789"),
        ("phone:031 345 6789", "phone:+576013456789"),
        ("phone:09 1 345 6789", "phone:+576013456789"),
        ("phone:(4) 345 6789", "phone:+576043456789"),
        ("phone:+57 1 345 6789", "phone:+576013456789"),
        ("phone:03 300 123 4567", "phone:+573001234567"),
        ("phone:+57 (1) 345 6789 ext. 123", "phone:+576013456789"),
        ("phone:1 345 6789 Extensión 12", "phone:+576013456789"),
        ("phone:300 123 4567 (Ana, casa)", "phone:+573001234567"),
        ("phone:cel. 300 123 4567", "phone:+573001234567"),
    ],
)
def test_phones_come_to_e164(given, expected):
    assert text_of(given) == expected


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("phone:+52 1 55 1234 5678", "CO", "phone:+525512345678"),
        ("whatsapp:5215512345678", "CO", "phone:+525512345678"),
        ("phone:044 55 1234 5678", "MX", "phone:+525512345678"),
        ("phone:045 55 1234 5678", "MX", "phone:+525512345678"),
        ("phone:01 55 1234 5678", "MX", "phone:+525512345678"),
        ("phone:55 1234 5678", "MX", "phone:+525512345678"),
        ("phone:+54 11 15 2345 6789", "CO", "phone:+5491123456789"),
        ("phone:011 15 2345-6789", "AR", "phone:+5491123456789"),
        ("phone:9 11 2345 6789", "AR", "phone:+5491123456789"),
        ("phone:09 8765 4321", "CL", "phone:+56987654321"),
        ("phone:+56 09 8765 4321", "CO", "phone:+56987654321"),
        ("phone:02 2345 6789", "CL", "phone:+56223456789"),
        ("phone:+56 2 345 6789", "CL", "phone:+56223456789"),
        ("phone:8 765 4321", "CL", "phone:+56987654321"),
        ("phone:+56 8 765 4321", "CO", "phone:+56987654321"),
        ("phone:32 234567", "CL", "phone:+56322234567"),
        ("phone:063 234567", "CL", "phone:+56632234567"),
        ("phone:0 987 654 321", "PE", "phone:+51987654321"),
        ("phone:01 987 654 321", "PE", "phone:+51987654321"),
        ("phone:+51 1 9765 4321", "PE", "phone:+51997654321"),
        ("phone:099 876 5432", "EC", "phone:+593998765432"),
        ("phone:09 876 5432", "EC", "phone:+593998765432"),
        ("phone:(11) 8765-4321", "BR", "phone:+5511987654321"),
        ("whatsapp:551187654321", "CO", "phone:+5511987654321"),
        ("phone:3001234567", "US", None),
        ("phone:600 123 456", "ES", "phone:+34600123456"),
    ],
)
def test_old_and_foreign_forms_are_read_by_their_own_country(given, region, expected):
    if expected is None:
        assert reason_of(given, region) == "not-a-phone"
    else:
        assert text_of(given, region) == expected


@pytest.mark.parametrize(
    "given", ["phone:1234", "phone:3456789", "phone:abc", "phone:+57 300", "sms:85432", "phone:" + "3" * 60]
)
def test_numbers_that_nobody_can_dial_are_refused(given):
    assert reason_of(given) == "not-a-phone"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("email: Ana@Example.COM ", "email:ana@example.com"),
        ("email:ana@correo.test", "email:ana@correo.test"),
        ("mail:ana+x@example.com", "email:ana+x@example.com"),
        ("email:Ana López <Ana@Example.com>", "email:ana@example.com"),
        ('email:"López, Ana" <ana@example.com>;', "email:ana@example.com"),
        ("email:<ana@example.com>", "email:ana@example.com"),
        ("email:'ana@example.com'", "email:ana@example.com"),
        ("email:mailto:ana@example.com", "email:ana@example.com"),
        ("email:ana@example.com.", "email:ana@example.com"),
        ("email:ana @ example.com", "email:ana@example.com"),
        ("email:o'brien@example.com", "email:o'brien@example.com"),
        ("document:co-cc:52.123.456", "document:co-cc:52123456"),
        ("document:co-CC: 52 123 456 ", "document:co-cc:52123456"),
        ("document:CO-CC:0052123456", "document:co-cc:52123456"),
        ("document:cc:52123456", "document:co-cc:52123456"),
        ("document:co-cc:0012", "document:co-cc:012"),
        ("document:co-ti:0112345678", "document:co-ti:0112345678"),
        ("document:co-pp:ab123456", "document:co-pp:AB123456"),
        ("document:co-ce:e123456", "document:co-ce:E123456"),
        ("document:co-nit:800.197.268-4", "document:co-nit:8001972684"),
        ("document:co-nit:8001972684", "document:co-nit:8001972684"),
        ("document:co-nit:800197268", "document:co-nit:8001972684"),
        ("document:co-nit:0800197268-4", "document:co-nit:8001972684"),
        ("document:co-nit:NIT 800197268-4", "document:co-nit:8001972684"),
        ("document:co-cc:C.C. 52.123.456", "document:co-cc:52123456"),
        ("document:co-cedula:52123456", "document:co-cc:52123456"),
        ("document:co-pasaporte:ab123456", "document:co-pp:AB123456"),
        ("document:C.C.:52123456", "document:co-cc:52123456"),
        ("document:Cédula de ciudadanía:52.123.456", "document:co-cc:52123456"),
        ("document:co-Permiso por Protección Temporal:1234567", "document:co-ppt:1234567"),
        ("document:co-cc:52123456.0", "document:co-cc:52123456"),
        ("document:co-cc:5.2123456E7", "document:co-cc:52123456"),
        ("document:co-cc:1.098765432E+09", "document:co-cc:1098765432"),
        ("document:co-cc:52.123.000", "document:co-cc:52123000"),
        ("document:co-cc:C.C. No. 52.123.456", "document:co-cc:52123456"),
        ("document:co-cc:N° 52.123.456", "document:co-cc:52123456"),
        ("document:co-pp:PP123456", "document:co-pp:PP123456"),
        ("document:pe-dni:DNI: 10117410", "document:pe-dni:10117410"),
        ("document:es-nie:NIE X-2482300W", "document:es-nie:X2482300W"),
        ("document:es-dni:X2482300W", "document:es-nie:X2482300W"),
        ("document:es-nie:X02482300W", "document:es-nie:X2482300W"),
        ("document:es-cif:54362315K", "document:es-dni:54362315K"),
        ("document:es-dni:54362315", "document:es-dni:54362315K"),
        ("document:es-nif:ESA58818501", "document:es-cif:A58818501"),
        ("document:es-cif:N0032484H", "document:es-cif:N0032484H"),
        ("document:mx-rfc:RFC: GODE561231GR8", "document:mx-rfc:GODE561231GR8"),
        ("document:br-cnpj:12.ABC.345/01DE-35", "document:br-cnpj:12ABC34501DE35"),
        ("document:br-cnpj:CNPJ 12.abc.345/01de-35", "document:br-cnpj:12ABC34501DE35"),
        ("document:cl-rut:R.U.T. 10.000.013-k", "document:cl-rut:10000013K"),
        ("document:ar-dni:M 5.123.456", "document:ar-dni:5123456"),
        ("document:es-nif:54362315-k", "document:es-dni:54362315K"),
        ("document:es-nif:x-2482300w", "document:es-nie:X2482300W"),
        ("document:es-nif:A58818501", "document:es-cif:A58818501"),
        ("document:es-cif:A-58818501", "document:es-cif:A58818501"),
        ("document:cl-rut:012.531.909-2", "document:cl-rut:125319092"),
        ("document:cl-run:125319092", "document:cl-rut:125319092"),
        ("document:br-cnpj:16.727.230/0001-97", "document:br-cnpj:16727230000197"),
        ("document:ar-dni:05.123.456", "document:ar-dni:5123456"),
        ("document:pe-dni:10117410-2", "document:pe-dni:10117410"),
        ("document:pe-dni:10117410", "document:pe-dni:10117410"),
        ("document:ec-ruc:1792060346-001", "document:ec-ruc:1792060346001"),
        ("document:co-rut:800.197.268-4", "document:co-nit:8001972684"),
        ("document:es-dni:54362315-k", "document:es-dni:54362315K"),
        ("document:es-nie:x-2482300w", "document:es-nie:X2482300W"),
        ("document:cl-rut:12.531.909-2", "document:cl-rut:125319092"),
        ("document:br-cpf:390.533.447-05", "document:br-cpf:39053344705"),
        ("document:ar-cuit:20-05536168-2", "document:ar-cuit:20055361682"),
        ("document:mx-rfc:goda 711230 4t1", "document:mx-rfc:GODA7112304T1"),
        ("document:mx-curp:boxw310820hnerxn09", "document:mx-curp:BOXW310820HNERXN09"),
        ("document:pe-ruc:20512333797", "document:pe-ruc:20512333797"),
        ("document:ec-ci:171430710-3", "document:ec-ci:1714307103"),
        ("document:xx-permit:ab-12/3", "document:xx-permit:AB123"),
        ("account:billing:A-1009", "account:billing:A-1009"),
        ("account: Billing : A-1009 ", "account:billing:A-1009"),
        ("account:A-1009", "account:crm:A-1009"),
        ("account:billing:a:b", "account:billing:a:b"),
        ("partner:Acme:7781", "partner:acme:7781"),
        ("device: 9f31 ", "device:9f31"),
        (f"customer:{CUSTOMER.upper()}", f"customer:{CUSTOMER}"),
    ],
)
def test_every_scheme_has_one_normal_form(given, expected):
    assert text_of(given) == expected
    assert text_of(expected) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "unknown-scheme"),
        ("3001234567", "unknown-scheme"),
        ("fingerprint:1", "unknown-scheme"),
        ("phone:", "empty"),
        ("device:  ", "empty"),
        ("account:billing:", "empty"),
        ("account:A-1", "no-issuer"),
        ("device:a\x00b", "bad-characters"),
        ("device:a\ud800", "bad-characters"),
        ("device:" + "x" * 300, "too-long"),
        ("device:" + "ﷺ" * 100, "too-long"),
        ("customer:ana", "not-a-uuid"),
        ("email:ana", "not-an-email"),
        ("email:ana..lopez@example.com", "not-an-email"),
        ("document:52123456", "no-document-type"),
        ("document:co-cc:", "empty"),
        ("document:co-cc:12", "not-a-document"),
        ("document:co-ce:AB123456", "not-a-document"),
        ("document:co-cc:52A", "not-a-document"),
        ("document:co-nit:800.197.268-3", "wrong-check-digit"),
        ("document:es-dni:54362315A", "wrong-check-digit"),
        ("document:co-cc:52.123.456-3", "wrong-check-digit"),
        ("document:br-cnpj:12.ABC.345/01DE-36", "wrong-check-digit"),
        ("document:cl-rut:12.345.678-K", "wrong-check-digit"),
        ("document:ec-ci:171430710-4", "wrong-check-digit"),
        ("document:ar-cuit:20-05536168-3", "wrong-check-digit"),
        ("document:co-cc:CC No.", "not-a-document"),
        ("document:es-nif:_", "empty"),
        ("document:cl-rut:12.531.909-3", "wrong-check-digit"),
        ("document:br-cpf:390.533.447-06", "wrong-check-digit"),
    ],
)
def test_what_has_no_normal_form_is_refused_with_its_reason(given, reason):
    assert reason_of(given) == reason


def test_zeros_that_a_spreadsheet_took_are_put_back_where_the_check_digit_agrees():
    for whole, short in (("ec-ci:0102030400", "ec-ci:102030400"), ("br-cpf:01234567890", "br-cpf:1234567890")):
        assert text_of(f"document:{short}") == text_of(f"document:{whole}") == f"document:{whole}"


def test_a_cedula_and_a_nit_of_the_same_digits_are_two_identifiers():
    assert text_of("document:co-cc:8001972684") != text_of("document:co-nit:8001972684")
    person = standard.calc_check_digit("52123456")
    assert text_of(f"document:co-nit:52123456-{person}") == f"document:co-nit:52123456{person}"
    assert text_of(f"document:co-cc:52.123.456-{person}") == "document:co-cc:52123456"


def test_two_phone_numbers_in_one_field_are_two_identifiers():
    reading = read_identifiers(["phone:310 123 4567 / 320 987 6543", "phone:601 345 6789 y 12"], default_region="CO")
    assert [each.text for each in reading.identifiers] == [
        "phone:+573101234567",
        "phone:+573209876543",
        "phone:~6013456789y12",
    ]
    assert [warning.pointer for warning in reading.warnings] == ["/identifiers/1"]


def test_two_emails_in_one_field_are_two_identifiers():
    reading = read_identifiers(
        ["email:ana@example.com; PEPE@example.com", "email:ana@example.com, hola"], default_region="CO"
    )
    assert [each.text for each in reading.identifiers] == [
        "email:ana@example.com",
        "email:pepe@example.com",
        "email:~ana@example.com, hola",
    ]
    assert [warning.pointer for warning in reading.warnings] == ["/identifiers/1"]


def test_a_misread_document_is_of_its_type_when_it_is_read_again():
    [kept] = read_identifiers(["document:ec-cedula:171430710-4"], default_region="CO").identifiers
    assert kept.text == "document:~eccedula:1714307104"
    assert reason_of(kept.text.replace("~", "")) == "wrong-check-digit", "and no number of a type that nobody has"


@pytest.mark.parametrize(
    ("given", "extension"),
    [
        ("phone:601 345 6789 ext. 123", "123"),
        ("phone:6013456789x44", "44"),
        ("phone:601 345 6789 #5", "5"),
        ("phone:601 345 6789", None),
    ],
)
def test_an_extension_is_kept_apart_from_the_number(given, extension):
    assert extension_of(given) == extension
    assert text_of(given) == "phone:+576013456789"


@pytest.mark.parametrize(
    "given",
    ["phone:998877", "email:ana..lopez@example.com", "document:co-cc:52A98877", "customer:998877", "ana998877:1"],
)
def test_a_refusal_never_repeats_the_value(given):
    with pytest.raises(InvalidIdentifier) as refused:
        parse_identifiers([given], default_region="CO")
    words = " ".join([refused.value.detail, str(refused.value), *(error.detail for error in refused.value.errors)])
    assert "998877" not in words
    assert "lopez" not in words


def test_a_list_is_refused_once_and_points_at_every_wrong_one():
    with pytest.raises(InvalidIdentifier) as refused:
        parse_identifiers(["phone:12", "email:ana@example.com", "colour:red"], default_region="CO")
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/identifiers/0", "not-a-phone"),
        ("/identifiers/2", "unknown-scheme"),
    ]


def test_what_says_nothing_at_all_is_refused_even_on_record():
    with pytest.raises(InvalidIdentifier) as refused:
        read_identifiers(["phone:12", "colour:red", "email:"], default_region="CO", pointer="/who")
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/who/0", "not-a-phone"),
        ("/who/1", "unknown-scheme"),
        ("/who/2", "empty"),
    ]


def test_a_list_keeps_its_order_and_each_identifier_once():
    found = parse_identifiers(["phone:3001234567", "email:a@b.test", "whatsapp:573001234567"], default_region="CO")
    assert [identifier.text for identifier in found] == ["phone:+573001234567", "email:a@b.test"]
    assert found[0].given == "phone:3001234567"


def test_a_misspelt_identifier_on_record_is_kept_and_warned_of():
    reading = read_identifiers(["phone:(3508 2830045", "document:co-nit:800.197.268-3"], default_region="CO")
    assert [identifier.text for identifier in reading.identifiers] == [
        "phone:~35082830045",
        "document:~conit:8001972683",
    ]
    assert [(warning.pointer, warning.code) for warning in reading.warnings] == [
        ("/identifiers/0", "not-a-phone"),
        ("/identifiers/1", "wrong-check-digit"),
    ]
    assert not any(identifier.readable or identifier.personal for identifier in reading.identifiers)
    assert all(is_shared(identifier) for identifier in reading.identifiers)


def test_a_misspelt_identifier_names_the_trace_only_where_nothing_better_does():
    reading = read_identifiers(["document:co-cc:1", "phone:3001234567"], default_region="CO")
    trace = trace_of(reading.identifiers, source="s", external_id="1", secret=SECRET)
    assert trace.text == "phone:+573001234567"


@pytest.mark.skipif(not RECORDS.exists(), reason="the synthetic Colombian records are not here")
def test_every_identifier_of_the_colombian_records_can_be_kept_and_found_again():
    misspelt = total = 0
    with gzip.open(RECORDS, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            columns = {"phone:": "phone", "email:": "email", f"document:co-{row['doc_type']}:": "doc_number"}
            given = [prefix + row[column] for prefix, column in columns.items() if row[column]]
            reading = read_identifiers(given, default_region="CO")
            total += len(given)
            misspelt += len(reading.warnings)
            texts = [identifier.text for identifier in reading.identifiers]
            again = read_identifiers(texts, default_region="CO").identifiers
            assert [identifier.text for identifier in again] == texts
            assert not any(blocked(identifier, COMPANY) for identifier in reading.identifiers)
    assert 0 < misspelt < total / 100


@pytest.mark.parametrize(
    "given",
    [
        "email:noreply@acme.co",
        "email:no-reply@acme.co",
        "email:NoReply+42@acme.co",
        "email:anonymous@example.com",
        "document:co-cc:000000",
        "document:co-cc:9999999999",
        "document:co-cc:123456789",
        "document:co-cc:11111111",
        "document:es-dni:00000000T",
        "document:mx-rfc:XAXX010101000",
        "document:ec-ruc:9999999999999",
        "phone:3000000000",
        "phone:3333333333",
        "phone:anonymous",
        "phone:3.00123E+09",  # as a spreadsheet shows any number that begins so
        "phone:3,00E+09",
        "document:co-cc:1.09877E+09",
        "account:billing:0000",
        "account:billing:N/A",
        "account:pos:CONSUMIDOR FINAL",
        "partner:acme:anonymous",
        "device:00000000-0000-0000-0000-000000000000",
        "device:unknown",
    ],
)
def test_what_everybody_writes_is_nobodys_identifier(given):
    (identifier,) = read_identifiers([given], default_region="CO", source="crm").identifiers
    assert blocked(identifier, COMPANY)


@pytest.mark.parametrize(
    "given",
    [
        "email:ana@example.com",
        "email:reply@acme.co",
        "document:co-cc:52123456",
        "phone:3001234567",
        "account:billing:A-1009",
        "account:b:10",
    ],
)
def test_an_ordinary_identifier_is_not_blocked(given):
    assert not blocked(parse_identifier(given, default_region="CO"), COMPANY)


def test_every_scheme_has_a_rank_and_is_personal_or_shared():
    assert list(RANK) == ["customer", "document", "account", "email", "partner", "phone", "device"]
    assert set(RANK) == PERSONAL | SHARED
    assert not PERSONAL & SHARED


def test_an_identifiers_id_is_a_custom_uuid_and_depends_on_the_secret():
    one, other = identifier_id("phone:+573001234567", SECRET), identifier_id("phone:+573001234567", b"another")
    assert one != other
    assert one.version == 8
    assert one.variant == UUID(CUSTOMER).variant
    assert one == identifier_id(text_of("whatsapp:573001234567"), SECRET)


def trace(*given, name=None, source="crm", external_id="1", issuers=()):
    identifiers = parse_identifiers(given, default_region="CO", source=source)
    return trace_of(
        identifiers, name=name, source=source, external_id=external_id, secret=SECRET, shared_account_issuers=issuers
    )


def test_the_strongest_identifier_names_the_trace():
    everything = (
        "device:9f",
        "phone:3001234567",
        "partner:acme:1",
        "email:a@b.test",
        "account:b:1",
        "document:co-cc:5212",
    )
    for count in range(len(everything), 0, -1):
        strongest = everything[count - 1]
        assert trace(*everything[:count]).trace_id == trace(strongest).trace_id
        assert trace(*everything[:count]).scheme == strongest.partition(":")[0]


def test_of_equals_the_first_given_names_the_trace():
    assert trace("email:a@b.test", "email:c@d.test").trace_id == trace("email:a@b.test").trace_id


def test_people_who_share_a_phone_leave_traces_of_their_own():
    ana, juan, nobody = (trace("phone:3001234567", name=name) for name in ("Ana López", "Juan López", None))
    assert len({ana.trace_id, juan.trace_id, nobody.trace_id}) == 3
    assert trace("phone:3001234567", name="  ANA  LOPEZ ").trace_id == ana.trace_id
    assert trace("phone:3001234567", name=" . ").trace_id == nobody.trace_id


def test_a_personal_identifier_needs_no_name():
    assert trace("email:a@b.test", name="Ana").trace_id == trace("email:a@b.test", name="Juan").trace_id


def test_an_organisations_account_is_shared_where_the_company_says_so():
    one, other = (trace("account:plant:9", name=name, issuers={"plant"}) for name in ("Ana", "Juan"))
    assert one.trace_id != other.trace_id
    assert trace("account:plant:9", name="Ana").trace_id == trace("account:plant:9", name="Juan").trace_id


def test_the_traces_of_each_identifier_alone_are_those_that_it_would_have_named():
    given = parse_identifiers(["phone:3001234567", "email:ana@example.com", "account:shop:9"], default_region="CO")
    known = {"name": "Ana López", "secret": SECRET, "shared_account_issuers": ["shop"]}
    each = {trace_of([one], source="x", external_id="1", **known).trace_id for one in given}
    assert traces_alone(given, **known) == each
    assert len(each) == 3


def test_without_identifiers_source_and_external_id_make_the_trace():
    one = trace(source="pos", external_id="1")
    assert (one.scheme, one.text) == (None, None)
    assert one.trace_id == trace(source="pos", external_id="1", name="Ana").trace_id
    assert (
        len(
            {one.trace_id, trace(source="pos", external_id="2").trace_id, trace(source="po", external_id="s1").trace_id}
        )
        == 3
    )


def test_what_is_written_to_a_customer_lies_under_his_own_trace():
    assert customer_trace(UUID(CUSTOMER), SECRET) == trace(f"customer:{CUSTOMER}", "phone:3001234567").trace_id


VALUES = st.text(max_size=40) | st.from_regex(r"[+0 ()\-]{0,3}[0-9 .\-]{5,16}", fullmatch=True) | st.emails()
KINDS = st.sampled_from(
    [
        "co-cc:",
        "co-nit:",
        "co-ti:",
        "es-dni:",
        "es-nif:",
        "cl-rut:",
        "pe-dni:",
        "ec-ci:",
        "ar-dni:",
        "br-cpf:",
        "xx-any:",
        "",
    ]
)
GIVEN = st.builds("{}:{}{}".format, st.sampled_from([*RANK, "whatsapp", "sms", "tel"]), KINDS, VALUES)


@example("document:co-cc:A¯", "CO")
@example("document:co-cc:000", "CO")
@given(GIVEN, st.sampled_from(["CO", "MX", "ES", "BR", "US", "CL", "PE", "EC", "AR"]))
def test_normalising_twice_is_normalising_once(text, region):
    try:
        identifiers = read_identifiers([text], default_region=region, source="crm").identifiers
    except InvalidIdentifier:
        return
    again = read_identifiers([identifiers[0].text], default_region=region, source="other").identifiers
    assert again[0].text == identifiers[0].text


BY_RANK = st.dictionaries(st.sampled_from(sorted(RANK)), st.text(min_size=1, max_size=8), min_size=1)


@given(BY_RANK, st.randoms(use_true_random=False), st.none() | st.text(max_size=20))
def test_the_order_of_the_evidence_does_not_move_a_touchpoint(values, shuffle, name):
    identifiers = [Identifier(scheme, value, "") for scheme, value in values.items()]
    shuffled = shuffle.sample(identifiers, len(identifiers))
    one, other = (
        trace_of(order, name=name, source="s", external_id="1", secret=SECRET) for order in (identifiers, shuffled)
    )
    assert one == other


@pytest.mark.parametrize(
    "given", ["phone:ana", "phone:123", "whatsapp:none", "email:ana.example.com", "document:co-cc:none"]
)
def test_what_is_no_misspelling_but_another_thing_is_refused(given: str) -> None:
    with pytest.raises(InvalidIdentifier):
        read_identifiers([given], default_region="CO")


REGIONS = ("CO", "ES", "MX", "AR", "CL", "PE", "EC", "BR", "US", "GB", "IT")


@given(st.sampled_from(REGIONS), st.text("0123456789", min_size=6, max_size=12), st.booleans(), st.integers(0, 3))
def test_the_short_way_of_reading_a_mobile_gives_what_the_library_gives(
    region: str, digits: str, abroad: bool, kept: int
) -> None:
    example = str(phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE).national_number)
    national = example[:kept] + digits[: len(example) - kept]
    code = phonenumbers.country_code_for_region(region)
    written = f"+{code}{national}" if abroad else national
    short = identifiers._plain_mobile(written, region)
    if short is not None:
        number = phonenumbers.parse(written, region)
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == short


@pytest.mark.parametrize(
    "written", ["300 123 4567", "+57 300-123-4567", "(300) 123.4567", "+573001234567", "3001234567"]
)
def test_a_mobile_written_plainly_takes_the_short_way(written: str) -> None:
    assert identifiers._plain_mobile(written, "CO") == "+573001234567"
