"""Gait3D's and GREW's key points as text: frames in order of number, what is lost or wrong is told."""

from pathlib import Path

import numpy as np
import pytest

from gait.data.kinds import preparation_of
from gait.data.prepare import prepare
from gait.data.store import DataSet


def frame(path: Path, value: float, numbers: int = 53) -> None:
    """The picture's two numbers are 7; joint k lies at (value, k), sure to 0.5."""
    joints = [(value, k, 0.5) for k in range(17)]
    cells = [7.0, 7.0, *np.array(joints).ravel()] if numbers == 53 else [value] * numbers
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(str(cell) for cell in cells))


def test_gait3d_s_frames_come_in_order_of_number(tmp_path: Path) -> None:
    folder = tmp_path / "in/2D_Poses/3001/camid0_videoid2/seq0"
    for number in (10, 9, 100):
        frame(folder / f"human_crop_f{number}.txt", number)
    (folder / "human_crop_f50.txt").write_text("\n")
    frame(tmp_path / "in/2D_Poses/0007/camid1_videoid3/seq1/human_crop_f1.txt", 4, numbers=51)
    report = prepare("gait3d-pose", preparation_of("gait3d-pose", tmp_path / "in"), tmp_path / "out")
    data = DataSet.open(tmp_path / "out")
    assert [str(entry) for entry in data.entries] == [
        "0007/camid1_videoid3/seq1",
        "3001/camid0_videoid2/seq0",
    ]
    walk = data.read(data.entries[1])
    assert walk.layout.name == "coco17"
    assert walk.joints_2d[:, 0, 0].tolist() == [9, 10, 100]
    assert np.array_equal(walk.joints_2d[0, 16], (9, 16, 0.5))
    assert (report.lost_frames, report.dropped) == (1, ())
    assert (data.partition.train, data.partition.test) == (("0007",), ("3001",))


def test_grew_s_poses_have_the_names_of_its_silhouettes(tmp_path: Path) -> None:
    """So that `prepare prepared --poses` finds the pairs; other text of the folder is not looked at."""
    for place in ("train/00001/4XPn5Z28", "test/gallery/00001/abc", "test/probe/def"):
        frame(tmp_path / "in" / place / "00001_2d_pose.txt", 3)
        (tmp_path / "in" / place / "00001_3d_pose.txt").write_text("1,2,3")
    prepare("grew-pose", preparation_of("grew-pose", tmp_path / "in"), tmp_path / "out")
    found = DataSet.open(tmp_path / "out").entries
    assert [(entry.person, entry.name, entry.role) for entry in found] == [
        ("00001", "abc", "gallery"),
        ("00001train", "4XPn5Z28", "train"),
        ("probe", "def", "probe"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1,2,3", "3 numbers"),
        ("a,b", "cannot be read"),
        ("\n", "nobody is in any"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_bad_file_drops_its_sequence_and_is_named(tmp_path: Path, content: str, reason: str) -> None:
    frame(tmp_path / "in/0001/camid0_videoid0/seq0/f1.txt", 1)
    bad = tmp_path / "in/0002/camid0_videoid0/seq0/f1.txt"
    bad.parent.mkdir(parents=True)
    bad.write_text(content, encoding="latin-1")
    report = prepare("gait3d-pose", preparation_of("gait3d-pose", tmp_path / "in"), tmp_path / "out")
    (dropped,) = report.dropped
    assert reason in dropped.reason
    assert "0002" in dropped.where + dropped.reason


def test_a_folder_of_another_name_is_dropped(tmp_path: Path) -> None:
    frame(tmp_path / "in/0001/camid0_videoid0/seq0/f1.txt", 1)
    frame(tmp_path / "in/elsewhere/f1.txt", 1)
    report = prepare("gait3d-pose", preparation_of("gait3d-pose", tmp_path / "in"), tmp_path / "out")
    assert [Path(dropped.where).name for dropped in report.dropped] == ["elsewhere"]
    assert "camid0_videoid2" in report.dropped[0].reason
