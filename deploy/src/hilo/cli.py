"""The command `hilo`: run the system, load history, look after it."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Hilo: the memory that all channels share.")

Var = Annotated[Path, typer.Option(help="Where data, the secret and the first credential are kept")]


@app.command()
def run(
    var: Var = Path("var"),
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on")] = 8000,
) -> None:
    """Start the whole system in this process: four APIs, their workers, SQLite files. Ctrl-C stops it."""
    from common.service import serve  # noqa: PLC0415 - `hilo --help` answers without loading the system
    from common.telemetry import configure_logging  # noqa: PLC0415
    from hilo.embedded import embedded_app  # noqa: PLC0415

    configure_logging("warning")
    embedded = embedded_app(var.resolve())
    typer.echo(_what_is_where(f"http://{host}:{port}", var))
    serve(embedded, embedded.settings, host=host, port=port)


def _what_is_where(origin: str, var: Path) -> str:
    return "\n".join(
        [
            f"Hilo is starting on {origin}  (this page joins the four services)",
            *(f"  {name:<14} {origin}/{name}/docs" for name in ("identity", "interactions", "scoring", "service-audit")),
            f"  credential     {var}/credential  (Authorization: Bearer <its content>)",
            f"  data           {var}/*.db",
            "`make demo` in another terminal plays a customer's fortnight. Ctrl-C stops.",
        ]
    )


def main() -> None:
    """Entry point of the `hilo` script."""
    app()
