"""Recorded files: every picture once, in order, upright, timed; bad files say in one line what is wrong."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from stream.errors import SourceError
from stream.sources import SourceOptions, open_source
from stream.sources.base import EPOCH_2000_NS, Picture, Source
from tests.stream.clips import make_clip, make_sound, number_of

MS = 1_000_000


def read(path: Path, options: SourceOptions | None = None) -> tuple[list[Picture], Source]:
    source = open_source(str(path), "door", options)
    try:
        return list(source.frames()), source
    finally:
        source.close()


def refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(str(path), "door").close()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "mpeg2video")],
)
def test_every_picture_comes_once_in_order(tmp_path: Path, name: str, codec: str) -> None:
    pictures, source = read(make_clip(tmp_path / name, 30, codec=codec))
    assert [number_of(picture.image) for picture in pictures] == list(range(30))
    assert [picture.number for picture in pictures] == list(range(30))
    assert source.problem is None
    assert source.notes == ()


def test_capture_time_is_the_epoch_plus_the_files_clock(tmp_path: Path) -> None:
    stamps = [0, 40, 50, 200, 1200]  # variable rate
    pictures, source = read(make_clip(tmp_path / "vfr.mkv", 5, stamps=stamps))
    assert [picture.captured_ns - EPOCH_2000_NS for picture in pictures] == [ms * MS for ms in stamps]
    assert source.notes == ()


def test_time_starts_at_the_configured_epoch_wherever_the_files_clock_starts(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "late.mkv", 3, stamps=[7000, 7040, 7080])
    pictures, _ = read(clip, SourceOptions(epoch_ns=5))
    assert [picture.captured_ns for picture in pictures] == [5, 5 + 40 * MS, 5 + 80 * MS]
    assert pictures[0].source_ns == 7000 * MS


def test_what_is_known_before_the_first_picture(tmp_path: Path) -> None:
    source = open_source(str(make_clip(tmp_path / "a.mp4", 10)), "door")
    assert (source.camera, source.live, source.width, source.height) == ("door", False, 64, 48)
    assert (source.fps, source.expected_frames) == (25.0, 10)
    source.close()
    source.close()


def test_run_is_the_content_and_nothing_else(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    copy = tmp_path / "elsewhere.bin"
    copy.write_bytes(clip.read_bytes())
    other = make_clip(tmp_path / "b.mp4", 11)
    runs = [read(path)[1].run for path in (clip, copy, other)]
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0]) == 16


@pytest.mark.parametrize(
    ("rotation", "hflip"), [(90, False), (-90, False), (180, False), (0, True), (90, True)]
)
def test_rotation_and_mirroring_by_metadata_are_applied(tmp_path: Path, rotation: int, hflip: bool) -> None:
    clip = make_clip(tmp_path / "turned.mp4", 2, rotation=rotation, hflip=hflip)
    with av.open(str(clip)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="bgr24")
    expected = stored.copy()
    for _ in range(rotation // 90 % 4):
        expected = expected.swapaxes(0, 1)[::-1]  # a quarter turn against the clock
    if hflip:
        expected = expected[:, ::-1]
    pictures, source = read(clip)
    assert (source.height, source.width) == expected.shape[:2]
    assert (pictures[0].image == expected).all()


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (33, 16)])
def test_odd_sizes_keep_every_column(tmp_path: Path, width: int, height: int) -> None:
    pictures, source = read(make_clip(tmp_path / "odd.mkv", 3, width=width, height=height, codec="ffv1"))
    assert (source.width, source.height) == (width, height)
    assert pictures[2].image.shape == (height, width, 3)
    assert number_of(pictures[2].image) == 2


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (128, 48)), (Fraction(1, 2), (64, 96))])
def test_pixels_that_are_not_square_are_stretched(
    tmp_path: Path, aspect: Fraction, size: tuple[int, int]
) -> None:
    _, source = read(make_clip(tmp_path / "wide.mkv", 2, aspect=aspect))
    assert (source.width, source.height) == size


def test_the_same_file_gives_the_same_pixels_and_times_twice(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 12)
    runs = [[(p.captured_ns, p.image.tobytes()) for p in read(clip)[0]] for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "fast.mp4"])
def test_a_file_cut_short_gives_what_is_there_and_says_so(tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name == "fast.mp4" else {}
    clip = make_clip(tmp_path / name, 100, width=320, height=240, options=options)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) * 6 // 10])
    pictures, source = read(clip)
    assert 20 < len(pictures) < 90
    assert [number_of(picture.image) for picture in pictures] == list(range(len(pictures)))
    assert isinstance(source.problem, SourceError)
    assert "cut short" in str(source.problem)
    assert f"{len(pictures)} pictures" in str(source.problem)


def test_an_mp4_cut_before_its_index_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 30)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert "index" in refusal(clip)


def test_damage_in_the_middle_costs_the_damaged_pictures_only(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.avi", 100, codec="mjpeg")
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    clip.write_bytes(data)
    pictures, _ = read(clip)
    assert 90 <= len(pictures) <= 100
    assert number_of(pictures[-1].image) == 99


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nothing.mp4")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert "empty (0 bytes)" in refusal(tmp_path / "empty.mp4")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt"])
def test_a_text_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("walkers\n" * 500)
    assert "wanted a video" in refusal(tmp_path / name)


def test_random_bytes(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 64)
    assert "not a video" in refusal(tmp_path / "noise.mp4")


@pytest.mark.parametrize("name", ["none.avi", "none.mkv", "none.mp4"])
def test_a_video_of_no_length(tmp_path: Path, name: str) -> None:
    message = refusal(make_clip(tmp_path / name, 0, codec="mpeg4"))
    assert "no picture" in message or "no video" in message


def test_a_codec_that_nobody_knows(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "odd.mkv", 3, codec="mpeg4")
    clip.write_bytes(clip.read_bytes().replace(b"V_MPEG4/ISO/ASP", b"V_MPEG9/ISO/ASP"))
    assert "codec that cannot be decoded" in refusal(clip)


def test_sound_without_pictures(tmp_path: Path) -> None:
    assert "sound but no pictures" in refusal(make_sound(tmp_path / "song.m4a"))


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "secret.mp4")
    clip.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert "may not be read" in refusal(clip)
    finally:
        os.seteuid(user)
