"""`hilo load`: every row of a file is posted once, in its order, whatever is between; real files give the known sums."""

import csv
import gzip
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from common.company import Company
from hilo.dry_run import check
from hilo.load import BATCH, LoadStopped, Tally, absent_columns, count_of, load, progress_file, touchpoints_of
from hilo.mapping import FileMap
from hilo.verdicts import Lookup, Verdicts
from interactions.touchpoints.payloads import PAYLOADS
from interactions.touchpoints.schemas import TouchpointCreate

COMPANY = Company.load()
ROOT = Path(__file__).parents[2]
MAPS = ROOT / "deploy" / "maps"
DATA = ROOT.parent / "shared" / "data"

PLAIN = (
    'id = "{id}"\n[touchpoint]\nkind = "note"\nchannel = "web"\noccurred_at = "{at}"\nidentifiers = ["phone:{phone}"]\n'
)
GROUPED = """
id = "{invoice}"
group = "{invoice}"
[touchpoint]
kind = "purchase"
occurred_at = "{at}"
identifiers = ["account:shop:{who}"]
[payload]
amount = "{n} * {price}"
[line]
offering = "{code}"
"""


class Api:
    """Stands in for the batch API: remembers what was recorded, refuses what has no moment, is busy when told to."""

    def __init__(self) -> None:
        self.recorded: dict[str, dict] = {}
        self.order: list[str] = []
        self.sizes: list[int] = []
        self.troubles: list[httpx.Response | Exception] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/interactions/v1/touchpoints:batch"
        if self.troubles and (trouble := self.troubles.pop(0)):
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        results = [self._take(index, body) for index, body in enumerate(json.loads(request.content))]
        self.sizes.append(len(results))
        counts = Counter(result["status"] for result in results)
        answer = {status: counts[status] for status in ("recorded", "duplicate", "refused")}
        return httpx.Response(200, json={**answer, "results": results})

    def _take(self, index: int, body: dict) -> dict:
        if "occurred_at" not in body:
            problem = {"code": "invalid", "errors": [{"pointer": "/occurred_at", "code": "missing"}]}
            return {"index": index, "status": "refused", "parked_id": f"p{index}", "problem": problem}
        key = body["external_id"]
        status = "duplicate" if key in self.recorded else "recorded"
        self.recorded[key] = body
        self.order.append(key)
        return {"index": index, "status": status, "touchpoint_id": "t"}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def client(api):
    with httpx.Client(transport=httpx.MockTransport(api), base_url="http://test") as client:
        yield client


@pytest.fixture
def files(tmp_path):
    return tmp_path


def map_of(folder: Path, text: str = PLAIN) -> FileMap:
    (folder / "map.toml").write_text(text)
    return FileMap.load(folder / "map.toml")


def written(path: Path, lines: list[str]) -> Path:
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def plain_csv(folder: Path, count: int) -> Path:
    rows = [f"r{n},2026-11-20,300000{n:04}" for n in range(count)]
    return written(folder / "rows.csv", ["id,at,phone", *rows])


def send(client, files, path, text=PLAIN, *, resume=False, verdicts=None) -> Tally:
    return load(
        path, map_of(files, text), client=client, progress=files / "progress.json", resume=resume, quiet=True,
        verdicts=verdicts,
    )  # fmt: skip


def test_every_row_is_posted_once_in_order_in_batches(api, client, files):
    tally = send(client, files, plain_csv(files, 2 * BATCH + 1))
    assert (tally.recorded, tally.duplicate, tally.refused) == (2 * BATCH + 1, 0, 0)
    assert api.order == [f"r{n}" for n in range(2 * BATCH + 1)]
    assert api.sizes == [BATCH, BATCH, 1]
    assert not (files / "progress.json").exists()


def test_a_second_load_finds_duplicates_only(client, files):
    path = plain_csv(files, 3)
    send(client, files, path)
    tally = send(client, files, path)
    assert (tally.recorded, tally.duplicate, tally.refused) == (0, 3, 0)


