"""Ports on the loopback interface: which is free, and does something listen there."""

import socket

LOOPBACK = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody has it, else any that is free now."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback interface")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
