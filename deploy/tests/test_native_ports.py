"""No two servers are given one port, in one process or in several that start theirs at the same time."""

import subprocess
import sys
from contextlib import ExitStack

import pytest

from hilo.native.ports import SHARE, free_port

GIVEN = "from hilo.native.ports import free_port; print(*(free_port() for _ in range(60)), flush=True); input()"


def test_what_was_given_away_is_not_given_again_before_it_is_taken() -> None:
    given = [free_port() for _ in range(SHARE // 2)]
    assert len(set(given)) == len(given)


def test_processes_that_run_at_the_same_time_give_away_different_ports() -> None:
    given: list[int] = [free_port() for _ in range(60)]
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", GIVEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(4)
        ]
        for other in others:
            assert other.stdout is not None
            given += map(int, other.stdout.readline().split())
        for other in others:
            other.communicate("\n", timeout=20)
    assert len(given) == 300
    assert len(set(given)) == 300


def test_the_share_of_a_process_that_has_ended_is_another_s(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = "from hilo.native import ports; ports.SERVERS = range(20_000, 20_200); print(ports.free_port())"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert int(done.stdout) in range(20_000, 20_200)