def test_a_large_batch_is_cut_by_its_bytes(api, client, files):
    big = "x" * 900_000
    path = written(files / "big.ndjson", [json.dumps({"id": n, "at": "2026-11-20", "text": big}) for n in range(4)])
    send(client, files, path, PLAIN + 'content = "{text}"\n')
    assert api.sizes == [2, 2]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_is_read_plain_and_compressed_with_or_without_byte_order_mark(api, client, files, name):
    path = written(files / name, ["\ufeffid,at,phone", 'r1,2026-11-20,"300 123\n4567"', "r2,2026-11-20,"])
    send(client, files, path)
    assert api.recorded["r1"]["identifiers"] == ["phone:300 123\n4567"]
    assert api.recorded["r2"]["identifiers"] == []


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.jsonl", "rows.ndjson.gz"])
def test_ndjson_is_read_with_dotted_paths_and_blank_lines_are_nothing(api, client, files, name):
    lines = [json.dumps({"m": {"id": 7}, "when": {"at": "2026-11-20"}}), "", json.dumps({"m": {"id": 8}, "when": {}})]
    tally = send(
        client, files, written(files / name, lines), PLAIN.replace("{id}", "{m.id}").replace("{at}", "{when.at}")
    )
    assert list(api.recorded) == ["7"]
    assert (tally.recorded, tally.refused) == (1, 1)


def test_a_line_that_is_no_object_is_refused_by_the_api_and_stops_no_other(client, files):
    none = ["{broken", "[1, 2]", "[" * 200_000]
    lines = ['{"id": 1, "at": "2026-11-20"}', *none, '{"id": 2, "at": "2026-11-20"}']
    tally = send(client, files, written(files / "rows.ndjson", lines))
    assert (tally.recorded, tally.refused) == (2, 3)


def test_a_text_that_was_cut_off_within_a_sign_is_sent_and_stops_no_other(api, client, files):
    lines = [
        r'{"id": "1", "at": "2026-11-20", "said": "Gracias \ud83d\ude00 \ud83d"}',
        r'{"id": "2", "at": "2026-11-20", "said": "C:\\ude00"}',
    ]
    saying = PLAIN + 'content = "{said}"\n'
    assert send(client, files, written(files / "rows.ndjson", lines), saying).recorded == 2
    assert [one["content"] for one in api.recorded.values()] == ["Gracias \N{GRINNING FACE} ?", r"C:\ude00"]


def test_a_row_with_too_many_or_too_few_columns_is_still_a_row(api, client, files):
    path = written(files / "rows.csv", ["id,at,phone", "r1,2026-11-20,300,extra,more", "r2,2026-11-20", "r3"])
    tally = send(client, files, path)
    assert set(api.recorded) == {"r1", "r2"}
    assert tally.refused == 1


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_a_quote_that_is_never_closed_stops_the_load_and_says_where(api, client, files, name):
    rows = [f"r{n},2026-11-20,300000{n:04}" for n in range(9)]
    rows[3] = rows[3].replace(",2026", ',"2026')
    with pytest.raises(LoadStopped, match="a quote that is opened in row 4 is never closed"):
        send(client, files, written(files / name, ["id,at,phone", *rows]))
    assert api.order == []
    with pytest.raises(LoadStopped, match="opened in row 0 "):
        send(client, files, written(files / name, ['"id,at,phone', *rows[:2]]))


def test_quotes_that_are_closed_or_stand_for_inches_stop_nothing(api, client, files):
    lines = ["id,at,phone", '"r1",2026-11-20,"300 ""home"""', 'r2,2026-11-20,12" pipe', 'r3,2026-11-20,"300\n"']
    assert send(client, files, written(files / "rows.csv", lines)).recorded == 3
    assert api.recorded["r2"]["identifiers"] == ['phone:12" pipe']
    assert send(client, files, written(files / "none.csv", ["id,at,phone"])).recorded == 0


def test_rows_of_a_group_are_one_touchpoint_wherever_they_stand(api, client, files):
    lines = [
        "invoice,at,who,code,n,price",
        "A,2026-11-20,7,x,2,1.50",
        "B,2026-11-20,8,y,1,9.99",
        "A,2026-11-20,7,z,1,0.50",
        "C,2026-11-20,,x,-1,1.50",
        "B,2026-11-20,8,x,2,1.50",
    ]
    path = written(files / "invoices.csv", lines)
    tally = send(client, files, path, GROUPED)
    assert tally.recorded == count_of(path, map_of(files, GROUPED)) == 3
    assert api.order == ["A", "B", "C"]
    assert {key: body["payload"]["amount"] for key, body in api.recorded.items()} == {
        "A": "3.50",
        "B": "12.99",
        "C": "-1.50",
    }
    assert [line["offering"] for line in api.recorded["A"]["payload"]["lines"]] == ["x", "z"]
    assert api.recorded["C"]["identifiers"] == []


