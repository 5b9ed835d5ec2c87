"""A real Apache Kafka, one KRaft node on the loopback interface, run from its Maven jars."""

import hashlib
import os
import secrets
import shutil
import signal
import socket
import string
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path

from common.holds import hold
from hilo.native.errors import NativeError
from hilo.native.ports import LOOPBACK, free_port
from hilo.native.processes import Process, ended_on_failure, launch, wait_for

VERSION = "4.2.0"
RECIPE = Path(__file__).resolve().parents[3] / "kafka"  # deploy/kafka: this runs from a checkout
JAVA_AT_LEAST = 17
START_WITHIN = 90.0
# The second compiler makes a long-running broker faster and a short-lived one slower.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def jars() -> Path:
    """The directory with the broker's jars: fetched once with Maven, kept in the user's cache for every later start."""
    recipe = RECIPE / "pom.xml"
    if not recipe.exists():
        raise NativeError(f"The broker is started from a checkout of the repository: {recipe} is not there.")
    name = f"kafka-{VERSION}-{hashlib.sha256(recipe.read_bytes()).hexdigest()[:8]}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hilo"
    libraries = cache / name
    with hold(cache / f"{name}.lock", patiently=True):
        if not libraries.exists():
            _fetch(recipe, libraries)
    return libraries


def _fetch(recipe: Path, libraries: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NativeError(
            "Maven (mvn) is needed once, to fetch Apache Kafka. Install it: `make deps` as root on Debian or Ubuntu."
        )
    # Renamed when complete: a fetch that broke off leaves no half directory behind.
    with tempfile.TemporaryDirectory(dir=libraries.parent) as scratch:
        fetched = Path(scratch) / "libs"
        command = [maven, "-q", "-B", "-C", "-f", str(recipe), "dependency:copy-dependencies"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={fetched}"], cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NativeError(f"Maven could not fetch Apache Kafka:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        fetched.rename(libraries)


def find_java() -> str:
    java = shutil.which("java")
    if java is None:
        raise NativeError(
            "Java is needed to run Apache Kafka. Install it: `make deps` as root on Debian or Ubuntu, or any JRE >= 17."
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = answer.partition('"')[2].partition('"')[0].partition(".")[0].partition("-")[0]
    if not major.isdigit() or int(major) < JAVA_AT_LEAST:
        raise NativeError(
            f"Apache Kafka {VERSION} needs Java {JAVA_AT_LEAST} or later; `{java}` is {major or 'unknown'}."
        )
    return java


@dataclass
class KafkaServer:
    """One node in one directory. `quick` is for tests: a fast start before throughput, and it ends with its starter."""

    home: Path
    port: int = 0
    quick: bool = False
    heap: str = "512m"
    process: Process | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.java = find_java()
        self.classpath = f"{jars()}/*"

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def settings(self) -> Path:
        return self.home / "server.properties"

    def initialise(self) -> None:
        """Writes the settings and formats the log directory, unless that is done."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        data = self.home / "log"
        template = string.Template((RECIPE / "server.properties").read_text())
        ports = {"PORT": str(self.port), "CONTROLLER_PORT": str(free_port())}
        self.settings.write_text(template.substitute(ports, LOG=str(data)))
        if not (data / "meta.properties").exists():
            self._java("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self.settings))

    def start(self) -> Process:
        """Starts the broker and returns once it has registered with its controller and answers."""
        self.initialise()
        options = ["-Xms256m", f"-Xmx{self.heap}", *(QUICK if self.quick else ())]
        logging = f"-Dlog4j2.configurationFile={RECIPE / 'log4j2.properties'}"
        self.process = launch(
            [self.java, *options, logging, "-cp", self.classpath, "kafka.Kafka", self.settings],
            log=self.log,
            directory=self.home,
            when_orphaned=signal.SIGTERM if self.quick else None,
        )
        with ended_on_failure(self.process):
            wait_for(self.process, self.answers, name="Apache Kafka", log=self.log, within=START_WITHIN)
        return self.process

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop(signal.SIGTERM, within=30)
        self.process = None

    def answers(self) -> bool:
        """Whether the broker names itself as a member of the cluster: before that, topics cannot be made."""
        try:
            return _brokers_known_to(self.port) > 0
        except (OSError, struct.error):
            return False

    def _java(self, *arguments: str) -> None:
        logging = f"-Dlog4j2.configurationFile={RECIPE / 'log4j2.properties'}"
        command = [self.java, "-XX:TieredStopAtLevel=1", logging, "-cp", self.classpath, *arguments]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NativeError(f"{arguments[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _cluster_id() -> str:
    """16 bytes in URL-safe base64. The first is a letter's: one id in 64 would begin with a dash, and be read as an option."""
    return urlsafe_b64encode(b"hilo" + secrets.token_bytes(12)).decode().rstrip("=")


def _brokers_known_to(port: int) -> int:
    """Asks for the cluster's members in Kafka's protocol: Metadata (api 3), version 4, of no topic, creating none."""
    client = b"hilo"
    request = struct.pack(">hhih", 3, 4, 1, len(client)) + client + struct.pack(">i?", 0, False)
    with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        (size,) = struct.unpack(">i", stream.read(4))
        _correlation, _throttled, brokers = struct.unpack(">iii", stream.read(size)[:12])
    return int(brokers)
