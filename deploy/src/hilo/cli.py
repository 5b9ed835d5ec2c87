"""The command `hilo`: run the system, load history, look after it."""

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import httpx
import typer

from hilo.client import SERVICE_PORTS, asked, client_to

if TYPE_CHECKING:
    from common.company import Company

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Hilo: the memory that all channels share.")

keys = typer.Typer(no_args_is_help=True, help="Access keys of channel systems, partners and staff tools.")
parked = typer.Typer(no_args_is_help=True, help="What could not be handled: list, look, repair, send again, drop.")
app.add_typer(keys, name="keys")
app.add_typer(parked, name="parked")

Name = Literal["identity", "interactions", "scoring", "service-audit"]
Service = Annotated[Name, typer.Option(help="Whose they are")]
To = Annotated[str, typer.Option("--to", help="Origin of the running system, or `up` for the stack of `make up`")]
KeyFile = Annotated[Path, typer.Option(help="File that holds the credential")]
ORIGIN = "http://127.0.0.1:8000"
CREDENTIAL = Path("var/credential")

Var = Annotated[Path, typer.Option(help="Where data, the secret and the first credential are kept")]
SOME_REFUSED = 3  # a load's end where it came to the end of the file and not all were taken
FREED_WITHIN = 2.0  # seconds: a process that was killed keeps its port and its files for a moment after its own end


@app.command()
def run(
    var: Var = Path("var"),
    host: Annotated[str, typer.Option(envvar="HILO_HOST", help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="HILO_PORT", min=0, max=65535, help="Port to listen on")] = 8000,
) -> None:
    """Start the whole system in this process: four APIs, their workers, SQLite files. Ctrl-C stops it."""
    gc.disable()  # until the system stands: what is loaded stays, and looking through it again and again took a quarter of the start
    from common.holds import hold  # noqa: PLC0415 - `hilo --help` answers without loading the system
    from common.service import serve  # noqa: PLC0415
    from common.telemetry import configure_logging  # noqa: PLC0415
    from hilo.embedded import RUNNING, embedded_app, spoilt_files  # noqa: PLC0415
    from hilo.native.ports import is_free  # noqa: PLC0415
    from hilo.native.processes import wait_until  # noqa: PLC0415

    configure_logging("warning")
    os.umask(0o077)  # what customers said is for the system's user alone
    for name, why in (spoilt := spoilt_files(var.resolve())).items():
        typer.echo(
            f"{var / name}.db cannot be read: {why}. Put the last copy back: hilo restore FOLDER --service {name}",
            err=True,
        )
    if spoilt:
        raise typer.Exit(1)
    try:
        alone = hold(var.resolve() / RUNNING)
    except BlockingIOError as error:
        typer.echo(f"A system runs on {var} already: two would write to the same files", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"{var} cannot be used: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    with alone:
        if not wait_until(lambda: is_free(port), within=FREED_WITHIN):
            typer.echo(f"Port {port} is another program's: name another one with `hilo run --port`", err=True)
            raise typer.Exit(1)
        embedded = embedded_app(var.resolve())
        if "log_level" in embedded.settings.model_fields_set:
            configure_logging(embedded.settings.log_level)
        typer.echo(_what_is_where(f"http://{host}:{port}", var))
        serve(embedded, embedded.settings, host=host, port=port)


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copy")],
    var: Var = Path("var"),
) -> None:
    """Copy the embedded stack into a folder, all four services as of one moment. It may be running."""
    from hilo.backup import BackupRefused, back_up  # noqa: PLC0415

    try:
        manifest = back_up(var.resolve(), folder.resolve(), now=datetime.now(UTC))
    except (BackupRefused, OSError) as refused:
        typer.echo(f"not backed up: {refused}", err=True)
        raise typer.Exit(1) from refused
    typer.echo(f"{len(manifest.digests)} files as of {manifest.taken_at} in {folder}; the secret is among them")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder that `hilo backup` wrote")],
    service: Annotated[
        list[str] | None, typer.Option(help="This one only; give it once for each. Default: all")
    ] = None,
    var: Var = Path("var"),
) -> None:
    """Put a copy of the embedded stack back, while it is stopped. What was there is moved aside, not deleted."""
    from hilo.backup import SERVICES, BackupRefused  # noqa: PLC0415
    from hilo.backup import restore as put_back  # noqa: PLC0415

    unknown = set(service or ()) - set(SERVICES)
    if unknown:
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}", param_hint="--service")
    try:
        aside = put_back(folder.resolve(), var.resolve(), services=service or (), now=datetime.now(UTC))
    except (BackupRefused, OSError) as refused:
        typer.echo(f"not restored: {refused}", err=True)
        raise typer.Exit(1) from refused
    typer.echo(f"restored {', '.join(service or SERVICES)}; what was there lies in {aside}")


