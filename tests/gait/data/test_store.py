"""What is written is read back; killed and restarted it ends the same; damage is told in one line."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from gait.data.records import INDEX, JOURNAL, shard_name
from gait.data.store import DataError, DataSet, DataSetWriter, Partition
from gait.inputs import Walk
from gait.skeleton import KINECT18
from gait.skeleton_layouts import Layout
from tests.gait.data.walks import binary_walk, entry, same, some_walk

PEOPLE = ("001", "002", "003")


def write(folder: Path, people: tuple[str, ...] = PEOPLE, shard_bytes: int = 20_000) -> DataSet:
    with DataSetWriter(folder, "by test", shard_bytes) as writer:
        for number, person in enumerate(people):
            for view in ("000", "090"):
                writer.add(entry(person, view=view), some_walk(number))
        writer.finish(Partition(train=people[:1], test=people[1:]))
    return DataSet.open(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_walks_come_back_as_they_were_over_several_shards(tmp_path: Path) -> None:
    data = write(tmp_path)
    assert len(data) == 6
    assert data.people == PEOPLE
    assert data.partition == Partition(("001",), ("002", "003"))
    assert (tmp_path / shard_name(1)).exists()
    assert same(data.read(data.entries[3]), some_walk(1))
    assert {e.person for e in data.of(("003",))} == {"003"}
    data.verify()


def test_silhouettes_of_two_values_take_a_bit_a_pixel(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path) as writer:
        writer.add(entry(frames=5), binary_walk(3))
        writer.finish()
    data = DataSet.open(tmp_path)
    assert same(data.read(data.entries[0]), binary_walk(3))
    assert (tmp_path / shard_name(0)).stat().st_size == 5 * 5
    assert data.holds("silhouettes")
    assert not data.holds("joints_2d")
    assert not data.holds("joints_3d")


@pytest.mark.parametrize(
    "indices", [np.array([4, 0, 0, 2]), slice(1, 4), slice(None, None, 2), np.array([], np.int64)]
)
def test_frames_are_taken_in_any_order(tmp_path: Path, indices: np.ndarray | slice) -> None:
    with DataSetWriter(tmp_path) as writer:
        writer.add(entry("1"), some_walk(1))
        writer.add(entry("2", frames=5), binary_walk(1))
        writer.finish()
    data = DataSet.open(tmp_path)
    for item, walk in zip(data.entries, (some_walk(1), binary_walk(1)), strict=True):
        taken = data.read(item, indices)
        assert np.array_equal(taken.silhouettes, walk.silhouettes[indices])
        assert np.array_equal(taken.joints_2d, walk.joints_2d[indices])


def test_what_is_read_belongs_to_the_caller(tmp_path: Path) -> None:
    data = write(tmp_path)
    walk = data.read(data.entries[0])
    walk.silhouettes[:] = 7
    walk.joints_2d[:] = 7
    assert same(data.read(data.entries[0]), some_walk(0))


@pytest.mark.parametrize("layout", [KINECT18, Layout("mine", ("a", "b"), ((0, 1),))])
def test_a_skeleton_keeps_its_layout(tmp_path: Path, layout: Layout) -> None:
    joints = np.random.default_rng(0).random((6, layout.size, 3), np.float32)
    walk = Walk(np.zeros((6, 0, 0), np.uint8), np.zeros((6, layout.size, 0), np.float32), joints, layout)
    with DataSetWriter(tmp_path) as writer:
        writer.add(entry(), walk)
        writer.finish()
    data = DataSet.open(tmp_path)
    assert same(data.read(data.entries[0]), walk)


def test_another_process_gets_the_same_data_set(tmp_path: Path) -> None:
    data = pickle.loads(pickle.dumps(write(tmp_path)))
    assert same(data.read(data.entries[0]), some_walk(0))


@pytest.mark.parametrize("done", range(7))
@pytest.mark.parametrize("torn", ["nothing", "shard", "journal", "both"])
def test_stopped_anywhere_and_started_again_gives_the_same_files(
    tmp_path: Path, done: int, torn: str
) -> None:
    write(tmp_path / "whole")
    broken = tmp_path / "broken"
    with DataSetWriter(broken, "by test", 20_000) as writer:
        for item in range(done):
            writer.add(entry(PEOPLE[item // 2], view=("000", "090")[item % 2]), some_walk(item // 2))
    if torn in ("shard", "both"):
        last = max(broken.glob("shard-*"), default=broken / shard_name(0))
        with last.open("ab") as file:
            file.write(b"half a silhouette")
        (broken / shard_name(int(last.stem.split("-")[1]) + 1)).write_bytes(b"begun")
    if torn in ("journal", "both"):
        with (broken / JOURNAL).open("ab") as file:
            file.write(b'[["003","nm')
    write(broken)
    assert contents(broken) == contents(tmp_path / "whole")


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    before = contents(tmp_path)
    write(tmp_path)
    assert contents(tmp_path) == before


def test_a_finished_data_set_can_grow(tmp_path: Path) -> None:
    write(tmp_path, PEOPLE[:2])
    assert write(tmp_path).people == PEOPLE


def test_data_prepared_otherwise_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match="prepared otherwise \\(by test\\)"):
        DataSetWriter(tmp_path, "in another way")


def test_two_writers_do_not_share_a_folder(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path), pytest.raises(DataError, match="another process"):
        DataSetWriter(tmp_path)


def test_an_unfinished_data_set_says_so(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path) as writer:
        writer.add(entry(), some_walk(0))
    with pytest.raises(DataError, match="not finished"):
        DataSet.open(tmp_path)


@pytest.mark.parametrize("place", ["no-such-folder", "."])
def test_no_data_set_says_so(tmp_path: Path, place: str) -> None:
    with pytest.raises(DataError, match="no data set here"):
        DataSet.open(tmp_path / place)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not an index of ours"),
        (b"\xff\xfe\x00", "not an index of ours"),
        (b'{"header":{"format":"other"},"crc32":0,"body":{}}', "format 'other'"),
        (b'{"header":{"version":2},"crc32":0,"body":{}}', "version 2.*wanted version 1"),
        (b'{"header":{},"crc32":0,"body":{}}', "changed or cut"),
        (b'{"header":{},"crc32":2745614147,"body":{}}', "something else than sequences"),
    ],
)
def test_a_strange_index_is_told_in_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    write(tmp_path)
    (tmp_path / INDEX).write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        DataSet.open(tmp_path)
    assert str(tmp_path / INDEX) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_cut_of_the_index_is_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    whole = (tmp_path / INDEX).read_bytes()
    for length in range(0, len(whole) - 1, 17):
        (tmp_path / INDEX).write_bytes(whole[:length])
        with pytest.raises(DataError):
            DataSet.open(tmp_path)


def test_a_shard_cut_short_or_gone_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    shard = tmp_path / shard_name(0)
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{shard.name}: is cut short"):
        DataSet.open(tmp_path)
    with pytest.raises(DataError, match="cut short"):
        DataSetWriter(tmp_path, "by test")
    shard.unlink()
    with pytest.raises(DataError, match=f"{shard.name}: is missing"):
        DataSet.open(tmp_path)


def test_a_changed_byte_is_found_by_verify(tmp_path: Path) -> None:
    write(tmp_path)
    shard = tmp_path / shard_name(0)
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=f"{shard.name}: the bytes of 001/nm-01/000"):
        DataSet.open(tmp_path).verify()


def test_walks_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    good = some_walk(0)
    nan = good.joints_2d.copy()
    nan[3, 2, 0] = np.nan
    nothing = np.zeros((0, 16, 3), np.float32)
    cases = {
        "unequal length": Walk(good.silhouettes[:5], good.joints_2d),
        "NaN or infinity in 1 of 6 frames, first in frame 3": Walk(good.silhouettes, nan),
        "is empty": Walk(np.zeros((0, 64, 44), np.uint8), nothing),
        "wanted .T, H, W. uint8": Walk(good.silhouettes.astype(np.float32), good.joints_2d),
        "wanted .T, 16, 3.": Walk(good.silhouettes, good.joints_2d[:, :5]),
    }
    with DataSetWriter(tmp_path) as writer:
        for told, walk in cases.items():
            with pytest.raises(DataError, match=told) as caught:
                writer.add(entry(), walk)
            assert "001/nm-01/090" in str(caught.value)
        with pytest.raises(DataError, match="no sequence was written"):
            writer.finish()


def test_a_partition_must_name_people_there_are_once(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path) as writer:
        writer.add(entry("001"), some_walk(0))
        with pytest.raises(DataError, match="names 2 people that are not there: 004, 005"):
            writer.finish(Partition(("001", "004"), ("005",)))
        with pytest.raises(DataError, match="has 001 in two of its parts"):
            writer.finish(Partition(("001",), (), ("001",)))
