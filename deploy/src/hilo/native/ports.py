"""Ports on the loopback interface: which of them a server can have."""

import random
import socket

from hilo.native.errors import NativeError

LOOPBACK = "127.0.0.1"


# Below the range from which the system takes the ports of outgoing connections: a server that is killed and started
# again must not find its port lent out.
SERVERS = range(20_000, 32_000)


def free_port(preferred: int | None = None) -> int:
    """The preferred port if nobody has it, else any of the servers' range that is free now."""
    if preferred is not None and is_free(preferred):
        return preferred
    for port in random.sample(SERVERS, k=200):
        if is_free(port):
            return port
    raise NativeError("No free port was found on the loopback interface.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
