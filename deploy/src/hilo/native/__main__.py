"""`python -m hilo.native`: the distributed stack on this machine, up and down, whole or one role at a time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from common.service import CHANNELS_TOPIC
from hilo.native.errors import NativeError
from hilo.native.postgres import OWNER
from hilo.native.stack import Stack

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Var = Annotated[
    Path, typer.Option(envvar="HILO_VAR", help="Where data, secrets, logs and notes of processes are kept.")
]
RoleName = Annotated[str, typer.Argument(help="For example `kafka`, `scoring-api` or `interactions-worker`.")]
HERE = Path("var")


@app.command()
def up(var: Var = HERE) -> None:
    """Start PostgreSQL, Apache Kafka, the four APIs and the four workers."""
    stack = Stack(var)
    typer.echo("Starting PostgreSQL, Apache Kafka, four APIs and four workers ...")
    stack.up()
    for service in stack.services:
        typer.echo(f"  {service.name:<14} http://127.0.0.1:{service.port}/{service.name}/docs")
    typer.echo(f"  {'PostgreSQL':<14} 127.0.0.1:{stack.postgres.port}, a database per service, of {OWNER}")
    typer.echo(f"  {'its password':<14} {stack.postgres.home / 'password'}")
    typer.echo(f"  {'Apache Kafka':<14} {stack.kafka.bootstrap}, touchpoints to {CHANNELS_TOPIC}")
    typer.echo(f"  {'first key':<14} {stack.credential}")
    typer.echo(f"  {'logs':<14} {stack.logs}")
    typer.echo("`make down` stops exactly these.")


@app.command()
def down(var: Var = HERE) -> None:
    """Stop what runs, in reverse order. The data stay."""
    for name in Stack(var).down():
        typer.echo(f"{name} did not end when asked and was killed.", err=True)
    typer.echo("Everything is down; the data are kept.")


@app.command()
def status(var: Var = HERE) -> None:
    """Tell what runs where. Ends with 1 when something does not run."""
    standings = Stack(var).standings()
    for standing in standings:
        pid = f"runs, pid {standing.process.pid}" if standing.process else "does not run"
        typer.echo(f"{standing.role.name:<22} {pid:<18} {standing.role.where}")
    raise typer.Exit(0 if all(standing.process for standing in standings) else 1)


@app.command()
def start(role: RoleName, var: Var = HERE) -> None:
    """Start one role and wait until it answers."""
    Stack(var).start(role)


@app.command()
def stop(role: RoleName, var: Var = HERE) -> None:
    """Ask one role to end, and wait."""
    for name in Stack(var).stop(role):
        typer.echo(f"{name} did not end when asked and was killed.", err=True)


@app.command()
def kill(role: RoleName, var: Var = HERE) -> None:
    """End one role at once, without a chance to tidy up."""
    Stack(var).kill(role)


def main() -> None:
    try:
        app()
    except NativeError as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
