"""Whatever is wrong, the user gets one clear line and a status that is not 0, never a stack trace."""

from __future__ import annotations

import json
import socket
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream.events import read_events
from tests.commands.conftest import Run


def refused(result, *words: str) -> str:
    """The one line that was said; every word must be in it."""
    assert result.returncode not in (0, 1), result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("gaitway:")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]
    return lines[0]


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_missing_file(gaitway: Run) -> None:
    refused(gaitway("run", "--source", "nowhere.mp4"), "nowhere.mp4")


def test_an_empty_file(gaitway: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    refused(gaitway("run", "--source", "empty.mp4"), "empty.mp4")


def test_a_file_that_is_no_video(gaitway: Run, tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("these are words\n" * 100)
    refused(gaitway("run", "--source", "words.mp4"), "words.mp4")


def test_a_file_with_sound_alone(gaitway: Run, tmp_path: Path) -> None:
    audio_only(tmp_path / "song.mp4")
    refused(gaitway("run", "--source", "song.mp4"), "song.mp4")


def test_a_truncated_file_keeps_what_was_read(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    remux = tmp_path / "whole.mkv"
    with av.open(str(walk)) as source, av.open(str(remux), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = remux.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    result = gaitway("run", "--source", "cut.mkv", "--out", "out")
    refused(result, "cut.mkv")
    events = list(read_events(tmp_path / "out" / "events.jsonl"))
    assert events[0].kind == "start"
    assert events[-1].kind == "stop"


def test_a_camera_that_is_not_there(gaitway: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    line = refused(gaitway("run", "--source", f"rtsp://viewer:hunter2@127.0.0.1:{port}/door"), "127.0.0.1")
    assert "hunter2" not in line


def test_a_broken_configuration(gaitway: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("perceive:\n  max_poeple: 3\n")
    refused(gaitway("run", "--config", "p.yaml"), "line 2", "max_people")
    (tmp_path / "p.yaml").write_text("perceive: [")
    refused(gaitway("run", "--config", "p.yaml"), "p.yaml")


def test_no_camera_at_all(gaitway: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("")
    refused(gaitway("run", "--config", "p.yaml"), "camera", "--source")


def test_a_port_in_use(gaitway: Run, walk: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        result = gaitway("run", "--source", walk, "--set", f"events.endpoint={endpoint}")
    refused(result, endpoint, "in use")


def test_an_endpoint_open_to_the_world_is_refused(gaitway: Run, walk: Path) -> None:
    refused(gaitway("run", "--source", walk, "--set", "events.endpoint=tcp://0.0.0.0:5577"), "keys")


def test_no_shared_memory(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    refused(gaitway("run", "--source", walk, "--set", f"stream.shared_memory={missing}"), "nowhere")


def test_too_little_shared_memory(gaitway: Run, walk: Path) -> None:
    refused(gaitway("run", "--source", walk, "--set", "stream.ring_slots=1000000"), "ring_slots")


def test_a_full_disk(gaitway: Run, walk: Path) -> None:
    result = gaitway("run", "--source", walk, "--set", "events.log=/dev/full")
    refused(result, "/dev/full")


def test_an_earlier_log_is_kept(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "events.jsonl").write_text("older\n")
    assert gaitway("run", "--source", walk, "--out", "out").returncode == 0
    assert (tmp_path / "out" / "events.1.jsonl").read_text() == "older\n"


def test_a_gallery_that_is_no_gallery(gaitway: Run, tmp_path: Path) -> None:
    (tmp_path / "gallery.sqlite").write_bytes(b"not a database at all" * 200)
    refused(gaitway("gallery", "list"), "gallery.sqlite")


def test_looking_for_a_gallery_makes_none(gaitway: Run, tmp_path: Path) -> None:
    assert gaitway("gallery", "list").returncode == 0
    refused(gaitway("gallery", "show", "Ada"), "no gallery", "enrol")
    assert not list(tmp_path.glob("gallery*"))


def test_a_wrong_walkers_address(gaitway: Run) -> None:
    refused(gaitway("run", "--source", "walkers:poeple=3"), "people")


def test_removal_without_a_terminal_needs_yes(gaitway: Run) -> None:
    refused(gaitway("gallery", "remove", "Ada"), "--yes")


def test_nobody_to_subscribe_to(gaitway: Run, tmp_path: Path) -> None:
    result = gaitway("subscribe", f"ipc://{tmp_path}/none.sock", "--timeout", "0.3")
    refused(result, "none.sock")


@pytest.mark.parametrize("words", [(), ("dance",), ("run", "--nonsense"), ("bench", "nothing")])
def test_a_wrong_command_line_shows_the_usage(gaitway: Run, words: tuple[str, ...]) -> None:
    result = gaitway(*words)
    assert result.returncode == 2
    assert "usage:" in result.stderr
    assert "Traceback" not in result.stderr


def test_enrolling_nothing_names_what_can_be_enrolled(gaitway: Run) -> None:
    result = gaitway("enrol")
    assert result.returncode == 2
    assert "CLIP" in result.stderr
    assert "--track" in result.stderr


def test_json_output_of_a_good_run_and_what_it_leaves(gaitway: Run, walk: Path, tmp_path: Path) -> None:
    result = gaitway("run", "--source", f"hall={walk}", "--out", "out", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    books = summary["ledger"]["cameras"][0]
    assert summary["ok"]
    assert books["camera"] == "hall"
    assert books["captured"] == books["processed"] == 100
    assert books["lost"] == 0
    assert summary["events"] == len(list(read_events(tmp_path / "out" / "events.jsonl"))) >= 2


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("demo --seeds 0", "from 1 on"),
        ("demo --seed -1", "from 0 on"),
        ("demo --seed many", "'many'"),
        ("bench recognition --people 1", "from 2 on"),
        ("bench recognition --perceived -1", "from 0 on"),
        ("bench ablations --steps 0", "from 1 on"),
        ("bench families --people 1.5", "'1.5'"),
        ("bench walkers --people 0", "from 1 on"),
    ],
)
def test_a_number_that_cannot_be_meant(gaitway: Run, words: str, wanted: str) -> None:
    result = gaitway(*words.split())
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "argument" in result.stderr.splitlines()[-1]
    assert wanted in result.stderr.splitlines()[-1]
