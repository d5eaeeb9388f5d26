"""Folders: images are one film, videos are one recording, anything else is refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from stream.errors import SourceError
from stream.sources import SourceOptions, open_source
from stream.sources.base import EPOCH_2000_NS, Picture, Source
from tests.stream.clips import make_clip, number_of, numbered

STEP_NS = 40_000_000


def write_images(folder: Path, numbers: range, name: str = "{}.png") -> None:
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), numbered(number))


def read(folder: Path, options: SourceOptions | None = None) -> tuple[list[Picture], Source]:
    source = open_source(str(folder), "door", options)
    pictures = list(source.frames())
    source.close()
    return pictures, source


def refusal(folder: Path) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(str(folder), "door")
    return str(caught.value)


def test_images_come_in_natural_order(tmp_path: Path) -> None:
    write_images(tmp_path, range(12))
    pictures, source = read(tmp_path)
    assert [number_of(picture.image) for picture in pictures] == list(range(12))  # 2 before 10
    assert (source.expected_frames, source.width, source.height) == (12, 64, 48)


def test_images_have_the_clock_of_their_stated_rate(tmp_path: Path) -> None:
    write_images(tmp_path, range(4))
    pictures, _ = read(tmp_path, SourceOptions(image_fps=30.0))
    assert [picture.captured_ns - EPOCH_2000_NS for picture in pictures] == [0, 33333333, 66666667, 100000000]


def test_a_broken_image_ends_the_film_and_says_which(tmp_path: Path) -> None:
    write_images(tmp_path, range(4))
    (tmp_path / "2.png").write_bytes(b"no image")
    pictures, source = read(tmp_path)
    assert len(pictures) == 2
    assert "2.png" in str(source.problem)


def test_other_files_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path, range(2))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_text("hello")
    assert len(read(tmp_path)[0]) == 2


def test_grey_images_become_colour(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), numbered(3)[..., 0])
    assert read(tmp_path)[0][0].image.shape == (48, 64, 3)


def test_videos_of_a_folder_are_one_recording(tmp_path: Path) -> None:
    make_clip(tmp_path / "part2.mkv", 3)
    make_clip(tmp_path / "part10.mkv", 2)
    pictures, source = read(tmp_path)
    assert [number_of(picture.image) for picture in pictures] == [0, 1, 2, 0, 1]
    assert [picture.number for picture in pictures] == list(range(5))
    assert [picture.captured_ns - EPOCH_2000_NS for picture in pictures] == [n * STEP_NS for n in range(5)]
    assert source.problem is None


def test_a_broken_video_ends_the_recording_and_says_which(tmp_path: Path) -> None:
    make_clip(tmp_path / "1.mkv", 3)
    (tmp_path / "2.mkv").touch()
    with pytest.raises(SourceError, match=r"2\.mkv: the file is empty"):
        open_source(str(tmp_path), "door")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "neither images nor videos" in refusal(tmp_path)


def test_a_folder_of_both_kinds(tmp_path: Path) -> None:
    write_images(tmp_path, range(2))
    make_clip(tmp_path / "a.mkv", 2)
    assert "2 images and 1 videos" in refusal(tmp_path)


def test_an_empty_image_is_found_at_once(tmp_path: Path) -> None:
    write_images(tmp_path, range(3))
    (tmp_path / "2.png").write_bytes(b"")
    assert "2.png" in refusal(tmp_path)
