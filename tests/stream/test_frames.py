"""The frame ring: nothing is overwritten under a reader, nothing stale is read, nothing is left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import ringfile
from stream.errors import MessageError, ResourceError
from stream.frames import (
    FrameReader,
    FrameRing,
    FrameWriter,
    HeldFrames,
    StaleFrameError,
    reclaim,
    remove_rings,
    shared_memory_folder,
    sweep,
)
from stream.messages import FrameRef, FrameToken
from tests.stream.leaks import no_leaks
from tests.stream.pipelines import picture, reference

__all__ = ["no_leaks"]
SLOT = 64 * 48 * 3
FOLDER = shared_memory_folder()


@pytest.fixture
def ring(tmp_path: Path):
    made = FrameRing.create("door", slots=3, slot_bytes=SLOT, folder=tmp_path, pipeline="test")
    yield made
    made.close()


@pytest.fixture
def reader(tmp_path: Path):
    made = FrameReader(folder=tmp_path)
    yield made
    made.close()


def write(ring: FrameRing, number: int, **how) -> FrameToken | None:
    frame = reference(number)
    return ring.write(frame, picture(frame), **how)


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_every_frame_survives_many_wrap_arounds(ring: FrameRing, reader: FrameReader) -> None:
    for number in range(20):
        token = write(ring, number)
        with reader.lease(token) as image:
            assert np.array_equal(image, picture(token.frame))


def test_pixels_are_read_only_and_not_a_copy(ring: FrameRing, reader: FrameReader) -> None:
    token = write(ring, 7)
    with reader.lease(token) as first:
        assert not first.flags.writeable
        assert not first.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            first[0, 0, 0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            first.flags.writeable = True


def test_a_live_writer_is_told_when_all_slots_are_taken(ring: FrameRing, reader: FrameReader) -> None:
    tokens = [write(ring, number, timeout_s=0) for number in range(4)]
    assert tokens[3] is None
    reader.skip(tokens[1])
    assert write(ring, 4, timeout_s=0).slot == tokens[1].slot


def test_a_recorded_writer_waits_for_the_reader_to_let_go(ring: FrameRing, reader: FrameReader) -> None:
    tokens = [write(ring, number) for number in range(3)]
    written = threading.Event()
    late: list[FrameToken | None] = []

    def go_on() -> None:
        late.append(write(ring, 3))
        written.set()

    with reader.lease(tokens[0]) as image:
        thread = threading.Thread(target=go_on)
        thread.start()
        assert not written.wait(0.05)
        assert np.array_equal(image, picture(tokens[0].frame))
    assert written.wait(5)
    thread.join()
    assert late[0].slot == tokens[0].slot


def test_a_waiting_writer_wakes_when_stopped(ring: FrameRing) -> None:
    for number in range(3):
        write(ring, number)
    asked = iter([False, False, True])
    assert write(ring, 3, stopped=lambda: next(asked)) is None


def test_a_released_token_is_stale(ring: FrameRing, reader: FrameReader) -> None:
    token = write(ring, 0)
    reader.skip(token)
    with pytest.raises(StaleFrameError, match="frame 0 is no longer in slot 0"), reader.lease(token):
        pytest.fail("leased a released frame")


def test_an_overwritten_token_is_stale(ring: FrameRing, reader: FrameReader) -> None:
    old = write(ring, 0)
    reader.skip(old)
    for number in range(1, 4):
        newest = write(ring, number)
    assert newest.slot == old.slot
    with pytest.raises(StaleFrameError), reader.lease(old):
        pytest.fail("leased an overwritten frame")
    with reader.lease(newest) as image:
        assert np.array_equal(image, picture(newest.frame))


def test_a_lease_taken_away_is_noticed_when_it_ends(ring: FrameRing, reader: FrameReader) -> None:
    token = write(ring, 0)
    with pytest.raises(StaleFrameError), reader.lease(token):
        assert ring.reclaim(os.getpid()) == 1


def test_an_error_while_leasing_still_releases(ring: FrameRing, reader: FrameReader) -> None:
    token = write(ring, 0)
    with pytest.raises(ZeroDivisionError), reader.lease(token):
        raise ZeroDivisionError
    assert ring.outstanding() == []


def test_every_column_must_let_go(tmp_path: Path) -> None:
    ring = FrameRing.create("door", slots=1, slot_bytes=SLOT, readers=2, folder=tmp_path)
    first, second = FrameReader(column=0, folder=tmp_path), FrameReader(column=1, folder=tmp_path)
    token = write(ring, 0)
    first.skip(token)
    assert write(ring, 1, timeout_s=0) is None
    second.skip(token)
    assert write(ring, 1, timeout_s=0) is not None
    with pytest.raises(ResourceError, match="no reader column 2"):
        FrameReader(column=2, folder=tmp_path).skip(token)
    for open_one in (ring, first, second):
        open_one.close()


def test_a_killed_readers_leases_are_reclaimed(ring: FrameRing, tmp_path: Path) -> None:
    tokens = [write(ring, number) for number in range(3)]
    code = (
        "import sys, msgspec; from pathlib import Path; from stream.frames import FrameReader;"
        "from stream.messages import FrameToken;"
        "token = msgspec.json.decode(sys.argv[1], type=FrameToken);"
        "lease = FrameReader(folder=Path(sys.argv[2])).lease(token); lease.__enter__();"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = child(code, msgspec.json.encode(tokens[0]).decode(), str(tmp_path))
    assert holder.stdout.readline() == "held\n"
    assert write(ring, 3, timeout_s=0) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert [token.frame.number for token in ring.outstanding()] == [0, 1, 2]
    assert reclaim("test", holder.pid, tmp_path) == 3
    assert write(ring, 3, timeout_s=0) is not None


def test_a_dead_pipelines_rings_are_swept_and_a_living_ones_kept(ring: FrameRing, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stream.frames import FrameRing;"
        "ring = FrameRing.create('c', slots=2, slot_bytes=4096, folder=Path(sys.argv[1]), pipeline='dead');"
        "print(ring.name, flush=True); sys.stdin.read()"
    )
    writer = child(code, str(tmp_path))
    name = writer.stdout.readline().strip()
    assert sweep(tmp_path) == []
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert sweep(tmp_path) == [name]
    assert [path.name for path in tmp_path.iterdir()] == [ring.name]


@pytest.mark.usefixtures("no_leaks")
def test_close_leaves_neither_file_nor_descriptor_nor_mapping(tmp_path: Path) -> None:
    writer, reader = FrameWriter("door", folder=tmp_path), FrameReader(folder=tmp_path)
    frame = reference(0)
    with reader.lease(writer.write(frame, picture(frame))) as image:
        kept = image.copy()
    del image
    reader.close()
    writer.close()
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(kept, picture(frame))


def test_what_a_source_left_is_removed_by_pipeline(ring: FrameRing, tmp_path: Path) -> None:
    other = FrameRing.create("door", slots=1, slot_bytes=SLOT, folder=tmp_path, pipeline="other")
    assert remove_rings("test", tmp_path) == [ring.name]
    assert [path.name for path in tmp_path.iterdir()] == [other.name]
    other.close()


def test_a_frame_that_grew_opens_a_bigger_ring_and_loses_nothing(tmp_path: Path, reader: FrameReader) -> None:
    writer = FrameWriter("door", slots=2, folder=tmp_path)
    small, big = reference(0), reference(1, width=640, height=480)
    first, second = writer.write(small, picture(small)), writer.write(big, picture(big))
    assert first.ring != second.ring
    for token in (first, second):
        with reader.lease(token) as image:
            assert np.array_equal(image, picture(token.frame))
    third = writer.write(reference(2), picture(reference(2)))
    assert third.ring == second.ring
    assert [path.name for path in tmp_path.iterdir()] == [second.ring]
    writer.close()


def test_a_ring_refuses_a_frame_that_does_not_fit(ring: FrameRing) -> None:
    big = reference(0, width=640, height=480)
    with pytest.raises(ResourceError, match=r"door: a frame of 640x480; wanted at most 12288 bytes"):
        ring.write(big, picture(big))


@pytest.mark.parametrize("image", [np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.float32)])
def test_pixels_of_another_form_are_refused(ring: FrameRing, image: np.ndarray) -> None:
    with pytest.raises(MessageError, match="wanted \\(48, 64, 3\\) of uint8"):
        ring.write(reference(0), image)


def test_withdrawn_tokens_free_their_slots(ring: FrameRing) -> None:
    for number in range(9):
        ring.withdraw(write(ring, number, timeout_s=0))
    assert ring.drain(0)


def test_drain_says_whether_all_was_read(ring: FrameRing, reader: FrameReader) -> None:
    token = write(ring, 0)
    assert not ring.drain(0.01)
    reader.skip(token)
    assert ring.drain(0.01)


def test_full_shared_memory_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ringfile.os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"No space left.*wanted 50 MB.*--shm-size") as caught:
        FrameRing.create("door", slots=8, slot_bytes=1920 * 1080 * 3, folder=tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_shared_memory_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"there is no folder .*nowhere for frames"):
        FrameRing.create("door", slots=2, slot_bytes=SLOT, folder=tmp_path / "nowhere")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(ResourceError):
        FrameRing.create("door", slots=2, slot_bytes=SLOT, folder=blocked)


@pytest.mark.parametrize(
    ("slots", "size", "readers"), [(0, 10, 1), (2, 0, 1), (2, 10, 0), (2, 10, 9), (2, 1 << 40, 1)]
)
def test_impossible_rings_are_refused(tmp_path: Path, slots: int, size: int, readers: int) -> None:
    with pytest.raises(ResourceError, match="wanted 1 to 1024 slots"):
        FrameRing.create("door", slots=slots, slot_bytes=size, readers=readers, folder=tmp_path)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "gaitway-a/../b.frames", "", "x" * 300, "gaitway-.frames"]
)
def test_a_token_cannot_name_a_file_elsewhere(reader: FrameReader, name: str) -> None:
    with (
        pytest.raises(MessageError, match="no frame ring can be called"),
        reader.lease(FrameToken(reference(0), name, 0, 1)),
    ):
        pytest.fail("leased")


def test_a_token_of_a_ring_that_is_gone_is_stale(reader: FrameReader) -> None:
    with pytest.raises(StaleFrameError), reader.lease(FrameToken(reference(0), "gaitway-gone.frames", 0, 1)):
        pytest.fail("leased")


@pytest.mark.parametrize(("slot", "generation"), [(99, 1), (0, 2), (1, 1)])
def test_a_token_of_no_written_slot_is_stale(
    ring: FrameRing, reader: FrameReader, slot: int, generation: int
) -> None:
    write(ring, 0)
    with pytest.raises(StaleFrameError), reader.lease(FrameToken(reference(0), ring.name, slot, generation)):
        pytest.fail("leased")


def test_a_token_that_claims_more_pixels_than_a_slot_holds_is_refused(
    ring: FrameRing, reader: FrameReader
) -> None:
    token = write(ring, 0)
    lie = FrameToken(reference(0, width=4000, height=4000), token.ring, token.slot, token.generation)
    with pytest.raises(MessageError, match="frame of 4000x4000"), reader.lease(lie):
        pytest.fail("leased")


@pytest.mark.parametrize("content", [b"", b"GAITRING", b"x" * 4096, b"GAITRING" + bytes(4088)])
def test_foreign_and_cut_ring_files_are_refused(tmp_path: Path, reader: FrameReader, content: bytes) -> None:
    (tmp_path / "gaitway-foreign.frames").write_bytes(content)
    with pytest.raises(MessageError), reader.lease(FrameToken(reference(0), "gaitway-foreign.frames", 0, 1)):
        pytest.fail("leased")


def test_a_ring_file_cut_short_is_refused(ring: FrameRing, reader: FrameReader, tmp_path: Path) -> None:
    token = write(ring, 0)
    whole = (tmp_path / ring.name).read_bytes()
    (tmp_path / "gaitway-cut.frames").write_bytes(whole[:-4096])
    cut = FrameToken(token.frame, "gaitway-cut.frames", token.slot, token.generation)
    with pytest.raises(MessageError, match="cut short"), reader.lease(cut):
        pytest.fail("leased")


def test_held_frames_lease_as_the_ring_does() -> None:
    frames = HeldFrames()
    token = frames.hold(reference(3), picture(reference(3)))
    with frames.lease(token) as image:
        assert np.array_equal(image, picture(token.frame))
        assert not image.flags.writeable
    with pytest.raises(StaleFrameError), frames.lease(FrameToken(reference(0), "held", 1, 1)):
        pytest.fail("leased")


@given(st.lists(st.integers(0, 3), max_size=60))
def test_whatever_the_order_of_reading_a_token_gives_its_own_pixels_or_is_stale(moves: list[int]) -> None:
    """Move 0 writes; move k reads the k-th oldest token ever made, so released ones are tried again too."""
    ring = FrameRing.create("door", slots=2, slot_bytes=SLOT, folder=FOLDER, pipeline="property")
    reader, tokens, released = FrameReader(folder=FOLDER), [], set()
    try:
        for number, move in enumerate(moves):
            if move == 0:
                token = write(ring, number, timeout_s=0)
                assert (token is None) == (len(tokens) - len(released) == 2)
                tokens += [token] if token else []
            elif move <= len(tokens):
                _read(reader, tokens[-move], released)
    finally:
        reader.close()
        ring.close()


def _read(reader: FrameReader, token: FrameToken, released: set[int]) -> None:
    if token.generation in released:
        with pytest.raises(StaleFrameError), reader.lease(token):
            pytest.fail("leased")
    else:
        with reader.lease(token) as image:
            assert np.array_equal(image, picture(FrameRef(*msgspec.structs.astuple(token.frame))))
        released.add(token.generation)
