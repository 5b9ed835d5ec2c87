"""The map engine: templates over columns and dotted paths become touchpoints as the API takes them."""

from pathlib import Path

import pytest

from hilo.mapping import BadMap, FileMap

MAPS = Path(__file__).parents[1] / "maps"

CRM = """
id = "{record_id}"
[touchpoint]
source = "legacy-crm"
kind = "note"
channel = "{channel}"
occurred_at = "{date}"
identifiers = ["phone:{phone}", "email:{email}", "document:co-{doc_type}:{doc_number}"]
backfill = true
[profile]
full_name = "{full_name}"
address = "{address}"
[read]
time_zone = "America/Bogota"
date_format = "%m/%d/%Y %H:%M"
[values.channel]
"Web" = "web"
"""

INVOICES = """
id = "{InvoiceNo}"
group = "{InvoiceNo}"
[touchpoint]
kind = "purchase"
channel = "web"
occurred_at = "{InvoiceDate}"
identifiers = ["account:shop:{CustomerID}"]
[payload]
amount = "{Quantity} * {UnitPrice}"
currency = "GBP"
[line]
offering = "{StockCode}"
quantity = "{Quantity}"
"""


@pytest.fixture
def map_of(tmp_path):
    def write(text: str) -> FileMap:
        (tmp_path / "map.toml").write_text(text)
        return FileMap.load(tmp_path / "map.toml")

    return write


def row(**columns: str) -> dict[str, object]:
    return {
        "record_id": "r1",
        "channel": "Web",
        "date": "11/20/2026 15:04",
        "phone": "300 123 4567",
        "email": "",
        "doc_type": "CC",
        "doc_number": "52.123.456",
        "full_name": "ANA LOPEZ",
        "address": "",
        "row": 1,
        **columns,
    }


def test_a_row_becomes_a_touchpoint(map_of):
    assert map_of(CRM).touchpoint_of([row()]) == {
        "external_id": "r1",
        "source": "legacy-crm",
        "kind": "note",
        "channel": "web",
        "occurred_at": "2026-11-20T15:04:00-05:00",
        "identifiers": ["phone:300 123 4567", "document:co-CC:52.123.456"],
        "backfill": True,
        "profile": {"full_name": "ANA LOPEZ"},
    }


@pytest.mark.parametrize("missing", ["phone", "doc_type", "doc_number"])
def test_an_identifier_with_an_empty_column_is_left_out(map_of, missing):
    identifiers = map_of(CRM).touchpoint_of([row(**{missing: " "})])["identifiers"]
    assert len(identifiers) == 1
    assert missing.partition("_")[0] not in identifiers[0].partition(":")[0]


@pytest.mark.parametrize("nothing", ["N/A", "null", " - ", "NaN", "No tiene", "pendiente"])
def test_an_identifier_is_left_out_where_a_column_holds_a_word_for_nothing(map_of, nothing):
    own = map_of(CRM + "[values.unused]\n").touchpoint_of([row(phone=nothing)])["identifiers"]
    named = map_of(CRM.replace("[read]", '[read]\nempty = ["Pendiente"]')).touchpoint_of([row(phone=nothing)])[
        "identifiers"
    ]
    assert named == ["document:co-CC:52.123.456"]
    assert own == (named if nothing != "pendiente" else ["phone:pendiente", *named])


def test_the_columns_of_a_map_are_those_of_all_its_templates(map_of):
    assert map_of(CRM).columns() == (
        "record_id", "channel", "date", "phone", "email", "doc_type", "doc_number", "full_name", "address",
    )  # fmt: skip
    assert map_of(INVOICES).columns() == (
        "InvoiceNo", "InvoiceDate", "CustomerID", "Quantity", "UnitPrice", "StockCode",
    )  # fmt: skip
    assert map_of(CRM).columns_of_each() == ("record_id", "date")


def test_columns_that_the_file_does_not_have_are_empty(map_of):
    body = map_of(CRM).touchpoint_of([{"record_id": "r1", "channel": "Web", "date": None, "row": 1}])
    assert body["identifiers"] == []
    assert "occurred_at" not in body
    assert "profile" not in body


def test_a_word_that_no_list_translates_stays(map_of):
    assert map_of(CRM).touchpoint_of([row(channel="Kiosk")])["channel"] == "Kiosk"


def test_a_star_translates_all_other_words(map_of):
    starred = map_of(CRM + '"*" = "unknown"\n')
    assert [starred.touchpoint_of([row(channel=c)])["channel"] for c in ("Web", "Fax", "")] == [
        "web",
        "unknown",
        "unknown",
    ]


