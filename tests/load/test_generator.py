"""The generator counts what it sent and what came back, as a toy server sees it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .generator import Arguments, Bodies, Template, fire


class Toy(ThreadingHTTPServer):
    """Answers 201; every fifth request 503; to an array what a batch is answered. Keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Any] = []
        self.methods: Counter[str] = Counter()
        self.tokens: set[str | None] = set()
        self.lock = threading.Lock()
        self.paths: list[str] = []
        self.hangs_up = False
        self.rests: float | None = None  # seconds after which an idle connection is closed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/a/path?b=c"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    server: Toy

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.rests)

    def do_POST(self) -> None:
        with self.server.lock:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "null")
            self.server.seen.append(body)
            self.server.paths.append(self.path)
            self.server.methods[self.command] += 1
            self.server.tokens.add(self.headers["Authorization"])
            place = len(self.server.seen)
        answer = {"recorded": len(body) - 1, "duplicate": 1, "refused": 0} if isinstance(body, list) else {}
        data = json.dumps(answer).encode()
        self.send_response(503 if place % 5 == 0 else 201)
        self.send_header("Content-Length", str(len(data)))
        if self.server.hangs_up:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815 - the server's name for it

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def toy() -> Iterator[Toy]:
    with Toy() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(url: str, *options: str) -> dict[str, Any]:
    return fire(Arguments.read(["--url", url, *options]).plan)


BODY = (
    '{"external_id":"{id}","n":{n},"who":"{pick:7:03}","same":"{pick:7:03}","at":"{now}","uuid":"{uuid}","share":"5%"}'
)


def test_each_request_is_sent_once_and_counted_by_its_answer(toy):
    found = run(toy.url, "--body", BODY, "--connections", "4", "--count", "50", "--header", "Authorization: Bearer x")
    assert found["sent"] == found["answered"] == len(toy.seen) == 50
    assert found["accepted"] == 40
    assert found["refused"] == {"503": 10}
    assert toy.tokens == {"Bearer x"}
    assert toy.methods == {"POST": 50}
    assert 0 < found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"] <= found["max_ms"]


def test_ids_are_unique_and_the_other_marks_are_filled_in(toy):
    run(toy.url, "--body", BODY, "--connections", "3", "--count", "40")
    run(toy.url, "--body", BODY, "--connections", "3", "--count", "40")
    assert len({body["external_id"] for body in toy.seen}) == 80
    assert len({body["uuid"] for body in toy.seen}) == 80
    assert {body["n"] for body in toy.seen} == set(range(40))
    assert {body["who"] for body in toy.seen} == {f"{n:03}" for n in range(7)}
    assert all(body["who"] == body["same"] and body["share"] == "5%" for body in toy.seen)


def test_of_a_batch_what_the_answer_says_was_recorded_counts(toy):
    found = run(toy.url, "--body", BODY, "--batch", "10", "--connections", "2", "--count", "20")
    assert found["sent"] == 20
    assert found["accepted"] == 16 * 9
    assert found["rows"] == {"recorded": 16 * 9, "duplicate": 16, "refused": 0}
    assert len({row["external_id"] for body in toy.seen for row in body}) == 200


def test_the_open_loop_keeps_its_pace_whatever_the_server_does(toy):
    found = run(toy.url, "--body", BODY, "--connections", "4", "--rate", "100", "--seconds", "0.5")
    assert found["sent"] == found["answered"] == len(toy.seen) == 50


def test_without_a_body_it_asks(toy):
    found = run(toy.url, "--connections", "2", "--count", "10")
    assert found["accepted"] == 8
    assert toy.methods == {"GET": 10}


def test_an_address_may_have_marks(toy):
    run(toy.url + "&who={pick:7}&n={n}", "--connections", "2", "--count", "10")
    assert sorted(int(path.rpartition("=")[2]) for path in toy.paths) == list(range(10))


def test_a_connection_that_the_server_closes_is_opened_again(toy):
    toy.hangs_up = True
    found = run(toy.url, "--body", BODY, "--connections", "3", "--count", "30")
    assert found["answered"] == len(toy.seen) == 30
    assert found["broken"] == 0


def test_a_connection_that_the_server_closed_while_it_rested_is_not_used(toy):
    toy.rests = 0.2
    found = run(toy.url, "--body", BODY, "--rate", "4", "--seconds", "2", "--connections", "8")
    assert (found["answered"], len(toy.seen), found["broken"]) == (8, 8, 0)


def test_a_warm_up_does_not_count(toy):
    found = run(toy.url, "--body", BODY, "--connections", "2", "--seconds", "0.2", "--warmup", "0.2")
    assert 0 < found["answered"] < len(toy.seen)
    assert 0.1 < found["seconds"] < 5.0


def test_the_rows_of_two_runs_differ_and_those_of_one_tag_are_the_same():
    one, other = Template(b"{id}"), Template(b"{id}")
    assert one.row(1) != other.row(1)
    assert Template(b"{id}", tag="a").row(1) == Template(b"{id}", tag="a").row(1) == b"a-1"


def test_a_batch_may_be_wrapped():
    bodies = iter(Bodies(Template(b"{n}"), 3, (b'{"batch":[', b"]}")))
    assert [next(bodies), next(bodies)] == [b'{"batch":[0,1,2]}', b'{"batch":[3,4,5]}']
