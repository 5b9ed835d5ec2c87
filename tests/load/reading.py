"""GET resume beside a static answer, and how it grows with the log and with a customer's history."""

import time
from typing import Any

from .grounds import Grounds, Server
from .ingest import BODIES, MANY, Outcome, fire
from .results import Report, at_least, at_most, median, plain, say

CUSTOMERS = 100  # with TOUCHPOINTS each, through the front door; the rest of the log is filled in by SQL
TOUCHPOINTS = 200
SIZES = (20_000, 1_000_000, 10_000_000)
HISTORIES = (1, 10, 100, 1_000)
RESUME = "/interactions/v1/resume?channel=call&identifier=phone:32{pick:%d:08}"
CONNECTIONS = "32"
# Ids in the order of time, as ours are: the index grows at its end.
_ID = "(lpad(to_hex({start} + g), 12, '0') || '7' || lpad(to_hex(g % 4096), 3, '0') || '8' || lpad(to_hex(g), 15, '0'))::uuid"
_TRACE = "md5('trace' || g / 200)::uuid"
# Table -> column -> what is put in the place of the copied row's.
FILLED = {
    "touchpoint": {
        "touchpoint_id": _ID, "position": _ID, "trace_id": _TRACE, "external_id": "'filled-' || g",
        "occurred_at": "now() - (g % 500000) * interval '1 minute'",
    },
    "conversation_entry": {
        "touchpoint_id": _ID, "conversation_id": _ID.replace("g)", "g / 10 * 10)").replace("g %", "g / 10 * 10 %"), "party_id": _TRACE,
    },
}  # fmt: skip

# Each trace is a customer's, whom identity has profiled and scoring has valued; the load generator writes one moment for all.
KNOWN = """
update touchpoint set occurred_at = occurred_at - random() * interval '400 days';
update trace set customer_id = trace_id, revision = 1, proof = 'attested' where customer_id is null;
insert into customer (customer_id, state, revision, since, key_account)
select customer_id, 'active', 1, now() - interval '900 days', false from trace on conflict do nothing;
insert into part (customer_id, source, revision, as_of, received_at, body)
select customer_id, source, 1, now(), now() + interval '200 milliseconds', body::jsonb from trace, (values
  ('identity', '{"kind": "person", "display_name": "Ana María López Ruiz", "preferred_name": "Ana", "form_of_address": "usted",
    "known": [{"key": "best_hour", "value": "after 18:00", "as_of": "2026-11-20T20:04:05Z", "source": "whatsapp", "confidence": 0.9,
               "expires_at": "2027-11-20T20:04:05Z", "sensitivity": "internal"}],
    "ask": [{"question_id": "q-1", "key": "hobby", "text": "¿Qué le gusta hacer?", "channels": ["call"]}],
    "accounts": ["account:billing:A-1009"],
    "people": [{"role": "account_owner", "staff_id": "s-17", "name": "Carlos Peña", "since": "2026-01-10"}]}'),
  ('identity-contact', '{"ranking": ["whatsapp", "call"], "quiet_times": [{"days": [1,2,3,4,5,6,7], "from": "21:00", "to": "07:00"}],
    "consents": [{"purpose": "marketing", "channel": "*", "granted": true, "at": "2026-01-10T10:00:00Z"}]}'),
  ('scoring', '{"value": {"tier": "MVC", "abc": "A", "tenure_months": 31}, "treatment": {"service_level": "priority", "reasons": ["tier is MVC"]},
    "holdings": {"usual_amount": {"amount": "85000.00", "currency": "COP"}}, "alerts": []}')
) as said(source, body) on conflict do nothing;
update conversation set party_id = customer_id from trace where trace_id = party_id;
"""  # fmt: skip


def grow(place: Grounds, *, upto: int, database: str) -> int:
    """Fill the log by SQL until it holds `upto` touchpoints, 200 a trace, 10 a thread; gives how many there are."""
    present = int(place.postgres.query("select count(*) from touchpoint", database=database))
    start = int(
        place.postgres.query("select count(*) from touchpoint where external_id like 'filled-%'", database=database)
    )
    while present < upto:
        some = min(500_000, upto - present)
        for table, columns in FILLED.items():
            _copy(place, table, columns, f"generate_series({start}, {start + some - 1}) g", database)
        heads = {"conversation_id": _ID, "party_id": _TRACE, "last_touchpoint_id": _ID, "latest_position": _ID}
        _copy(place, "conversation", heads, f"generate_series({start}, {start + some - 1}, 10) g", database)
        traces = {"trace_id": _TRACE, "customer_id": "null", "folded_name": "null"}
        _copy(place, "trace", traces, f"generate_series({start}, {start + some - 1}, 200) g", database)
        present, start = present + some, start + some
        say(f"  {present:,} touchpoints")
    place.postgres.query("vacuum analyze", database=database)
    return present


