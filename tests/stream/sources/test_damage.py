"""Whatever lies in a file, a source hands out pictures or one clear error, and leaves nothing open."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import SourceError
from stream.sources import SourceOptions, open_source
from tests.stream.clips import make_clip

KINDS = {"a.mp4": "libx264", "a.mkv": "mpeg4", "a.avi": "mjpeg", "a.ts": "mpeg2video"}


@cache
def clip(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        return make_clip(Path(folder) / name, 8, codec=KINDS[name]).read_bytes()


def read(path: Path, threads: int = 1) -> tuple[str, list[tuple[int, bytes]]]:
    """What came of it: how it ended, and every picture's time and pixels."""
    try:
        source = open_source(str(path), "door", SourceOptions(decode_threads=threads))
    except SourceError as error:
        return str(error), []
    pictures = [(picture.captured_ns, picture.image.tobytes()) for picture in source.frames()]
    source.close()
    return str(source.problem), pictures


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damaged_bytes_give_pictures_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = bytearray(clip(name))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    ended, pictures = read(path)
    assert "\n" not in ended
    assert (ended, pictures) == read(path)  # concealed the same way twice
    times = [captured_ns for captured_ns, _ in pictures]
    assert times == sorted(set(times))


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "RIFF", "\x1aE\xdf\xa3", "GIF89a", "#EXTM3U\n", "ffconcat version 1.0\n"]),
)
def test_any_bytes_give_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, head: str
) -> None:
    path = tmp_path_factory.mktemp("noise") / "noise"
    path.write_bytes(head.encode("latin-1") + content)
    ended, _ = read(path)
    assert "\n" not in ended


def test_a_list_of_addresses_in_a_file_is_not_followed(tmp_path: Path) -> None:
    """A file from outside must not make this host open connections or other files."""
    secret = make_clip(tmp_path / "secret.ts", 5, codec="mpeg2video")
    for name, content in {
        "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "b.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile '{secret}'\n",
        "b.ffconcat": "ffconcat version 1.0\nfile secret.ts\n",
    }.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(SourceError):
            open_source(str(tmp_path / name), "door")


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_picture(tmp_path: Path, threads: int) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    assert read(path, threads) == read(path, 1)


def test_refused_files_are_closed_again(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(1000))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        read(tmp_path / "noise.mp4")
        read(tmp_path / "nothing.mp4")
    assert len(os.listdir("/proc/self/fd")) == before