@pytest.mark.parametrize("group", ["{invoice}", "INV-{invoice}"])
def test_rows_with_an_empty_group_are_not_taken_together(api, client, files, group):
    lines = ["invoice,at,who,code,n,price", ",2026-11-20,7,x,1,1", "A,2026-11-20,7,x,1,1", ",2026-11-20,8,x,1,1"]
    path = written(files / "invoices.csv", lines)
    each = GROUPED.replace('id = "{invoice}"', 'id = "{invoice}#{row}"')
    grouped = each.replace('group = "{invoice}"', f'group = "{group}"')
    send(client, files, path, grouped)
    assert api.order == ["#1", "A#2", "#3"]
    assert count_of(path, map_of(files, grouped)) == 3


def test_refused_rows_are_counted_and_a_few_are_shown(client, files):
    path = written(files / "rows.csv", ["id,at,phone", *(f"r{n},,300" for n in range(9)), "good,2026-11-20,300"])
    tally = send(client, files, path)
    assert (tally.recorded, tally.refused) == (1, 9)
    assert tally.examples[0] == "invalid at /occurred_at (parked as p0)"
    assert len(tally.examples) == 5


def test_after_an_interruption_a_resumed_load_sends_only_the_rest(api, client, files):
    path = plain_csv(files, 3 * BATCH)
    api.troubles = [None, httpx.Response(500, text="broken")]
    with pytest.raises(LoadStopped, match="500"):
        send(client, files, path)
    assert len(api.recorded) == BATCH
    tally = send(client, files, path, resume=True)
    assert (tally.recorded, tally.duplicate) == (2 * BATCH, 0)
    assert api.order == [f"r{n}" for n in range(3 * BATCH)]


def verdicts_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_touchpoint_has_its_verdict(api, client, files):
    path = written(files / "some.csv", ["id,at,phone", "a,2026-11-20,300", "b,,301", "a,2026-11-20,300"])
    send(client, files, path, verdicts=files / "verdicts.csv")
    found = [
        (line["external_id"], line["verdict"], line["code"], line["where"])
        for line in verdicts_in(files / "verdicts.csv")
    ]
    assert found == [("a", "recorded", "", ""), ("b", "refused", "invalid", "/occurred_at"), ("a", "duplicate", "", "")]


def test_after_a_kill_no_verdict_is_missing_and_none_stands_twice(api, client, files):
    path, out = plain_csv(files, 3 * BATCH), files / "verdicts.csv"
    api.troubles = [None, httpx.Response(500, text="broken")]
    with pytest.raises(LoadStopped):
        send(client, files, path, verdicts=out)
    # killed after a verdict was written and before its batch was noted as done
    with out.open("a") as file:
        file.write("r250,recorded,,t,,,\nr251,reco")
    send(client, files, path, resume=True, verdicts=out)
    assert [line["external_id"] for line in verdicts_in(out)] == [f"r{n}" for n in range(3 * BATCH)]


