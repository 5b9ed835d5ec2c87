"""The short way to a route: what is asked for by one exact path need not be looked for among all that there are."""

import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from fastapi import FastAPI, Request, Response, params
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

_SIMPLE = frozenset({str, int, float, bool, UUID, NoneType})
_PLAIN_DEPENDENCY = frozenset({"name", "call", "path", "request_param_name", "use_cache", "scope"})
_PLAIN_ROUTE = _PLAIN_DEPENDENCY | {"query_params", "header_params", "dependencies"}


class Direct:
    """In front of FastAPI's router: takes what is plain to the same endpoints, for a third of the cost.

    A route is plain that has no variable in its path, gives a `Response`, reads its body itself, and asks for nothing but
    the request, simple parameters that may be left out, and dependencies that need only the request. All others go
    FastAPI's way; so does a request of which a parameter is not as it should be, and FastAPI says what is wrong with it.
    """

    def __init__(self, app: ASGIApp, *, service: FastAPI) -> None:
        self._app = app
        self._service = service
        self._routes = direct_routes(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        arguments = found.read(request)
        if arguments is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route
        try:
            response = await found.answer(request, arguments)
        except Exception as error:  # noqa: BLE001 - those that are no answer are raised again
            response = await self._refused(request, error)
        await response(scope, receive, send)

    async def _refused(self, request: Request, error: Exception) -> Response:
        handlers = self._service.exception_handlers
        handler = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
        if handler is None:
            raise error
        response: Response = await handler(request, error)  # type: ignore[misc]
        error.__traceback__ = None  # the requests of one group share it, and it would gather all their frames
        return response


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter of the query or a header, which FastAPI has made a field of."""

    name: str
    key: str
    is_header: bool
    many: bool
    default: Any
    field: ModelField

    def given(self, query: QueryParams, headers: Headers) -> Any:
        """As it was sent; None where it was not."""
        if self.is_header:
            return headers.get(self.key)
        return (query.getlist(self.key) or None) if self.many else query.get(self.key)


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A route with all that can be known of it before anybody asks."""

    route: APIRoute
    request_name: str | None
    parameters: Sequence[_Parameter]
    dependencies: Sequence[tuple[str | None, Callable[[Request], Awaitable[Any]]]]

    def read(self, request: Request) -> dict[str, Any] | None:
        """The arguments that stand in the request itself; None where one of them is not valid."""
        arguments: dict[str, Any] = {}
        query, headers = (request.query_params, request.headers) if self.parameters else (QueryParams(), Headers())
        for parameter in self.parameters:
            value = parameter.given(query, headers)
            if value is None:
                value = parameter.default
            else:
                value, errors = parameter.field.validate(value)
                if errors:
                    return None
            arguments[parameter.name] = value
        if self.request_name is not None:
            arguments[self.request_name] = request
        return arguments

    async def answer(self, request: Request, arguments: dict[str, Any]) -> Response:
        """What the endpoint answers; raises what the dependencies and the endpoint raise."""
        for name, call in self.dependencies:
            solved = await call(request)
            if name is not None:
                arguments[name] = solved
        response: Response = await self.route.endpoint(**arguments)
        return response


def direct_routes(app: FastAPI) -> Mapping[tuple[str, str], DirectRoute]:
    """The plain routes by method and path, but those that another one, declared before, would answer for."""
    found: dict[tuple[str, str], DirectRoute] = {}
    before: list[RouteContext] = []
    for context in iter_route_contexts(app.routes):
        plain = _plain(context)
        if plain is not None:
            for method in plain.route.methods or ():
                if not any(_takes(earlier, method, plain.route.path) for earlier in before):
                    found[method, plain.route.path] = plain
        before.append(context)
    return found


def _takes(context: RouteContext, method: str, path: str) -> bool:
    return (not context.methods or method in context.methods) and context.path_regex.match(path) is not None


def _plain(context: RouteContext) -> DirectRoute | None:
    route = context.original_route
    if not isinstance(route, APIRoute) or route.path != context.path or context.max_body_size is not None:
        return None
    dependant: Dependant = context.dependant
    steps, asked = dependant.dependencies, [*dependant.query_params, *dependant.header_params]
    is_plain = (
        _asked(dependant) <= _PLAIN_ROUTE
        and all(_asked(step) <= _PLAIN_DEPENDENCY and step.request_param_name for step in steps)
        and len({step.call for step in steps}) == len(steps)  # none that is to be solved once for two
        and all(map(_is_awaited, [route.endpoint, *(step.call for step in steps)]))
        and _gives_response(route.endpoint)
        and all(map(_is_simple_field, asked))
    )
    if not is_plain:
        return None
    calls = [(step.name, step.call) for step in steps]
    return DirectRoute(route, dependant.request_param_name, [_parameter(field) for field in asked], calls)  # type: ignore[arg-type]


def _asked(dependant: Dependant) -> set[str]:
    return {each.name for each in fields(dependant) if getattr(dependant, each.name)}


def _is_awaited(call: Any) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)


def _gives_response(endpoint: Any) -> bool:
    given = inspect.signature(endpoint).return_annotation
    return isinstance(given, type) and issubclass(given, Response)


def _is_simple_field(field: ModelField) -> bool:
    info = field.field_info
    inner = get_args(info.annotation)[0] if _is_many(info.annotation) else info.annotation
    is_ordinary = not (info.is_required() or info.default_factory or info.validate_default or info.validation_alias)
    return (
        isinstance(info, params.Query | params.Header)
        and is_ordinary
        and isinstance(info.default, Hashable)  # all requests share it
        and _is_simple(inner)
    )


def _is_many(annotation: Any) -> bool:
    return get_origin(annotation) in (list, Sequence)


def _is_simple(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:  # bounds of each of many: the field itself looks to them
        return _is_simple(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(map(_is_simple, get_args(annotation)))
    return annotation in _SIMPLE or get_origin(annotation) is Literal


def _parameter(field: ModelField) -> _Parameter:
    info = field.field_info
    return _Parameter(
        name=field.name,
        key=field.alias,
        is_header=isinstance(info, params.Header),
        many=_is_many(info.annotation),
        default=field.default,
        field=field,
    )
