"""The short way to a route answers in every case what FastAPI's own way answers."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Body, Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from common.auth import Principal, dev_token, needs
from common.direct import Direct, direct_routes
from common.errors import Conflict
from common.http import ServiceApp, body_of, create_service
from common.settings import Settings
from common.testing import TEST_SECRET, client_for, settings_for

FAULTS: dict[str, Exception] = {
    "refusal": Conflict("It is taken."),
    "framework": HTTPException(415, headers={"X-Why": "so"}),
    "away": TimeoutError(),
    "unstorable": OverflowError(),
    "ours": RuntimeError("secret words"),
}
CanRead = Annotated[Principal, needs("customers:read")]


async def path_of(request: Request) -> str:
    return request.url.path


PathOf = Annotated[str, Depends(path_of)]


def plain_routes() -> APIRouter:
    router = APIRouter(prefix="/demo/v1/plain")

    @router.get("")
    async def read(
        request: Request,
        who: CanRead,
        path: PathOf,
        words: Annotated[Sequence[Annotated[str, Field(max_length=20)]], Query(max_length=2)] = (),
        customer_id: UUID | None = None,
        limit: Annotated[int, Query(ge=1)] = 7,
        view: Annotated[Literal["agent", "partner"] | None, Query()] = None,
        if_none_match: Annotated[str | None, Header(max_length=5)] = None,
    ) -> Response:
        found = [request.method, who.key_id, path, list(words), customer_id, limit, view, if_none_match]
        return Response(repr(found), headers={"ETag": '"1"'})

    @router.post("", status_code=201)
    async def write(request: Request, who: CanRead) -> Response:
        return Response(await body_of(request), status_code=202)

    @router.get("/fault")
    async def fail(fault: str = "ours") -> Response:
        raise FAULTS[fault]

    return router


def app_of(router: APIRouter, *, direct: bool = True) -> ServiceApp:
    settings = settings_for(Settings, max_body_bytes=1000)
    app = create_service(name="demo", title="Demo", description="", settings=settings, routers=[router])
    if not direct:
        app.user_middleware[:] = [each for each in app.user_middleware if each.cls is not Direct]
    return app


def plain(router: APIRouter) -> set[str]:
    return {f"{method} {path}" for method, path in direct_routes(app_of(router)) if "/v1/" in path}


def token(*scopes: str) -> str:
    return f"Bearer {dev_token(TEST_SECRET, subject='me', scopes=scopes)}"


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x" * 100


PLAIN = "/demo/v1/plain"
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nothing but the route": ("GET", PLAIN, {}),
    "every parameter": (
        "GET",
        f"{PLAIN}?words=a&words=b&customer_id={UUID(int=1)}&limit=3&view=agent&unknown=1",
        {"headers": {"If-None-Match": '"1"'}},
    ),
    "parameters that are there and empty": ("GET", f"{PLAIN}?words=&view=", {}),
    "a word": ("GET", f"{PLAIN}?words=", {}),
    "a parameter twice": ("GET", f"{PLAIN}?limit=2&limit=3", {}),
    "an escaped parameter": ("GET", f"{PLAIN}?words=%2B57+3%00%ff", {}),
    "too many words": ("GET", f"{PLAIN}?words=a&words=b&words=c", {}),
    "a word too long": ("GET", f"{PLAIN}?words={'x' * 21}", {}),
    "two parameters that are not as they should be": ("GET", f"{PLAIN}?limit=x&customer_id=1", {}),
    "a limit out of its range": ("GET", f"{PLAIN}?limit=0", {}),
    "a header that is too long": ("GET", PLAIN, {"headers": {"If-None-Match": "abcdefgh"}}),
    "no credential": ("GET", PLAIN, {"headers": {"Authorization": ""}}),
    "no credential and a parameter that is wrong": ("GET", f"{PLAIN}?limit=x", {"headers": {"Authorization": ""}}),
    "a credential without the scope": ("GET", PLAIN, {"headers": {"Authorization": token("facts:write")}}),
    "a token": ("GET", PLAIN, {"headers": {"Authorization": token("customers:read")}}),
    "a correlation id": ("GET", PLAIN, {"headers": {"X-Correlation-ID": "call-17"}}),
    "a body": ("POST", PLAIN, {"content": b"Buenas"}),
    "no body": ("POST", PLAIN, {}),
    "a body in pieces": ("POST", PLAIN, {"content": pieces}),
    "a body over the limit": ("POST", PLAIN, {"content": b"x" * 1001}),
    "another method": ("PUT", PLAIN, {}),
    "the head of it": ("HEAD", PLAIN, {}),
    "the options of it": ("OPTIONS", PLAIN, {}),
    "a slash behind it": ("GET", f"{PLAIN}/", {}),
    "an escaped path": ("GET", PLAIN.replace("plain", "pl%61in"), {}),
    **{f"a fault: {fault}": ("GET", f"{PLAIN}/fault?fault={fault}", {}) for fault in FAULTS},
}


async def asked(app: ServiceApp, what: str) -> tuple[Any, ...]:
    method, path, how = ASKED[what]
    content = how.get("content")
    async with client_for(app) as client:
        answer = await client.request(method, path, **how | {"content": content() if callable(content) else content})
        figures = (await client.get("/demo/metrics")).text
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != "x-correlation-id"]
    body = answer.text.replace(answer.headers["x-correlation-id"], "the correlation id")
    counted = [line for line in figures.splitlines() if line.startswith("hilo_http_request_seconds_count{")]
    return answer.status_code, sorted(headers), body, counted


@pytest.mark.parametrize("what", ASKED)
async def test_both_ways_give_the_same_answer_headers_and_figures(what):
    router = plain_routes()
    assert plain(router) == {f"GET {PLAIN}", f"POST {PLAIN}", f"GET {PLAIN}/fault"}
    assert await asked(app_of(router), what) == await asked(app_of(router, direct=False), what)


async def test_a_route_that_answers_is_reached_by_the_short_way():
    """Else the comparison above would compare one way with itself."""
    app = app_of(plain_routes())
    app.router.routes.clear()  # after the short way was found, which is at the first request
    async with client_for(app) as client:
        assert (await client.get("/demo/v1/plain")).status_code == 404
    app = app_of(plain_routes())
    async with client_for(app) as client:
        assert (await client.get("/demo/v1/plain")).status_code == 200
        app.router.routes.clear()
        assert (await client.get("/demo/v1/plain?words=a&words=b&view=agent")).status_code == 200
        assert (await client.get("/demo/v1/plain?limit=x")).status_code == 404


async def test_what_several_requests_raise_does_not_gather_their_frames():
    async with client_for(app_of(plain_routes())) as client:
        for _ in range(3):
            await client.get("/demo/v1/plain/fault?fault=refusal")
    assert FAULTS["refusal"].__traceback__ is None


async def test_beneath_a_root_path_the_framework_finds_the_route():
    app = app_of(plain_routes())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": PLAIN, "root_path": "/demo", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 404  # what is beneath is /v1/plain


async def nested(path: PathOf) -> str:
    return path


async def with_parameter(word: str = "") -> str:
    return word


async def opened() -> AsyncIterator[int]:
    yield 1


class Kept(BaseModel):
    number: int


async def variable(name: str) -> Response: ...
async def required(word: str) -> Response: ...
async def mutable(words: Annotated[list[str], Query()] = []) -> Response: ...  # noqa: B006 - that is what is tested
async def minted(word: Annotated[UUID, Query(default_factory=uuid4)]) -> Response: ...
async def model(kept: Annotated[Kept, Query()]) -> Response: ...
async def sent(body: Annotated[Kept, Body()]) -> Response: ...
async def given() -> Kept: ...
async def with_headers(response: Response) -> Response: ...
async def deep(found: Annotated[str, Depends(nested)]) -> Response: ...
async def parametrised(found: Annotated[str, Depends(with_parameter)]) -> Response: ...
async def closing(found: Annotated[int, Depends(opened)]) -> Response: ...
async def twice(one: PathOf, two: PathOf) -> Response: ...
def threaded() -> Response: ...


@pytest.mark.parametrize(
    "endpoint",
    [required, mutable, minted, model, sent, given, with_headers, deep, parametrised, closing, twice, threaded],
    ids=lambda endpoint: endpoint.__name__,
)
def test_what_needs_more_than_the_request_goes_the_way_of_the_framework(endpoint):
    router = APIRouter(prefix="/demo/v1")
    router.add_api_route("/one", endpoint, methods=["POST"])
    assert plain(router) == set()


def test_a_path_with_something_variable_is_looked_for_and_so_is_what_lies_behind_it():
    async def named() -> Response: ...

    router = APIRouter(prefix="/demo/v1")
    router.add_api_route("/{name}", variable, methods=["GET"])
    router.add_api_route("/known", named, methods=["GET", "POST"])
    assert plain(router) == {"POST /demo/v1/known"}