def test_a_dry_run_says_who_is_there_already_and_sends_nothing(files):
    def search(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/identity/v1/customers:search"
        asked.append(json.loads(request.content)["identifier"])
        if asked[-1] == "phone:301123456":
            return httpx.Response(422, json={})
        return httpx.Response(200, json={"items": [{"customer_id": "c-1"}] if "300" in asked[-1] else []})

    asked: list[str] = []
    at, one, other = "2026-11-20T10:00:00Z", "3001234567", "3011234567"
    rows = ["id,at,phone", f"a,{at},{one}", f"b,{at},{other}", f"a,{at},{one}", f"c,,{one}", f"d,{at},301123456",
            f"e,{at},not-a-phone"]  # fmt: skip
    path, out = written(files / "some.csv", rows), files / "verdicts.csv"
    file_map = FileMap.load(written(files / "map.toml", [PLAIN]))
    with httpx.Client(transport=httpx.MockTransport(search), base_url="http://test") as client:
        words = check(
            touchpoints_of(path, file_map), total=6, company=COMPANY, verdicts=Verdicts(out), lookup=Lookup(client)
        )
    assert words.splitlines() == [
        "4 of 6 would be taken", "1 match customers who are there already", "        1  /occurred_at: Field required",
        "        1  /identifiers/0: This is no phone number that could be dialled",
        "of those taken these would be kept as they stand, and prove nothing:",
        "        1  /identifiers/0: This is no phone number that could be dialled",
    ]  # fmt: skip
    assert [(line["verdict"], line["customers"]) for line in verdicts_in(out)] == [
        ("matches", "c-1"), ("new", ""), ("duplicate", "c-1"), ("refused", ""), ("new", ""),
        ("refused", ""),
    ]  # fmt: skip
    assert len(asked) == len(set(asked)) == 3


def test_a_dry_run_finds_what_the_payload_of_its_kind_does_not_take(files):
    text = PLAIN.replace("note", "purchase") + '[payload]\namount = "{amount}"\ncurrency = "COP"\n'
    path = written(files / "some.csv", ["id,at,phone,amount", "a,2026-11-20,,129900", 'b,2026-11-20,,"129.900,00"'])
    words = check(touchpoints_of(path, map_of(files, text)), total=2, company=COMPANY)
    assert words.startswith("1 of 2 would be taken\n        1  /payload/amount")


@pytest.mark.parametrize("read", ["", '[read]\ndelimiter = ";"\nencoding = "latin-1"\n'])
def test_a_file_that_is_read_amiss_stops_before_the_first_row(files, read):
    path = files / "excel.csv"
    path.write_bytes("\ufeffid;at;phone\na;2026-11-20;300\n".encode())
    with pytest.raises(LoadStopped, match=r"has no column `id`.*encoding and delimiter"):
        absent_columns(path, map_of(files, PLAIN + read))


def test_a_column_that_only_some_files_have_is_told_and_stops_nothing(files):
    path = written(files / "short.csv", ["id,at", "a,2026-11-20"])
    assert absent_columns(path, map_of(files)) == "short.csv has no column `phone`; its columns are `id`, `at`"
    assert absent_columns(plain_csv(files, 1), map_of(files)) is None
    assert absent_columns(written(files / "some.ndjson", ["{}"]), map_of(files)) is None


def test_without_resume_an_interrupted_load_starts_anew_and_counts_duplicates(api, client, files):
    path = plain_csv(files, 2 * BATCH)
    api.troubles = [None, httpx.Response(403, text="forbidden")]
    with pytest.raises(LoadStopped):
        send(client, files, path)
    tally = send(client, files, path)
    assert (tally.recorded, tally.duplicate) == (BATCH, BATCH)


def test_grouped_rows_are_resumed_by_touchpoint_not_by_row(api, client, files):
    lines = [f"i{n % (2 * BATCH)},2026-11-20,7,x,1,1" for n in range(4 * BATCH)]
    path = written(files / "invoices.csv", ["invoice,at,who,code,n,price", *lines])
    api.troubles = [None, httpx.Response(500)]
    with pytest.raises(LoadStopped):
        send(client, files, path, GROUPED)
    tally = send(client, files, path, GROUPED, resume=True)
    assert (tally.recorded, tally.duplicate) == (BATCH, 0)
    assert {body["payload"]["amount"] for body in api.recorded.values()} == {"2.00"}


def test_a_changed_file_is_not_resumed_at_the_old_place(api, client, files):
    path = plain_csv(files, 2 * BATCH)
    api.troubles = [None, httpx.Response(500)]
    with pytest.raises(LoadStopped):
        send(client, files, path)
    written(path, ["id,at,phone", *(f"s{n},2026-11-20,300" for n in range(3))])
    send(client, files, path, resume=True)
    assert {"s0", "s1", "s2"} <= set(api.recorded)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_while_the_server_is_busy_the_same_batch_is_sent_again(api, client, files, status):
    api.troubles = [httpx.Response(status, headers={"Retry-After": "0"})] * 2
    assert send(client, files, plain_csv(files, 2)).recorded == 2


def test_while_the_server_is_away_the_same_batch_is_sent_again(api, client, files):
    api.troubles = [httpx.ConnectError("refused")]
    assert send(client, files, plain_csv(files, 2)).recorded == 2


def test_bytes_that_are_not_in_the_maps_encoding_stop_the_load_with_a_word(client, files):
    path = files / "rows.csv"
    path.write_bytes("id,at,phone\nñandú,2026-11-20,300\n".encode("latin-1"))
    with pytest.raises(LoadStopped, match="encoding"):
        send(client, files, path)
    assert send(client, files, path, PLAIN + '[read]\nencoding = "latin-1"\n').recorded == 1


def test_progress_is_kept_apart_for_each_file_map_and_address(files):
    for map_file in ("m.toml", "n.toml"):
        (files / map_file).write_text(PLAIN)
    names = {
        progress_file(files, files / file, files / map_file, to)
        for file in ("a.csv", "b.csv")
        for map_file in ("m.toml", "n.toml")
        for to in ("http://one", "http://two")
    }
    assert len(names) == 8


def test_under_a_changed_map_a_load_is_not_resumed_at_the_old_place(api, client, files):
    lines = [f"{invoice},2026-11-20,7,{code},1,1.00" for invoice in range(BATCH) for code in "xyz"]
    path = written(files / "invoices.csv", ["invoice,at,who,code,n,price", *lines])
    ungrouped, map_file = GROUPED.replace('group = "{invoice}"', ""), files / "map.toml"
    api.troubles = [None, httpx.Response(401)]

    def resumed(text):
        progress = progress_file(files, path, map_file, "http://one")
        return load(path, map_of(files, text), client=client, progress=progress, resume=True, quiet=True)

    map_file.write_text(ungrouped)
    with pytest.raises(LoadStopped):
        resumed(ungrouped)
    map_file.write_text(GROUPED)
    resumed(GROUPED)
    assert set(api.recorded) == {str(invoice) for invoice in range(BATCH)}


def assert_taken(body: dict) -> None:
    """The API's own schemas take it."""
    given = TouchpointCreate.model_validate(body)
    PAYLOADS[given.kind].model_validate(given.payload)


# --- real files -------------------------------------------------------------------------------------------------------


def shipped(data: str, name: str):
    path = DATA / data
    if not path.exists():
        pytest.skip(f"the data set {data} is not here")
    return path, FileMap.load(MAPS / f"{name}.toml")


def test_online_retail_gives_one_purchase_an_invoice_and_the_known_revenue():
    path, file_map = shipped("online_retail/online_retail.csv.gz", "online-retail")
    total, worth = Decimal(0), defaultdict(Decimal)
    purchases = cancellations = lines = anonymous_lines = 0
    for body in touchpoints_of(path, file_map):
        assert_taken(body)
        amount = Decimal(body["payload"]["amount"])
        purchases += 1
        lines += len(body["payload"]["lines"])
        cancellations += body["external_id"].startswith("C")
        total += amount
        if body["identifiers"]:
            worth[body["identifiers"][0]] += amount
        else:
            anonymous_lines += len(body["payload"]["lines"])
    assert (purchases, cancellations, lines) == (25_900, 3_836, 541_909)
    assert anonymous_lines == 135_080
    assert len(worth) == 4_372
    assert (total, sum(worth.values())) == (Decimal("9747747.93"), Decimal("8300065.81"))
    # To the cent. With binary fractions, customers whose returns equal their purchases come out a hair below zero too.
    assert sum(value < 0 for value in worth.values()) == 41


def test_the_known_revenue_is_that_of_an_independent_sum():
    path, _ = shipped("online_retail/online_retail.csv.gz", "online-retail")
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = [
            (row["CustomerID"], Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])) for row in csv.DictReader(file)
        ]
    assert round(sum(amount for _, amount in rows), 2) == Decimal("9747747.93")
    assert round(sum(amount for customer, amount in rows if customer), 2) == Decimal("8300065.81")


