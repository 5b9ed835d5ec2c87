"""What a service tells of itself on paper: its OpenAPI page on shipped files, its AsyncAPI document, the schemas of its events."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from common import events
from common.asyncapi import asyncapi, event_schema
from common.errors import NotFound

STATIC = Path(__file__).with_name("static")
_SHIPPED = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "docs.js": "text/javascript"}
_PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def documents_router(app: FastAPI, name: str, *, publishes: Sequence[str], consumes: Sequence[str]) -> APIRouter:
    router = APIRouter(prefix=f"/{name}", include_in_schema=False)
    schemas = {f"{e.type}.{events.VERSION}.json": e for e in events.registered({*publishes, *consumes})}

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(name, app.title), headers={"Content-Security-Policy": _PAGE_POLICY})

    @router.get("/static/{file}")
    async def static(file: str) -> FileResponse:
        if file not in _SHIPPED:
            raise NotFound
        return FileResponse(STATIC / file, media_type=_SHIPPED[file], headers={"Cache-Control": "public, max-age=3600"})

    @router.get("/asyncapi.json")
    async def events_document() -> JSONResponse:
        return JSONResponse(asyncapi_of(app, name, publishes=publishes, consumes=consumes))

    @router.get("/schemas/{file}")
    async def schema(file: str) -> JSONResponse:
        if file not in schemas:
            raise NotFound
        return JSONResponse(event_schema(schemas[file]), media_type="application/schema+json")

    return router


def asyncapi_of(app: FastAPI, name: str, *, publishes: Sequence[str], consumes: Sequence[str]) -> dict[str, Any]:
    """The AsyncAPI document of an application made by `create_service`."""
    return asyncapi(
        name=name,
        title=f"{app.title}: events",
        description=app.description,
        version=app.version,
        publishes=publishes,
        consumes=consumes,
    )


def _docs_page(name: str, title: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/{name}/static/swagger-ui.css">
<script src="/{name}/static/swagger-ui-bundle.js" defer></script>
<script src="/{name}/static/docs.js" defer></script>
</head>
<body><div id="swagger-ui" data-openapi="/{name}/openapi.json"></div></body>
</html>
"""