def _copy(place: Grounds, table: str, changed: dict[str, str], series: str, database: str) -> None:
    """Copies one row of the table for each of the series, with `changed` columns."""
    names = place.postgres.query(
        f"select string_agg(quote_ident(column_name), ',' order by ordinal_position) from information_schema.columns "
        f"where table_schema = 'public' and table_name = '{table}'",
        database=database,
    ).split(",")
    start = "1700000000000"
    values = ", ".join(changed[name].replace("{start}", start) if name in changed else f"t.{name}" for name in names)
    place.postgres.query(
        f"insert into {table} ({', '.join(names)}) select {values} "
        f"from (select * from {table} limit 1) t, {series} on conflict do nothing",
        database=database,
    )


def _history(place: Grounds, hilo: Server, *, customers: int, each: int, prefix: str = "32") -> None:
    """`each` touchpoints of every one of the customers, through the front door."""
    text = (BODIES / "touchpoint.json").read_text()
    body = text.replace("phone:30{pick:20000:08}", f"phone:{prefix}{{pick:{customers}:08}}")
    batch = min(200, customers * each)
    options = ["--batch", str(batch), "--connections", "4", "--count", str(max(1, customers * each // batch))]
    outcome = fire(hilo.base + MANY, *options, "--body", body, "--header", place.authorization)
    if outcome["accepted"] < customers * each:
        raise RuntimeError(f"the history was not taken: {outcome}")


def recognised(place: Grounds, *, database: str) -> None:
    """What the other services would have told of everybody in the log, and his contacts spread over a year and more."""
    place.postgres.query(KNOWN, database=database)
    place.postgres.query("vacuum analyze", database=database)


def read(place: Grounds, hilo: Server, path: str, *options: str) -> Outcome:
    assert place.postgres.process is not None
    pids = {"hilo": hilo.pid, "postgres": place.postgres.process.pid}
    return fire(hilo.base + path, "--header", place.authorization, *options, pids=pids)


def resume(place: Grounds, *, rounds: int, seconds: float, scale: int = SIZES[-1]) -> Report:
    """A customer with 200 touchpoints, at 32 connections; then at half that rate; then in ever larger logs."""
    hilo = place.api("interactions", place.migrated("interactions"), name="hilo")
    still = place.uvicorn("tests.load.twin.static", place.environment("interactions"), name="static")
    _history(place, hilo, customers=CUSTOMERS, each=TOUCHPOINTS)
    recognised(place, database="interactions")
    path = RESUME % CUSTOMERS
    flat = ["--connections", CONNECTIONS, "--seconds", str(seconds), "--warmup", "1"]
    ratios, asked, stills, halves = [], [], [], []
    for _ in range(rounds):
        asked.append(read(place, hilo, path, *flat))
        stills.append(fire(still.base + "/static", *flat))
        ratios.append(asked[-1]["rate"] / stills[-1]["rate"])
        half = str(asked[-1]["rate"] / 2)
        halves.append(read(place, hilo, path, "--rate", half, *flat))
        say(f"  resume {asked[-1]['rate']:,.0f}/s  static {stills[-1]['rate']:,.0f}/s  p99 at half {halves[-1]['p99_ms']} ms "
              f"{asked[-1]['refused']} {asked[-1]['cpu_us_an_event']}")  # fmt: skip
    rows: list[list[Any]] = []
    rates: dict[int, float] = {}
    for size in sorted({size for size in SIZES if size < scale} | {scale}):
        begun = time.perf_counter()
        present = grow(place, upto=size, database="interactions")
        filled = time.perf_counter() - begun
        outcomes = [read(place, hilo, path, *flat) for _ in range(rounds)]
        rates[size] = median([o["rate"] for o in outcomes])
        cells = [median([o[name] for o in outcomes]) for name in ("rate", "p50_ms", "p99_ms")]
        rows.append([f"{present:,} touchpoints in the log", *cells, f"filled in {filled:.0f} s"])
    for place_of, each in enumerate(HISTORIES):
        _history(place, hilo, customers=10, each=each, prefix=f"3{3 + place_of}")
        outcome = read(place, hilo, (RESUME % 10).replace("phone:32", f"phone:3{3 + place_of}"), *flat)
        rows.append(
            [f"{each:,} touchpoints of the customer", outcome["rate"], outcome["p50_ms"], outcome["p99_ms"], ""]
        )
    report = Report(
        "resume",
        f"GET resume of {CUSTOMERS} customers with {TOUCHPOINTS} touchpoints each, on {CONNECTIONS} connections.",
    )
    report.figures = [
        at_least("times a static answer of 4 KB", median(ratios), 0.3),
        at_most("p99 at half its own rate", median([o["p99_ms"] for o in halves]), 15, unit=" ms"),
        at_most(
            "slower in the largest log than in the smallest, times",
            rates[min(rates)] / rates[max(rates)],
            1.3,
            digits=2,
        ),
        plain("resumes a second", median([o["rate"] for o in asked]), digits=0),
    ]
    report.table(["", "resumes/s", "p50 ms", "p99 ms", ""], rows)
    return report