@app.command()
def export(
    customer: Annotated[str, typer.Argument(help="The customer's id")],
    to: To = ORIGIN,
    key_file: KeyFile = CREDENTIAL,
) -> None:
    """Write all that the four services have on record of a customer, as one JSON document."""
    with client_to(to, key_file) as client:
        found = {service: asked(client.get(f"/{service}/v1/customers/{customer}/export")) for service in SERVICE_PORTS}
    typer.echo(json.dumps(found, ensure_ascii=False, indent=1))


@app.command()
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, CSV.gz or NDJSON")],
    map_file: Annotated[Path, typer.Option("--map", exists=True, help="TOML map of its columns")],
    to: To = ORIGIN,
    key_file: KeyFile = CREDENTIAL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check every row, send none")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue where an earlier load stopped")] = False,
    verdicts: Annotated[
        Path | None,
        typer.Option(help="CSV to write, a line for each: recorded, duplicate or refused, and whose it is"),
    ] = None,
) -> None:
    """Post the rows of a file as touchpoints, and say how many were recorded, known already, or refused.

    With --dry-run and --verdicts the running system is asked which rows match customers who are there already. Ends with 3
    where rows were refused and all others are in, with 1 where it stopped.
    """
    from hilo.load import absent_columns, count_of, progress_file, touchpoints_of  # noqa: PLC0415
    from hilo.load import load as load_file  # noqa: PLC0415
    from hilo.mapping import BadMap, FileMap  # noqa: PLC0415

    try:
        file_map = FileMap.load(map_file)
    except BadMap as error:
        raise typer.BadParameter(str(error), param_hint="--map") from error
    with _stopping():
        absent = absent_columns(file, file_map)
    if absent is not None:
        typer.echo(absent, err=True)
    if dry_run:
        from hilo.dry_run import check  # noqa: PLC0415
        from hilo.verdicts import Lookup, Verdicts  # noqa: PLC0415

        with _stopping():
            total, rows, company = count_of(file, file_map), touchpoints_of(file, file_map), _company()
            if verdicts is None:
                typer.echo(check(rows, total=total, company=company))
            else:
                with client_to(to, key_file) as client:
                    found = check(
                        rows, total=total, company=company, verdicts=Verdicts(verdicts), lookup=Lookup(client)
                    )
                typer.echo(found)
        return
    progress = progress_file(key_file.parent, file, map_file, to)
    with client_to(to, key_file) as client, _stopping("\nWhat was sent stays; go on with --resume."):
        tally = load_file(file, file_map, client=client, progress=progress, resume=resume, verdicts=verdicts)
    typer.echo(f"{tally.recorded} recorded, {tally.duplicate} duplicate, {tally.refused} refused")
    for example in tally.examples:
        typer.echo(f"  refused: {example}")
    if tally.refused:
        typer.echo(f"Read and repair the refused: hilo parked list --to {to}")
        raise typer.Exit(SOME_REFUSED)


@contextmanager
def _stopping(what_now: str = "") -> Iterator[None]:
    """What stops the command is told in a line, and not by a traceback."""
    from hilo.load import LoadStopped  # noqa: PLC0415 - `hilo --help` answers without loading the system

    try:
        yield
    except (LoadStopped, httpx.TransportError) as stopped:
        typer.echo(f"stopped: {stopped}{what_now}", err=True)
        raise typer.Exit(1) from stopped


def _company() -> "Company":
    """The company's settings, as the services read them."""
    from common.company import Company  # noqa: PLC0415 - `hilo --help` answers without loading the system

    company_file = os.environ.get("HILO_COMPANY_FILE")
    return Company.load(Path(company_file) if company_file else None)


