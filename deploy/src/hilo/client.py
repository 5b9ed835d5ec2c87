"""An HTTP client of a running system, with a credential from a file."""

from pathlib import Path
from typing import Any

import httpx
import typer

SERVICE_PORTS = {"identity": 8001, "interactions": 8002, "scoring": 8003, "service-audit": 8004}
UP = "up"  # the word for the distributed stack of `make up`, where each service has a port of its own


class _ByService(httpx.HTTPTransport):
    """Sends each request to the port of the service that its path names, as a reverse proxy would."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        service = request.url.path.split("/", 2)[1]
        request.url = request.url.copy_with(port=SERVICE_PORTS.get(service, request.url.port))
        return super().handle_request(request)


def client_to(to: str, key_file: Path) -> httpx.Client:
    """A client of `to` (an origin, or "up") with the key of `key_file`. Ends the command with a plain word where there is none."""
    if not key_file.exists():
        raise typer.BadParameter(f"{key_file} is not there; `make run` makes it, or name one with --key-file")
    headers = {"Authorization": f"Bearer {_key_of(key_file)}"}
    if to == UP:
        return httpx.Client(base_url="http://127.0.0.1", headers=headers, timeout=60.0, transport=_ByService())
    return httpx.Client(base_url=to, headers=headers, timeout=60.0)


def _key_of(file: Path) -> str:
    """The one line of the file. What is no key is not repeated: it may be a secret of something else."""
    try:
        key = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file} holds no key: {type(error).__name__}") from error
    if not key or not key.isprintable():
        raise typer.BadParameter(f"{file} holds no key: the key and nothing else stands in such a file")
    return key


def asked(answer: httpx.Response) -> Any:
    """The JSON of a good answer; ends the command with the problem's words otherwise."""
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
        words = f"{problem['status']} {problem['code']}: {problem['detail']}"
        for error in problem.get("errors", []):
            words += f"\n  {error['pointer']}: {error['detail']}"
    except (ValueError, KeyError, TypeError):
        words = f"{answer.status_code} {answer.text[:300]}"
    typer.echo(words, err=True)
    raise typer.Exit(1)