def test_words_become_values_of_any_type(map_of):
    judged = map_of(
        'id = "{row}"\n[touchpoint]\nkind = "note"\n[payload]\nin_time = "{ok}"\n[values.in_time]\n"Yes" = true\n"No" = false\n'
    )
    assert [judged.touchpoint_of([{"row": 1, "ok": ok}])["payload"] for ok in ("Yes", "No")] == [
        {"in_time": True},
        {"in_time": False},
    ]


@pytest.mark.parametrize(
    ("format_line", "text", "moment"),
    [
        ('date_format = "%m/%d/%Y"', "7/29/2013", "2013-07-29T00:00:00-05:00"),
        ('date_format = "%Y-%b-%d"', "2010-oct-19", "2010-10-19T00:00:00-05:00"),
        ('date_format = "%Y-%m-%dT%H:%M:%S%z"', "2013-07-29T10:00:00+02:00", "2013-07-29T10:00:00+02:00"),
        ("", "2013-07-29", "2013-07-29T00:00:00-05:00"),
        ("", "2013-07-29T10:00:00Z", "2013-07-29T10:00:00+00:00"),
        ('date_format = "%m/%d/%Y"', "29/7/2013", "29/7/2013"),
        ('date_format = "%m/%d/%Y"', "2013-07-29", "2013-07-29T00:00:00-05:00"),
        ('date_format = ["%d/%m/%Y", "%d-%m-%y"]', "29/7/2013", "2013-07-29T00:00:00-05:00"),
        ('date_format = ["%d/%m/%Y", "%d-%m-%y"]', "29-07-13", "2013-07-29T00:00:00-05:00"),
        ('date_format = ["%d/%m/%Y", "%d-%m-%y"]', "41484", "41484"),
        ("", "yesterday", "yesterday"),
    ],
)
def test_a_date_is_read_in_the_files_form_and_zone_and_passed_on_where_it_cannot_be(map_of, format_line, text, moment):
    dated = map_of(
        f'id = "{{row}}"\n[touchpoint]\noccurred_at = "{{when}}"\n[read]\ntime_zone = "America/Bogota"\n{format_line}\n'
    )
    assert dated.touchpoint_of([{"row": 1, "when": text}])["occurred_at"] == moment


def test_a_date_of_birth_is_read_in_each_of_the_files_forms(map_of):
    born = map_of(
        'id = "{row}"\n[touchpoint]\n[profile]\nbirth_date = "{b}"\n[read]\ndate_format = ["%d/%m/%Y", "%d-%m-%y"]\n'
    )
    told = [
        born.touchpoint_of([{"row": 1, "b": text}])["profile"]["birth_date"]
        for text in ("2/3/1984", "02-03-84", "1984")
    ]
    assert told == ["1984-03-02", "1984-03-02", "1984"]


@pytest.mark.parametrize("name", ["answered_at", "valid_until"])
def test_moments_of_the_payload_are_read_in_the_files_form_too(map_of, name):
    dated = map_of(f'id = "{{row}}"\n[touchpoint]\n[payload]\n{name} = "{{when}}"\n[read]\ndate_format = "%d/%m/%Y"\n')
    assert dated.touchpoint_of([{"row": 1, "when": "31/12/2025"}])["payload"] == {name: "2025-12-31T00:00:00+00:00"}


def test_a_date_without_zone_anywhere_is_utc(map_of):
    dated = map_of('id = "{row}"\n[touchpoint]\noccurred_at = "{when}"\n')
    assert dated.touchpoint_of([{"row": 1, "when": "2013-07-29"}])["occurred_at"] == "2013-07-29T00:00:00+00:00"


def line(code: str, quantity: str, price: str, **more: str) -> dict[str, object]:
    return {
        "InvoiceNo": "536365", "StockCode": code, "Quantity": quantity, "UnitPrice": price, "CustomerID": "17850",
        "InvoiceDate": "2010-12-01 08:26", **more,
    }  # fmt: skip


def test_the_products_of_an_invoice_are_summed_to_the_cent_and_each_row_is_a_line(map_of):
    body = map_of(INVOICES).touchpoint_of([line("A", "6", "2.55"), line("B", "-1", "0.005"), line("C", "3", "0.335")])
    assert body["payload"] == {
        "amount": "16.30",  # 15.30 - 0.005 + 1.005
        "currency": "GBP",
        "lines": [
            {"offering": "A", "quantity": "6"},
            {"offering": "B", "quantity": "-1"},
            {"offering": "C", "quantity": "3"},
        ],
    }
    assert body["external_id"] == "536365"
    assert body["identifiers"] == ["account:shop:17850"]


