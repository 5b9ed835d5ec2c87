"""Ports on the loopback interface: which of them a server can have."""

import atexit
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path

from common.holds import hold
from hilo.native.errors import NativeError

LOOPBACK = "127.0.0.1"


# Below the range from which the system takes the ports of outgoing connections: a server that is killed and started
# again must not find its port lent out.
SERVERS = range(20_000, 32_000)
SHARE = 200  # ports; more than one process has servers that it still has to start


def free_port(preferred: int | None = None) -> int:
    """The preferred port if nobody has it, else one that is free now and that no other process gives away: one after the other."""
    if preferred is not None and is_free(preferred):
        return preferred
    own = _own_ports()
    for _ in range(SHARE):
        if is_free(port := next(own)):
            return port
    raise NativeError("No free port was found on the loopback interface.")


@cache
def _own_ports() -> Iterator[int]:
    """A share of the servers' range that is this process alone's, round and round: what it gave away comes again after all the others."""
    for first in random.sample(SERVERS[::SHARE], k=len(SERVERS[::SHARE])):
        with suppress(OSError):  # another process holds it
            atexit.register(hold(Path(tempfile.gettempdir()) / f"hilo-ports-{first}").close)
            return cycle(random.sample(range(first, first + SHARE), k=SHARE))
    raise NativeError("Every port of the servers' range is another process'.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
