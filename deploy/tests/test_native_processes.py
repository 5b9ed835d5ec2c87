"""Processes that are found again by pid and start time."""

import os
import shutil
import signal
import sys
import textwrap

import pytest

from hilo.native import processes
from hilo.native.errors import NativeError
from hilo.native.processes import Process, ended_on_failure, launch, recall, remember, wait_for, wait_until

SLEEP = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log" / "program.log"


@pytest.fixture
def sleeper(log):
    process = launch(SLEEP, log=log)
    yield process
    process.kill()


def test_a_remembered_process_is_recalled(sleeper, tmp_path):
    file = tmp_path / "run" / "sleeper.pid"
    remember(sleeper, file)
    assert recall(file) == sleeper


def test_a_pid_that_was_given_to_another_process_is_not_recalled(sleeper, tmp_path):
    file = tmp_path / "sleeper.pid"
    remember(Process(pid=sleeper.pid, started="long ago"), file)
    assert recall(file) is None
    assert not file.exists()
    assert sleeper.is_alive()


def test_an_unreadable_note_is_no_process(tmp_path):
    file = tmp_path / "broken.pid"
    file.write_text("{")
    assert recall(file) is None


def test_a_process_that_ends_when_asked_is_not_killed(sleeper):
    assert sleeper.stop(within=10)
    assert not sleeper.is_alive()


def test_a_process_that_does_not_listen_is_killed(log):
    process = launch(DEAF, log=log)
    wait_for(process, lambda: "deaf" in log.read_text(), name="deaf", log=log, within=10)
    assert not process.stop(within=0.3)
    assert not process.is_alive()


def test_the_program_outlives_a_keyboard_interrupt_of_the_terminal(sleeper):
    import os

    assert os.getsid(sleeper.pid) == sleeper.pid


def test_a_program_that_ends_while_starting_shows_the_end_of_its_log(log):
    process = launch([sys.executable, "-c", "raise SystemExit('no such table')"], log=log)
    with pytest.raises(NativeError, match="no such table"):
        wait_for(process, lambda: False, name="api", log=log, within=10)


def test_a_program_that_never_answers_is_ended(log):
    process = launch(SLEEP, log=log)
    with pytest.raises(NativeError, match="did not answer within"), ended_on_failure(process):
        wait_for(process, lambda: False, name="api", log=log, within=0.3)
    assert not process.is_alive()


def test_a_signal_to_an_ended_process_goes_nowhere(sleeper):
    sleeper.kill()
    sleeper.send(signal.SIGTERM)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is not there")
def test_a_process_that_is_called_dead_has_left_its_pid(sleeper, monkeypatch):
    def asked_as_it_dies(pid):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: start_time(pid) is None, within=10)
        return start_time(pid)

    start_time = processes._start_time
    monkeypatch.setattr(processes, "_start_time", asked_as_it_dies)
    assert not sleeper.is_alive()
    with pytest.raises(ProcessLookupError):  # a server that looks whether its predecessor is gone must not find it
        os.kill(sleeper.pid, 0)


def test_a_server_of_a_test_run_ends_with_it_even_when_the_run_is_killed(tmp_path):
    run = f"""
        import signal, sys, time
        from pathlib import Path
        from hilo.native.processes import launch, remember
        process = launch({SLEEP!r}, log=Path({str(tmp_path / "log")!r}), when_orphaned=signal.SIGTERM)
        remember(process, Path({str(tmp_path / "pid")!r}))
        time.sleep(60)
    """
    starter = launch([sys.executable, "-c", textwrap.dedent(run)], log=tmp_path / "starter.log")
    assert wait_until(lambda: recall(tmp_path / "pid") is not None, within=20)
    server = recall(tmp_path / "pid")
    starter.kill()
    assert wait_until(lambda: not server.is_alive(), within=10)