@pytest.mark.parametrize("price", ["", "free", "1,50", "Infinity", "NaN", "1e999999"])
def test_a_product_that_is_no_number_is_passed_on_for_the_api_to_refuse(map_of, price):
    amount = map_of(INVOICES).touchpoint_of([line("A", "6", price)])["payload"]["amount"]
    assert amount == f"6 * {price}"


def test_dotted_paths_reach_into_documents(map_of):
    webhook = map_of(
        'id = "{message.id}"\n[touchpoint]\nkind = "message"\ncontent = "{message.text}"\nidentifiers = ["phone:{from.phone}"]\n'
        '[payload]\nscore = "{flow.answers.score}"\n'
    )
    document = {"message": {"id": 7, "text": "Hola"}, "from": {"phone": "300"}, "flow": None, "row": 1}
    assert webhook.touchpoint_of([document]) == {
        "external_id": "7",
        "kind": "message",
        "content": "Hola",
        "identifiers": ["phone:300"],
    }


def test_a_column_with_a_dot_in_its_name_wins_over_a_path(map_of):
    dotted = map_of('id = "{a.b}"\n[touchpoint]\nkind = "note"\n')
    assert dotted.touchpoint_of([{"a.b": "column", "a": {"b": "path"}}])["external_id"] == "column"


def test_nested_tables_and_lists_are_rendered_too(map_of):
    nested = map_of(
        'id = "{row}"\n[touchpoint]\nkind = "note"\nactor = { kind = "staff", id = "{agent}" }\nreferences = ["order:{order}", "{missing}"]\n'
    )
    body = nested.touchpoint_of([{"row": 1, "agent": "", "order": "9"}])
    assert body["actor"] == {"kind": "staff"}
    assert body["references"] == ["order:9"]


@pytest.mark.parametrize("nothing", ["", " ", "N/A"])
def test_what_the_row_does_not_tell_is_no_reference_no_fact_and_no_promise(map_of, nothing):
    listed = map_of("""
        id = "{row}"
        [touchpoint]
        kind = "note"
        references = ["order:{order}", "desk"]
        facts = [{ key = "hobby", value = "{hobby}" }, { key = "loaded", value = "2026" }]
        commitments = [{ by = "company", text = "{promise}", due_at = "{due}" }]
    """)
    told = listed.touchpoint_of([{"row": 1, "order": "9", "hobby": "chess", "promise": "Call", "due": nothing}])
    assert told["references"] == ["order:9", "desk"]
    assert [fact["key"] for fact in told["facts"]] == ["hobby", "loaded"]
    assert [one["text"] for one in told["commitments"]] == ["Call"]
    untold = listed.touchpoint_of([{"row": 1, "order": nothing, "hobby": nothing, "promise": nothing}])
    assert (untold["references"], untold["facts"], untold["commitments"]) == (
        ["desk"],
        [{"key": "loaded", "value": "2026"}],
        [],
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id = ", "map.toml"),
        ('id = "{row}"\n', r"\[touchpoint\]"),
        ("[touchpoint]\n", "needs `id`"),
        ('id = "{row}"\nchanel = "x"\n[touchpoint]\n', "chanel"),
        ('id = "{row}"\n[touchpoint]\n[read]\ntime_zone = "America/Macondo"\n', "America/Macondo"),
        ('id = "{row}"\n[touchpoint]\n[read]\nencoding = "utf-99"\n', "utf-99"),
        ('id = "{row}"\n[touchpoint]\n[read]\ndelimiter = "||"\n', "delimiter"),
        ('id = "{row}"\n[touchpoint]\n[read]\ndelimiter = 5\n', "delimiter"),
        ('id = "{row}"\n[touchpoint]\n[read]\ndate_format = 5\n', "date_format"),
        ('id = "{row}"\n[touchpoint]\n[read]\nempty = [5]\n', "empty"),
        ('id = "{row}"\nread = "all"\n[touchpoint]\n', "read"),
        ('id = "{row}"\nvalues = 7\n[touchpoint]\n', "values"),
        ('id = "{row}"\n[touchpoint]\n[values]\nchannel = "web"\n', "channel"),
        ('id = "{row}"\n[touchpoint]\nidentifiers = "phone:{phone}"\n', "identifiers"),
    ],
)
def test_what_is_no_map_is_refused_with_the_reason(map_of, text, words):
    with pytest.raises(BadMap, match=words):
        map_of(text)


def test_a_map_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadMap, match="none"):
        FileMap.load(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_maps_are_maps(path):
    assert FileMap.load(path).touchpoint["backfill"] is True
