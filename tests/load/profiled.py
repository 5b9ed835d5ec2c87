"""python -m tests.load.profiled OUT MODULE [ARGUMENT ...]: a module under cProfile; on SIGTERM its functions' times go to OUT."""

import cProfile
import pstats
import runpy
import signal
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, TextIO

MOST = 60


def main() -> None:
    out, module, *arguments = sys.argv[1:]
    profile = cProfile.Profile()
    # SIGUSR1 begins: imports and the start are another matter.
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    # uvicorn raises SIGTERM again when it has shut down: then the profile must still be written.
    signal.signal(signal.SIGTERM, _end)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        profile.disable()
        with Path(out).open("w") as stream:
            write(profile, stream)


def write(profile: cProfile.Profile, stream: TextIO) -> None:
    """Own time by package and module; functions by own time, and by own time with what they called."""
    stats = pstats.Stats(profile, stream=stream)
    modules: defaultdict[str, float] = defaultdict(float)
    for (path, _, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        modules[_module(path, name)] += own
    whole = sum(modules.values())
    stream.write(f"{whole:.2f} s\n")
    for module, own in sorted(modules.items(), key=lambda item: -item[1])[:MOST]:
        stream.write(f"{own:8.3f} s {own / whole:6.1%}  {module}\n")
    stats.sort_stats("tottime").print_stats(MOST)
    stats.sort_stats("cumulative").print_stats(MOST * 2)
    stats.sort_stats("tottime").print_callers(MOST // 3)


def _module(path: str, name: str) -> str:
    if path == "~":
        return f"built in: {name.strip('<>')}"
    parts = Path(path).parts
    for mark in ("site-packages", "src"):
        if mark in parts:
            inside = parts[parts.index(mark) + 1 :]
            return "/".join(inside if mark == "src" else inside[:2])
    return "/".join(parts[-2:])


def _end(*_: Any) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
