"""The service manager hears that the pipeline is up and goes on, and so finds a supervisor that does not."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.notify import SOCKET, WATCHDOG_US, Manager
from tests.stream.pipelines import Plan
from tests.stream.test_supervisor import started


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        monkeypatch.setenv(SOCKET, str(tmp_path / "notify"))
        monkeypatch.setenv(WATCHDOG_US, "600000")
        yield listening


def test_the_manager_hears_ready_then_signs_of_life_then_the_end(
    manager: socket.socket, tmp_path: Path
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    process = started(Plan(folder=str(folder), frames=100_000, pace_s=0.001))
    while (word := manager.recv(64)) != b"READY=1":
        assert word == b"WATCHDOG=1"
    assert [manager.recv(64) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    os.kill(process.pid, signal.SIGSTOP)
    manager.settimeout(1.5)
    with pytest.raises(TimeoutError):
        read_for_ever(manager)
    os.kill(process.pid, signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    manager.settimeout(30)
    while manager.recv(64) != b"STOPPING=1":
        pass
    process.communicate(timeout=30)


def read_for_ever(manager: socket.socket) -> None:
    while True:
        manager.recv(64)


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET, raising=False)
    manager = Manager()
    manager.ready()
    manager.alive()
    manager.stopping()


def test_stages_do_not_speak_to_the_manager(manager: socket.socket) -> None:
    Manager()
    assert SOCKET not in os.environ
    assert WATCHDOG_US not in os.environ
