"""A recording gives back what perception saw: every pixel, every end, in order; damage is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.errors import MessageError, ResourceError, SourceError
from stream.frames import FrameReader, FrameWriter, HeldFrames, StaleFrameError
from stream.ledger import Count, Ledger
from stream.messages import EndOfStream, FrameRef, FrameToken, Message
from stream.recorder import ORDER, RecordedEnd, RecordedFrame, RecordedFrames, Recorder, read_order
from stream.sources import SourceOptions, open_source, register_source
from stream.sources.replayed import PREFIX, RecordedSource, camera_of, play, replay
from stream.stop import Stop, never

RNG = np.random.default_rng(7)


def frame(number: int, camera: str = "a", run: str = "r", size: tuple[int, int] = (64, 48)) -> FrameRef:
    return FrameRef(camera, run, number, 10**18 + number * 40_000_000, number, *size)


def noise(size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return RNG.integers(0, 256, (size[1], size[0], 3), np.uint8)


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, list[tuple[FrameRef, np.ndarray] | EndOfStream]]:
    """Two cameras; one is lost, comes back with another size, and skips numbers where frames were dropped."""
    items: list[tuple[FrameRef, np.ndarray] | EndOfStream] = [
        (frame(0), noise()),
        (frame(0, "b"), noise()),
        (frame(3), noise()),
        EndOfStream("a", "r", 9, 5, "no picture for 2 s", last=False),
        (frame(0, run="s", size=(33, 27)), noise((33, 27))),
        (frame(1, "b"), noise()),
        EndOfStream("b", "r", 2, 6, "stopped"),
        EndOfStream("a", "s", 1, 7, "stopped"),
    ]
    recorder = Recorder(tmp_path)
    for item in items:
        if isinstance(item, EndOfStream):
            recorder.end(item)
        else:
            recorder.note(recorder.write(*item))
    recorder.close()
    return tmp_path, items


def lines_of(folder: Path, camera: str) -> list:
    return [line for line in read_order(folder) if camera_of(line) == camera]


def test_every_pixel_and_every_end_comes_back_in_order(recorded) -> None:
    folder, items = recorded
    assert [camera_of(line) for line in read_order(folder)] == ["a", "b", "a", "a", "a", "b", "b", "a"]
    for camera in "ab":
        wanted = [i for i in items if (i.camera if isinstance(i, EndOfStream) else i[0].camera) == camera]
        for got, item in zip(play(folder, lines_of(folder, camera)), wanted, strict=True):
            if isinstance(item, EndOfStream):
                assert got == item
            else:
                assert got[0] == item[0]
                assert np.array_equal(got[1], item[1])


def test_the_files_are_for_their_user_alone(recorded) -> None:
    folder, _ = recorded
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


def test_a_stale_frame_is_not_in_the_order(tmp_path: Path) -> None:
    class Gone(HeldFrames):
        def lease(self, token: FrameToken):
            raise StaleFrameError("gone")

    recorder = Recorder(tmp_path)
    held = HeldFrames()
    token = held.hold(frame(0), noise())
    with pytest.raises(StaleFrameError), RecordedFrames(Gone(), recorder).lease(token):
        pytest.fail("leased")
    with RecordedFrames(held, recorder).lease(token) as image:
        assert not image.flags.writeable
    recorder.close()
    assert len(read_order(tmp_path)) == 1


class Outbox:
    def __init__(self, reader: FrameReader) -> None:
        self.sent: list[Message] = []
        self.images: list[np.ndarray] = []
        self._reader = reader

    def send(self, message: Message, stopped=never) -> bool:
        self.sent.append(message)
        if isinstance(message, FrameToken):
            with self._reader.lease(message) as image:
                self.images.append(image.copy())
        return True

    def close(self) -> None:
        pass


def test_a_replay_sends_what_was_sent(recorded, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, items = recorded
    memory = tmp_path_factory.mktemp("memory")
    ledger = Ledger.create(memory / "ledger", ["source"], ["a", "b"])
    writer, reader = FrameWriter("a", slots=2, folder=memory), FrameReader(folder=memory)
    outbox = Outbox(reader)
    replay(folder, "a", writer, outbox, ledger.stage("source"), Stop())
    frames = [item for item in items if not isinstance(item, EndOfStream) and item[0].camera == "a"]
    assert [m.frame for m in outbox.sent if isinstance(m, FrameToken)] == [ref for ref, _ in frames]
    assert all(np.array_equal(got, image) for got, (_, image) in zip(outbox.images, frames, strict=True))
    ends = [item for item in items if isinstance(item, EndOfStream) and item.camera == "a"]
    assert [m for m in outbox.sent if isinstance(m, EndOfStream)] == ends
    assert ledger.stage("source").value("a", Count.SENT) == 3
    reader.close()
    writer.close()
    ledger.close()


def test_a_recording_stands_in_for_a_camera(recorded) -> None:
    folder, items = recorded
    register_source(PREFIX, RecordedSource)
    source = open_source(f"recording:{folder}#b", "door", SourceOptions())
    pictures = list(source.frames())
    assert [picture.number for picture in pictures] == [0, 1]
    assert np.array_equal(pictures[0].image, items[1][1])
    assert not source.live
    with pytest.raises(SourceError, match=r"which camera of the recording.*#a, #b"):
        open_source(f"recording:{folder}", "door", SourceOptions())


def test_a_torn_last_line_is_left_out(recorded) -> None:
    folder, items = recorded
    path = folder / ORDER
    path.write_bytes(path.read_bytes()[:-5])
    assert len(read_order(folder)) == len(items) - 1


@pytest.mark.parametrize("line", [b"{}\n", b'{"type":"frame"}\n', b"\xff\n", b"[]\n"])
def test_a_damaged_order_is_one_clear_line(tmp_path: Path, line: bytes) -> None:
    (tmp_path / ORDER).write_bytes(line)
    with pytest.raises(MessageError, match="damaged recording"):
        read_order(tmp_path)


def test_no_recording_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"no recording.*run --record DIR"):
        read_order(tmp_path / "nowhere")


def test_missing_pixels_are_one_clear_line(recorded) -> None:
    folder, _ = recorded
    (folder / "a-0.mkv").unlink()
    with pytest.raises(SourceError, match="a part of the recording is missing"):
        list(play(folder, lines_of(folder, "a")))


def test_a_film_cut_short_is_one_clear_line(recorded) -> None:
    folder, _ = recorded
    path = folder / "a-0.mkv"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SourceError, match=r"cut short|missing"):
        list(play(folder, lines_of(folder, "a")))


def test_a_recording_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot name the file"):
        list(play(tmp_path, [RecordedFrame(frame(0), "../../etc/passwd", 0)]))


def test_ends_and_frames_name_their_camera() -> None:
    assert camera_of(RecordedEnd(EndOfStream("x", "r", 0, 0))) == "x"