@app.command()
def match(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, CSV.gz or NDJSON")],
    map_file: Annotated[Path, typer.Option("--map", exists=True, help="TOML map of its columns, as for `load`")],
    out: Annotated[Path, typer.Option(help="CSV to write: record_id,cluster_id,probability")],
    second: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, metavar="[FILE2]", help="Link FILE with this one")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="NDJSON to write: each pair linked or in doubt, why, field by field, in bits")
    ] = None,
    learn: Annotated[
        Path | None,
        typer.Option(help="JSON to write: the weights that were learnt, for HILO_MATCH_WEIGHTS of identity"),
    ] = None,
) -> None:
    """Find the rows that are one person's. Nothing is learnt from labels; no server is needed.

    With FILE2, pairs are looked for between the two files only, never within one; any number of rows of either may belong
    together. OUT has a row for each row, those of FILE first. `probability` is how surely a row belongs to its cluster;
    of a row that is alone, how surely it does.
    """
    from hilo.mapping import BadMap, FileMap  # noqa: PLC0415 - `hilo --help` answers without loading the system
    from hilo.match import match as match_files  # noqa: PLC0415

    try:
        file_map = FileMap.load(map_file)
    except BadMap as error:
        raise typer.BadParameter(str(error), param_hint="--map") from error
    paths = [file] if second is None else [file, second]
    with _stopping():
        rows, clusters, in_doubt = match_files(
            paths, file_map, out=out, explain=explain, learnt=learn, company=_company()
        )
    typer.echo(f"{rows} rows are {clusters} persons; {in_doubt} pairs are in doubt. Written to {out}")


@app.command()
def address(country: Annotated[str, typer.Option(help="Where they are: two letters, ISO 3166")] = "CO") -> None:
    """Read an address a line and write raw, key, readable form and confidence, with tabs between: equal keys are one place."""
    from hilo.address import normalised  # noqa: PLC0415

    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.stdout.writelines(f"{line}\n" for line in normalised(sys.stdin, country))


@app.command()
def token(
    scope: Annotated[list[str], typer.Option(help="A scope; give the option once for each")],
    subject: Annotated[
        str | None, typer.Option(help="customer:<id> or partner:<name>: whose data alone it sees")
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, max=1440)] = 60,
    name: Annotated[str, typer.Option(help="Who it is for, as logs and records show it")] = "developer",
    var: Var = Path("var"),
) -> None:
    """A signed token of one's own, for development without an identity provider; production refuses it."""
    from common.auth import SCOPES, checked_subject  # noqa: PLC0415
    from common.auth.tokens import dev_token  # noqa: PLC0415

    if unknown := [one for one in scope if one not in SCOPES]:
        raise typer.BadParameter(f"{unknown[0]} is none; they are {', '.join(sorted(SCOPES))}", param_hint="--scope")
    try:
        subject = None if subject is None else checked_subject(subject)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--subject") from error
    if not (var / "secret").exists():
        raise typer.BadParameter(f"{var / 'secret'} is not there; `make run` makes it", param_hint="--var")
    secret = (var / "secret").read_text().strip()
    typer.echo(dev_token(secret, subject=name, name=name, scopes=scope, hilo_subject=subject, seconds=minutes * 60))


@keys.command("make")
def make_key(
    name: Annotated[str, typer.Argument(help="Who will use it")],
    scope: Annotated[list[str], typer.Option(help="A scope; give the option once for each")],
    source: Annotated[str | None, typer.Option(help="The source whose touchpoints it records")] = None,
    attests: Annotated[list[str] | None, typer.Option(help="A scheme that its source proves")] = None,
    subject: Annotated[str | None, typer.Option(help="customer:<id> or partner:<name>")] = None,
    to: To = ORIGIN,
    key_file: KeyFile = CREDENTIAL,
) -> None:
    """Make an access key. It is shown this once."""
    body = {"name": name, "scopes": scope, "source": source, "attests": attests or [], "subject": subject}
    with client_to(to, key_file) as client:
        typer.echo(asked(client.post("/identity/v1/access-keys", json=body))["key"])


@keys.command("list")
def list_keys(to: To = ORIGIN, key_file: KeyFile = CREDENTIAL) -> None:
    """The access keys, without their secrets."""
    with client_to(to, key_file) as client:
        for item in asked(client.get("/identity/v1/access-keys"))["items"]:
            gone = "  (revoked)" if item["revoked"] else ""
            typer.echo(f"{item['key_id']}  {item['name']:<24} {' '.join(item['scopes'])}{gone}")


