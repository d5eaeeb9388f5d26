"""The stream settings: endpoints derived the same everywhere, wrong ones refused with what was wanted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from stream.config import StreamConfig, hop_endpoints, runtime_folder
from stream.errors import ConfigError, ResourceError


@pytest.mark.parametrize(
    "wrong", [{"transport": "udp"}, {"hwm": 0}, {"ring_slots": 1}, {"drain_s": -1}, {"hvm": 3}]
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, StreamConfig)


def test_each_transport_gives_each_hop_its_own_endpoint(tmp_path: Path) -> None:
    for transport, first in (
        ("inproc", f"inproc://{tmp_path}/a"),
        ("ipc", f"ipc://{tmp_path}/a.sock"),
        ("tcp", "tcp://127.0.0.1:17400"),
    ):
        config = msgspec.convert({"transport": transport}, StreamConfig)
        endpoints = hop_endpoints(config, tmp_path, ["a", "b", "c"])
        assert endpoints["a"] == first
        assert len(set(endpoints.values())) == 3


def test_a_hop_can_be_given_its_own_endpoint(tmp_path: Path) -> None:
    config = StreamConfig(endpoints={"b": "tcp://127.0.0.1:9000"})
    assert hop_endpoints(config, tmp_path, ["a", "b"])["b"] == "tcp://127.0.0.1:9000"
    with pytest.raises(ConfigError, match="no hop is called b; wanted some of a, c"):
        hop_endpoints(config, tmp_path, ["a", "c"])


def test_ports_that_run_out_are_refused(tmp_path: Path) -> None:
    config = StreamConfig(transport="tcp", tcp_port=65000)
    with pytest.raises(ConfigError, match="no port is left for hop 536"):
        hop_endpoints(config, tmp_path, [str(n) for n in range(600)])


def test_a_source_waits_in_its_hop_and_never_for_the_ring() -> None:
    config = StreamConfig(hwm=16, ring_slots=8)
    assert config.token_limits.hwm < config.ring_slots
    assert config.limits.hwm == 16


def test_the_runtime_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = runtime_folder(StreamConfig(runtime_folder=str(tmp_path)), "lobby")
    assert folder.name == "lobby"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) & 0o077 == 0
    assert folder == runtime_folder(StreamConfig(runtime_folder=str(tmp_path)), "lobby")


def test_a_runtime_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot be made.*Set stream\.runtime_folder"):
        runtime_folder(StreamConfig(runtime_folder=str(tmp_path / "file")), "lobby")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_runtime_folder_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / f"gaitway-{os.getuid()}"
    taken.mkdir()
    os.chown(taken, 12345, 12345)
    with pytest.raises(ResourceError, match="belongs to another user"):
        runtime_folder(StreamConfig(runtime_folder=str(tmp_path)), "lobby")
