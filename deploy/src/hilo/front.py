"""The page that joins the four: what is where, for whoever opens the root of the embedded stack."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from common import problems
from common.service import Service

WORDS = {
    "identity": "Who the customer is: identifiers, golden record, merges and their undoing, facts, preferences, consents.",
    "interactions": "What was said and done on every channel, and the resume: where the conversation stopped, what was promised.",
    "scoring": "What the relationship is worth, tiers, signals, and how to treat the customer.",
    "service-audit": "How well he was served: standards, moments of truth, scorecards, improvement actions.",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2733}"
    "h1{margin-bottom:0}section{border-top:1px solid #d5dde5;padding:.6rem 0}a{color:#0b6bcb;margin-right:1rem}"
)


def front_page(
    services: Sequence[Service], *, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    """A tiny application that answers the root and 404s the rest; its lifespan is that of the whole system."""
    app = FastAPI(title="Hilo", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    problems.install(app)
    page = _page([service.name for service in services])

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front() -> HTMLResponse:
        return HTMLResponse(page)

    return app


def _page(names: Sequence[str]) -> str:
    sections = "".join(
        f"<section><h2>{escape(name)}</h2><p>{escape(WORDS.get(name, ''))}</p>"
        f'<a href="/{name}/docs">API (OpenAPI)</a><a href="/{name}/asyncapi.json">Events (AsyncAPI)</a>'
        f'<a href="/{name}/readyz">Ready?</a><a href="/{name}/metrics">Metrics</a></section>'
        for name in names
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hilo</title>'
        f"<style>{_STYLE}</style></head><body><h1>Hilo</h1>"
        "<p>The memory that all channels share. Every request carries <code>Authorization: Bearer &lt;key&gt;</code>; "
        f"the first key is in <code>var/credential</code>.</p>{sections}</body></html>"
    )