@keys.command("revoke")
def revoke_key(key_id: str, to: To = ORIGIN, key_file: KeyFile = CREDENTIAL) -> None:
    """Take a key away; all services refuse it within seconds."""
    with client_to(to, key_file) as client:
        asked(client.delete(f"/identity/v1/access-keys/{key_id}"))
    typer.echo("revoked")


@parked.command("list")
def list_parked(service: Service = "interactions", to: To = ORIGIN, key_file: KeyFile = CREDENTIAL) -> None:
    """What waits to be looked at, the newest first."""
    with client_to(to, key_file) as client:
        cursor: str | None = None
        while True:
            params: dict[str, str | int] = {"limit": 200, **({"cursor": cursor} if cursor else {})}
            page = asked(client.get(f"/{service}/v1/parked", params=params))
            for item in page["items"]:
                typer.echo(f"{item['id']}  {item['parked_at']}  {item['kind']:<10} {item['code']:<24} {item['origin']}")
            cursor = page["next"]
            if cursor is None:
                return


@parked.command("show")
def show_parked(
    parked_id: str, service: Service = "interactions", to: To = ORIGIN, key_file: KeyFile = CREDENTIAL
) -> None:
    """One of them, with its body and why it was refused."""
    with client_to(to, key_file) as client:
        typer.echo(json.dumps(asked(client.get(f"/{service}/v1/parked/{parked_id}")), indent=2, ensure_ascii=False))


@parked.command("repair")
def repair_parked(
    parked_id: str,
    body: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="File with the mended body")],
    service: Service = "interactions",
    to: To = ORIGIN,
    key_file: KeyFile = CREDENTIAL,
) -> None:
    """Put a mended body in the place of the refused one; then send it again with `replay`."""
    try:
        mended = body.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{body} cannot be read as text: {error}", param_hint="--body") from error
    with client_to(to, key_file) as client:
        path = f"/{service}/v1/parked/{parked_id}"
        version = asked(client.get(path))["version"]
        asked(client.put(path, json={"body": mended}, headers={"If-Match": f'"{version}"'}))
    typer.echo("repaired")


@parked.command("replay")
def replay_parked(
    parked_id: str, service: Service = "interactions", to: To = ORIGIN, key_file: KeyFile = CREDENTIAL
) -> None:
    """Send one again; it counts once, however often it is sent."""
    with client_to(to, key_file) as client:
        asked(client.post(f"/{service}/v1/parked/{parked_id}:replay"))
    typer.echo("replayed")


@parked.command("drop")
def drop_parked(
    parked_id: str, reason: str, service: Service = "interactions", to: To = ORIGIN, key_file: KeyFile = CREDENTIAL
) -> None:
    """It will not be handled; kept among the dropped with the reason."""
    with client_to(to, key_file) as client:
        asked(client.post(f"/{service}/v1/parked/{parked_id}:drop", json={"reason": reason}))
    typer.echo("dropped")


@app.command()
def status(
    to: To = ORIGIN,
    as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
) -> None:
    """Who is ready, what waits in which outbox, how far each consumer is behind, what is parked. Ends with 1 unless all is well."""
    from hilo import status as standings  # noqa: PLC0415

    found = standings.look(standings.places(to))
    typer.echo(json.dumps(standings.as_json(found), indent=2) if as_json else standings.table(found))
    raise typer.Exit(0 if all(each.is_well for each in found) else 1)


Up = Annotated[bool, typer.Option("--up", help="On the stack of `make up`, not on the SQLite files of `make run`")]
Known = Annotated[Name, typer.Argument()]


