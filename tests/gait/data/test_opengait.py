"""Foreign trees are read as they are; what is wrong with one sequence drops it alone, naming the file."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.data.errors import DataError
from gait.data.opengait import OpenGaitTree, SilSkeletonTree
from gait.data.prepare import Report, prepare
from gait.data.source import Options
from gait.data.store import DataSet
from gait.sample import sample_walk
from tests.gait.data.foreign import coco, put


def opengait(root: Path, people: tuple[str, ...] = ("001", "002")) -> Path:
    for number, person in enumerate(people):
        walk = sample_walk(number, 4)
        put(root / person / "nm-01" / "090" / "0_heatmap.pkl", np.zeros((4, 2, 64, 64), np.uint8))
        put(root / person / "nm-01" / "090" / "1_pose.pkl", coco(4))
        put(root / person / "nm-01" / "090" / "2_sil.pkl", walk.silhouettes)
    (root / "partition.json").write_text(json.dumps({"TRAIN_SET": [people[0]], "TEST_SET": list(people[1:])}))
    return root


def done(root: Path, folder: Path, options: Options | None = None) -> tuple[Report, DataSet]:
    report = prepare("opengait", OpenGaitTree(root, options or Options()), folder, workers=1)
    return report, DataSet.open(folder)


def test_modalities_are_known_by_their_shapes(tmp_path: Path) -> None:
    report, data = done(opengait(tmp_path / "in"), tmp_path / "out")
    walk = data.read(data.entries[1])
    assert np.array_equal(walk.silhouettes, sample_walk(1, 4).silhouettes)
    assert np.array_equal(walk.joints_2d, coco(4))
    assert walk.joints_3d is None
    assert walk.layout.name == "coco17"
    assert data.partition.train == ("001",)
    assert data.partition.test == ("002",)
    assert (report.sequences, report.people, report.frames, report.dropped) == (2, 2, 8, ())


def test_data_in_use_chooses_by_file_name_order(tmp_path: Path) -> None:
    _, data = done(opengait(tmp_path / "in"), tmp_path / "out", Options(data_in_use=(False, False, True)))
    assert data.holds("silhouettes")
    assert not data.holds("joints_2d")


def test_data_in_use_of_another_length_drops_all_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="every sequence was dropped, 2 in all; first: 3 modalities; wanted 2"
    ):
        done(opengait(tmp_path / "in"), tmp_path / "out", Options(data_in_use=(True, True)))


def test_silhouettes_from_zero_to_one_are_scaled(tmp_path: Path) -> None:
    put(tmp_path / "in/1/a/b/x.pkl", sample_walk(0, 3).silhouettes > 127)
    _, data = done(tmp_path / "in", tmp_path / "out")
    assert set(np.unique(data.read(data.entries[0]).silhouettes)) == {0, 255}


class Acts:
    def __reduce__(self) -> Any:
        return os.abort, ()


NAN = coco(4)
NAN[2, 3, 1] = np.nan


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("2_sil.pkl", pickle.dumps(np.zeros((3, 64, 44), np.uint8)), "has 3 frames, but 0_heatmap.pkl has 4"),
        ("2_sil.pkl", b"\x80\x04 damaged", "this pickle is refused"),
        ("2_sil.pkl", b"", "this pickle is refused"),
        (
            "1_pose.pkl",
            pickle.dumps(NAN),
            "joints_2d hold NaN or infinity in 1 of 4 frames, first in frame 2",
        ),
        ("1_pose.pkl", pickle.dumps(Acts()), "this pickle is refused: it asks for posix.abort"),
        ("2_sil.pkl", pickle.dumps(np.full((4, 64, 44), np.nan)), "silhouettes hold NaN"),
        ("2_sil.pkl", pickle.dumps(np.zeros((0, 64, 44))), "holds no frames"),
        ("2_sil.pkl", pickle.dumps({"results": 1}), "the skeleton holds no result"),
    ],
)
def test_one_bad_sequence_is_dropped_with_its_file_and_reason(
    tmp_path: Path, file: str, content: bytes, told: str
) -> None:
    root = opengait(tmp_path / "in", ("001", "002", "003"))
    bad = root / "002/nm-01/090" / file
    bad.write_bytes(content)
    report, data = done(root, tmp_path / "out")
    assert data.people == ("001", "003")
    assert data.partition.test == ("003",)
    assert len(report.dropped) == 1
    assert told in report.dropped[0].reason
    assert str(bad.parent) in report.dropped[0].where


def test_empty_folders_are_told(tmp_path: Path) -> None:
    root = opengait(tmp_path / "in")
    (root / "003/nm-01/000").mkdir(parents=True)
    report, _ = done(root, tmp_path / "out")
    assert [(d.where, d.reason) for d in report.dropped] == [
        (str(root / "003/nm-01/000"), "the folder has no .pkl files")
    ]


@pytest.mark.parametrize("make", [OpenGaitTree, SilSkeletonTree])
def test_nothing_there_is_one_clear_line(tmp_path: Path, make: Any) -> None:
    with pytest.raises(DataError, match="holds no sequence; wanted"):
        prepare("x", make(tmp_path), tmp_path / "out")
    with pytest.raises(DataError, match="is not a folder"):
        prepare("x", make(tmp_path / "nowhere"), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"TRAIN_SET": ["001", "009"], "TEST_SET": ["002"]}', "names 1 people that are not there: 009"),
        ('{"TRAIN_SET": ["001"], "TEST_SET": ["001"]}', "001 in two of its parts"),
        ('{"TRAIN_SET": ["001"]}', "not a partition"),
        ("[", "not a partition"),
    ],
)
def test_a_wrong_partition_names_its_file(tmp_path: Path, content: str, told: str) -> None:
    root = opengait(tmp_path / "in")
    (root / "partition.json").write_text(content)
    with pytest.raises(DataError, match=told) as caught:
        done(root, tmp_path / "out")
    assert str(root / "partition.json") in str(caught.value)


def test_the_pair_of_trees_gives_silhouettes_and_3d_joints(tmp_path: Path) -> None:
    for person in ("001", "002"):
        walk = sample_walk(int(person), 5)
        put(tmp_path / f"in/sil/{person}-nm-01-090/{person}-nm-01-090.pkl", walk.silhouettes)
        put(tmp_path / f"in/skeleton/{person}-nm-01-090/{person}-nm-01-090.pkl", {"result": walk.joints_3d})
    put(tmp_path / "in/sil/anna/morning.pkl", sample_walk(3, 5).silhouettes)
    report = prepare("silskeleton", SilSkeletonTree(tmp_path / "in"), tmp_path / "out")
    data = DataSet.open(tmp_path / "out")
    assert [str(entry) for entry in data.entries] == ["001/nm-01/090", "002/nm-01/090"]
    walk, wanted = data.read(data.entries[0]), sample_walk(1, 5)
    assert np.array_equal(walk.silhouettes, wanted.silhouettes)
    assert wanted.joints_3d is not None
    assert np.array_equal(walk.joints_3d, wanted.joints_3d)
    assert report.dropped[0].reason == "it has no partner under skeleton/"
    alone = SilSkeletonTree(tmp_path / "in", Options(data_in_use=(True, False)))
    prepare("silskeleton", alone, tmp_path / "alone")
    assert not DataSet.open(tmp_path / "alone").holds("joints_3d")


def test_many_processes_give_the_same_files_as_one(tmp_path: Path) -> None:
    for number in range(18):
        put(tmp_path / f"in/{number:03}/a/b/x.pkl", sample_walk(number, 2).silhouettes)
    (tmp_path / "in/005/a/b/x.pkl").write_bytes(b"damaged")
    seen: list[tuple[int, int]] = []
    tree = OpenGaitTree(tmp_path / "in")
    one = prepare(
        "x", tree, tmp_path / "one", workers=1, progress=lambda done, total: seen.append((done, total))
    )
    two = prepare("x", tree, tmp_path / "two", workers=2)
    assert one == two
    assert seen == [(n, 18) for n in range(1, 19)]
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
