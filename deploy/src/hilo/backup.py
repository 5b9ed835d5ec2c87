"""Copies of the embedded stack: taken while it runs, of one moment over all four services, and put back while it stands still."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

SERVICES = ("identity", "interactions", "scoring", "service-audit")
KEPT_BESIDE = ("secret", "credential")  # without the secret nobody finds an identifier again
MANIFEST = "manifest.json"
PATIENCE_SECONDS = 30.0


class BackupRefused(Exception):  # noqa: N818 - a decision, told to whoever asked
    """Why a copy was not taken or not put back; nothing was changed."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: when it was taken, and a digest of each file by its name."""

    taken_at: str
    digests: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        try:
            return cls(**json.loads((folder / MANIFEST).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise BackupRefused(f"{folder} holds no backup: its {MANIFEST} cannot be read") from error


def back_up(var: Path, folder: Path, *, now: datetime) -> Manifest:
    """Copy the four databases under `var` and the secret into a new folder. The system may be running; it waits for milliseconds."""
    missing = [name for name in SERVICES if not _file(var, name).exists()]
    if missing:
        raise BackupRefused(f"{var} holds no database of {', '.join(missing)}")
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        return _write(var, folder, now=now)
    except (sqlite3.Error, OSError) as error:
        raise BackupRefused(f"{error}. What {folder} holds is no backup: remove it") from error


def _write(var: Path, folder: Path, *, now: datetime) -> Manifest:
    with _of_one_moment([_file(var, name) for name in SERVICES]) as sources:
        for name, source in zip(SERVICES, sources, strict=True):
            _copy_database(source, _file(folder, name))
    for name in KEPT_BESIDE:
        if (var / name).exists():
            _copy(var / name, folder / name)
    manifest = Manifest(now.astimezone(UTC).isoformat(), _digests(folder))
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def restore(folder: Path, var: Path, *, services: Sequence[str] = (), now: datetime) -> Path:
    """Put back the databases of `services`, of all by default; gives the folder into which those in their place were moved.

    All four bring the secret and the first credential of the backup with them, and so does whichever comes first into a new folder;
    one alone must be of the same secret.
    """
    chosen = list(services or SERVICES)
    manifest = Manifest.read(folder)
    _refuse_damaged(folder, manifest)
    _refuse_running(var)
    brings_secret = set(chosen) == set(SERVICES) or not (var / "secret").exists()
    if not brings_secret:
        _refuse_foreign(folder, var)
    var.mkdir(parents=True, exist_ok=True)
    aside = var / f"replaced-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    aside.mkdir(mode=0o700)
    names = [f"{name}.db" for name in chosen] + [
        each for each in KEPT_BESIDE if brings_secret and each in manifest.digests
    ]
    try:
        parts = {name: _copied_beside(folder / name, var / name) for name in names}
    except OSError:  # a full disk, most often: nothing was moved yet, and the system is to have its room again
        for name in names:
            _part_of(var / name).unlink(missing_ok=True)
        aside.rmdir()
        raise
    for name, part in parts.items():
        _set_aside(var, name, aside)
        part.replace(var / name)
    return aside


@contextmanager
def _of_one_moment(files: Sequence[Path]) -> Iterator[list[sqlite3.Connection]]:
    """Connections that see the files as they were at one moment: while nobody may write, each begins to read."""
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_connected(file))) for file in files]
        with ExitStack() as briefly:
            for file in files:
                writer = briefly.enter_context(closing(_connected(file)))
                writer.execute("BEGIN IMMEDIATE")
            for reader in readers:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield readers


def _connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)


def _copy_database(source: sqlite3.Connection, file: Path) -> None:
    file.touch(mode=0o600)
    with closing(sqlite3.connect(file)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, that needs none beside it
        [state] = target.execute("PRAGMA quick_check").fetchone()
    if state != "ok":
        raise BackupRefused(f"the copy {file.name} is damaged: {state}")


def _copy(source: Path, target: Path) -> None:
    """As a whole or not at all, for the system's user alone."""
    _copied_beside(source, target).replace(target)


def _copied_beside(source: Path, target: Path) -> Path:
    part = _part_of(target)
    part.touch(mode=0o600)
    shutil.copyfile(source, part)
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    return part


def _part_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _set_aside(var: Path, name: str, aside: Path) -> None:
    # What SQLite keeps beside a file belongs to that file: left here, it would be played into the other one.
    for each in (name, f"{name}-wal", f"{name}-shm"):
        if (var / each).exists():
            (var / each).replace(aside / each)


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name != MANIFEST:
            with file.open("rb") as content:
                found[file.name] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


def _refuse_damaged(folder: Path, manifest: Manifest) -> None:
    found = _digests(folder)
    damaged = [name for name, digest in manifest.digests.items() if found.get(name) != digest]
    if damaged:
        raise BackupRefused(f"not as they were written: {', '.join(damaged)}")


def _refuse_running(var: Path) -> None:
    """A process that has a file open keeps a lock on it, in the mode in which the system runs; leaving that mode needs it free."""
    for name in SERVICES:
        file = _file(var, name)
        if not file.exists():
            continue
        with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=0.2)) as connection:
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.OperationalError as error:
                raise BackupRefused(f"{file} is in use: stop the system first") from error
            except sqlite3.DatabaseError:
                continue  # damaged: all the more reason to restore


def _refuse_foreign(folder: Path, var: Path) -> None:
    here, there = var / "secret", folder / "secret"
    if here.exists() and there.exists() and here.read_bytes() != there.read_bytes():
        raise BackupRefused("the backup was taken under another secret: one service of it alone would know nobody")


def _file(folder: Path, service: str) -> Path:
    return folder / f"{service}.db"