def test_cfpb_gives_complaints_by_channel_and_those_answered_in_time():
    path, file_map = shipped("cfpb/cfpb_half.csv.gz", "cfpb-complaints")
    bodies = list(touchpoints_of(path, file_map))
    assert len(bodies) == len({body["external_id"] for body in bodies}) == 1_582
    assert Counter(body["channel"] for body in bodies) == {
        "web": 1_110,
        "referral": 262,
        "phone": 102,
        "mail": 81,
        "fax": 27,
    }
    assert sum(body["payload"]["timely"] is True for body in bodies) == 1_538
    assert all(body["identifiers"] == [] for body in bodies)


def test_the_bank_campaign_gives_its_answers_by_channel():
    path, file_map = shipped("bank_marketing/bank.csv.gz", "bank-campaign")
    bodies = list(touchpoints_of(path, file_map))
    assert len(bodies) == len({body["external_id"] for body in bodies}) == 4_521
    accepted = Counter(body["channel"] for body in bodies if body["payload"]["answer"] == "accepted")
    assert accepted == {"mobile": 416, "phone": 44, "unknown": 61}


def test_the_colombian_records_give_a_note_each_on_seven_channels():
    path, file_map = shipped("colombian_identity/synthetic_co_customers.csv.gz", "colombian-records")
    bodies = list(touchpoints_of(path, file_map))
    assert len(bodies) == len({body["external_id"] for body in bodies}) == 4_204
    assert len({body["channel"] for body in bodies}) == 7
    assert all(body["profile"]["full_name"] for body in bodies)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("cfpb/cfpb_half.csv.gz", "cfpb-complaints"),
        ("bank_marketing/bank.csv.gz", "bank-campaign"),
        ("colombian_identity/synthetic_co_customers.csv.gz", "colombian-records"),
    ],
)
def test_every_row_of_the_real_files_is_what_the_api_takes(data, name):
    path, file_map = shipped(data, name)
    for body in touchpoints_of(path, file_map):
        assert_taken(body)
