"""A file that one process holds at a time: whoever ends, however he ends, lets go of it."""

import fcntl
from pathlib import Path
from typing import TextIO


def hold(file: Path, *, patiently: bool = False) -> TextIO:
    """Hold the file, which is made where there is none, until what this gives is closed; `patiently` waits for whoever holds it.

    Raises BlockingIOError where another holds it, and OSError where there can be no such file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = file.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if patiently else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise
    return handle