@app.command()
def replay(
    service: Known,
    topic: Annotated[str, typer.Option(help="For example interactions.v1")],
    start: Annotated[
        str | None, typer.Option("--from", help="A moment, or a place as the parked list shows it")
    ] = None,
    until: Annotated[str | None, typer.Option(help="A moment or a place; without it up to the end")] = None,
    new_database: Annotated[
        bool,
        typer.Option(
            "--new-database",
            help="Also what is older than an inbox remembers: where the database was made anew, and has forgotten nothing",
        ),
    ] = False,
    up: Up = False,
    var: Var = Path("var"),
) -> None:
    """Give a range of one topic to one consumer once more. What was handled stays handled; what was missed gets its effect."""
    import asyncio  # noqa: PLC0415

    from common.bus.delivery import ConsumerStopped  # noqa: PLC0415 - `hilo --help` answers without loading the system
    from common.bus.history import Place  # noqa: PLC0415
    from common.errors import Refusal  # noqa: PLC0415
    from hilo import again  # noqa: PLC0415

    try:
        bounds = [None if words is None else Place.parse(words) for words in (start, until)]
    except ValueError as error:
        raise typer.BadParameter("a moment such as 2026-11-20T00:00, or a place such as 3:1200") from error
    try:
        if up:
            given = [f"--{name}={words}" for name, words in (("from", start), ("until", until)) if words is not None]
            given += ["--new-database"] if new_database else []
            raise typer.Exit(again.on_native(var, service, "replay", "--topic", topic, *given))
        done = asyncio.run(again.replay_embedded(var.resolve(), service, topic, *bounds, new_database=new_database))
    except (Refusal, ConsumerStopped, LookupError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(str(done))


@app.command()
def rebuild(
    service: Known,
    short_log: Annotated[
        bool,
        typer.Option("--short-log", help="The log has lost its beginning: mend states from what there is, leave sums"),
    ] = False,
    up: Up = False,
    var: Var = Path("var"),
) -> None:
    """Build what a service projects from the others' events anew, from the log, while the old answers; then exchange them at once."""
    import asyncio  # noqa: PLC0415

    from common.bus.delivery import ConsumerStopped  # noqa: PLC0415 - `hilo --help` answers without loading the system
    from common.errors import Refusal  # noqa: PLC0415
    from hilo import again  # noqa: PLC0415

    try:
        if up:
            more = ["--short-log"] if short_log else []
            raise typer.Exit(again.on_native(var, service, "rebuild", *more))
        count = asyncio.run(again.rebuild_embedded(var.resolve(), service, short_log=short_log))
    except (Refusal, ConsumerStopped, LookupError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"rebuilt from {count} events")


@app.command()
def republish(
    service: Known,
    kind: Annotated[str, typer.Argument(help="For example links, people or values; any other word lists them")],
    up: Up = False,
    var: Var = Path("var"),
) -> None:
    """Have a service tell its state anew, as events: for whoever holds on to something that is gone, or never heard it."""
    import asyncio  # noqa: PLC0415

    from hilo import again  # noqa: PLC0415 - `hilo --help` answers without loading the system

    try:
        if up:
            raise typer.Exit(again.on_native(var, service, "republish", kind))
        count = asyncio.run(again.republish_embedded(var.resolve(), service, kind))
    except LookupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{count} events of {kind}")


@app.command()
def demo(to: To = ORIGIN, key_file: KeyFile = CREDENTIAL) -> None:
    """Play one customer's fortnight over seven channels, and print the resume as the agent and as he himself may see it."""
    from hilo.demo import play  # noqa: PLC0415

    with client_to(to, key_file) as client:
        play(client)


def _what_is_where(origin: str, var: Path) -> str:
    return "\n".join(
        [
            f"Hilo is starting on {origin}  (this page joins the four services)",
            *(
                f"  {name:<14} {origin}/{name}/docs"
                for name in ("identity", "interactions", "scoring", "service-audit")
            ),
            f"  credential     {var}/credential  (Authorization: Bearer <its content>)",
            f"  data           {var}/*.db",
            "`make demo` in another terminal plays a customer's fortnight. Ctrl-C stops.",
        ]
    )


def main() -> None:
    """Entry point of the `hilo` script. What only an operator can mend is told in a line, and not by a traceback."""
    try:
        app()
    except httpx.ConnectError as error:
        origin = str(error.request.url.copy_with(raw_path=b""))
        sys.exit(f"Nothing answers at {origin}: start it with `make run` or `make up`, or say where it is with --to.")
    except httpx.TransportError as error:
        sys.exit(f"stopped: {type(error).__name__} {error}".rstrip())
    except Exception as error:
        from common.mishaps import words_for  # noqa: PLC0415 - `hilo --help` answers without loading the system

        words = words_for(error)
        if words is None:
            raise
        sys.exit(words)
