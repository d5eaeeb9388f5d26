"""Every published folder naming is understood; what does not fit is named; pictures are aligned."""

import json
from pathlib import Path

import numpy as np
import pytest

from gait.data.errors import DataError
from gait.data.images import WIDTH
from gait.data.kinds import KINDS, preparation_of
from gait.data.prepare import Report, prepare
from gait.data.source import Options
from gait.data.store import DataSet
from gait.inputs import Walk
from gait.sample import sample_walk
from gait.skeleton import GAITWAY16, KINECT25, Layout
from tests.gait.data.foreign import coco, put, put_picture, put_pictures


def done(kind: str, root: Path, options: Options | None = None) -> tuple[Report, DataSet]:
    out = root.parent / "out"
    report = prepare(kind, preparation_of(kind, root, options), out, workers=1)
    return report, DataSet.open(out)


@pytest.mark.parametrize(
    ("kind", "folders", "entries", "train"),
    [
        ("casia-b", ["001/nm-01/090", "075/cl-02/180"], ["001/nm-01/090", "075/cl-02/180"], ("001",)),
        (
            "oumvlp",
            ["Silhouette_090-01/00003", "Silhouette_000-00/00004"],
            ["00003/01/090", "00004/00/000"],
            ("00003",),
        ),
        (
            "grew",
            ["train/00001/aa", "test/gallery/00001/bb", "test/probe/cc"],
            ["00001/bb", "00001train/aa", "probe/cc"],
            ("00001train",),
        ),
        (
            "gait3d",
            ["0002/camid0_videoid2/seq0", "3000/camid1_videoid0/seq3"],
            ["0002/camid0_videoid2/seq0", "3000/camid1_videoid0/seq3"],
            ("0002",),
        ),
        ("ccpg", ["000/U0_D0_BG/01_0", "100/U3_D3/02_1"], ["000/U0_D0_BG/01_0", "100/U3_D3/02_1"], ("000",)),
        (
            "sustech1k",
            ["0000/01-nm/090/Camera-Sils", "0250/02-bg/000"],
            ["0000/01-nm/090", "0250/02-bg/000"],
            ("0000",),
        ),
    ],
)
def test_the_naming_of_each_data_set(
    tmp_path: Path, kind: str, folders: list[str], entries: list[str], train: tuple[str, ...]
) -> None:
    for number, folder in enumerate(folders):
        put_pictures(tmp_path / "in" / folder, number)
    put_pictures(tmp_path / "in" / "something else")
    report, data = done(kind, tmp_path / "in")
    assert [str(entry) for entry in data.entries] == entries
    assert data.partition.train == train
    assert set(data.partition.test) == set(data.people) - set(train)
    assert [Path(d.where).name for d in report.dropped] == ["something else"]
    assert f"none of {kind}" in report.dropped[0].reason


def test_pictures_are_aligned_and_empty_ones_counted(tmp_path: Path) -> None:
    folder = put_pictures(tmp_path / "in/001/nm-01/090", frames=4)
    put_picture(folder / "000.png", np.zeros((120, 100), np.uint8))
    noise = np.zeros((120, 100), np.uint8)
    noise[3, 4] = 255
    put_picture(folder / "999.png", noise)
    report, data = done("casia-b", tmp_path / "in")
    images = data.read(data.entries[0]).silhouettes
    assert images.shape == (4, 64, WIDTH)
    assert images[:, [0, -1]].any(axis=2).all()
    assert (report.frames, report.lost_frames) == (4, 2)


def test_bad_pictures_drop_their_sequence(tmp_path: Path) -> None:
    for view in ("000", "018", "036"):
        put_pictures(tmp_path / "in/001/nm-01" / view)
    (tmp_path / "in/001/nm-01/018/002.png").write_bytes(b"damaged")
    (tmp_path / "in/001/nm-01/036/001.png").write_bytes(b"")
    put_picture(tmp_path / "in/001/nm-01/054/001.png", np.zeros((9, 9), np.uint8))
    (tmp_path / "in/001/nm-01/072").mkdir()
    report, data = done("casia-b", tmp_path / "in")
    assert len(data) == 1
    told = {Path(d.where).relative_to(tmp_path / "in/001/nm-01").as_posix(): d.reason for d in report.dropped}
    assert told == {
        "018/002.png": "is not a picture, or damaged",
        "036/001.png": "is not a picture, or damaged",
        "054": "nobody is in any of its 1 pictures",
        "072": "the folder is empty",
    }


def pose_csv(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("image,nose_x,...\n" + "\n".join(rows) + "\n")
    return path


def cells(frame: np.ndarray) -> str:
    return ",".join(f"{v:.6f}" for v in frame.ravel())


def test_the_pose_csv_is_ordered_by_frame_number(tmp_path: Path) -> None:
    points = coco(3)
    rows = [f"./001-nm-01-090/{number:06}.jpg,{cells(points[number - 1])}" for number in (2, 1, 3)]
    pose_csv(tmp_path / "in/a.csv", [*rows, "./001-nm-01-090/000004.jpg,1,2"])
    report, data = done("casia-b-pose", tmp_path / "in")
    assert str(data.entries[0]) == "001/nm-01/090"
    assert np.allclose(data.read(data.entries[0]).joints_2d, points, atol=1e-6)
    assert report.lost_frames == 1


@pytest.mark.parametrize(
    "row", ["nonsense", "./001-nm-01/000001.jpg,1", "./001-nm-01-090/x.jpg,1", "x" * 9000]
)
def test_a_strange_row_is_named(tmp_path: Path, row: str) -> None:
    path = pose_csv(tmp_path / "in/a.csv", [row])
    with pytest.raises(DataError, match="row 2 begins with") as caught:
        done("casia-b-pose", tmp_path / "in")
    assert str(path) in str(caught.value)


def frame(path: Path, *people: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": p.ravel().tolist()} for p in people]}))


@pytest.mark.parametrize(
    ("keypoints", "joints", "layout"), [("openpose18", 18, "coco18"), ("alphapose17", 17, "coco17")]
)
def test_oumvlp_pose_takes_the_surest_person(
    tmp_path: Path, keypoints: str, joints: int, layout: str
) -> None:
    points = coco(2, joints)
    unsure = points[0] * (1, 1, 0.1)
    for place in ("00001/090_00", "00002/01/000"):
        frame(tmp_path / "in" / place / "0001.json", unsure, points[0])
        frame(tmp_path / "in" / place / "0002.json")
        frame(tmp_path / "in" / place / "0003.json", points[1])
    options = Options(keypoints=keypoints)  # type: ignore[arg-type] # a parameter of the test
    report, data = done("oumvlp-pose", tmp_path / "in", options)
    assert [str(entry) for entry in data.entries] == ["00001/00/090", "00002/01/000"]
    walk = data.read(data.entries[0])
    assert np.allclose(walk.joints_2d, points)
    assert walk.layout.name == layout
    assert report.lost_frames == 2
    assert data.partition.train == ("00001",)


def test_other_key_points_than_said_are_told(tmp_path: Path) -> None:
    frame(tmp_path / "in/00001/090_00/0001.json", coco(1, 17)[0])
    with pytest.raises(DataError, match="17 key points; wanted 18, as --keypoints says"):
        done("oumvlp-pose", tmp_path / "in")
    (tmp_path / "in/00001/090_00/0001.json").write_text("{")
    with pytest.raises(DataError, match="not a frame of key points"):
        done("oumvlp-pose", tmp_path / "in")


@pytest.mark.parametrize("layout", [GAITWAY16, KINECT25])
def test_skeleton_arrays_of_any_layout(tmp_path: Path, layout: Layout) -> None:
    joints = np.random.default_rng(0).random((4, layout.size, 3), np.float32)
    (tmp_path / "in/anna").mkdir(parents=True)
    np.save(tmp_path / "in/anna/one.npy", joints)
    put(tmp_path / "in/anna/two.pkl", joints.reshape(4, -1))
    np.save(tmp_path / "in/anna/bad.npy", joints[:, :3])
    np.save(tmp_path / "in/anna/objects.npy", np.array([{}], object), allow_pickle=True)
    report, data = done("skeletons", tmp_path / "in", Options(joints=layout))
    assert [entry.name for entry in data.entries] == ["one", "two"]
    for entry in data.entries:
        assert np.array_equal(data.read(entry).joints_3d, joints)
    assert sorted(Path(d.where).name for d in report.dropped) == ["bad.npy", "objects.npy"]


def perceive(path: Path) -> Walk:
    if path.stem == "empty":
        raise DataError("nobody walks in it", where=str(path))
    return sample_walk(len(path.stem), 5)


def test_videos_go_through_the_perception_handed_in(tmp_path: Path) -> None:
    for name in ("anna/one.mp4", "anna/empty.mp4", "bert/walk.AVI"):
        put(tmp_path / "in" / name, "not looked at by the test's perception")
    put_pictures(tmp_path / "in/carl/pictures")
    report, data = done("videos", tmp_path / "in", Options(perceive=perceive))
    assert [str(entry) for entry in data.entries] == ["anna/walk/one", "bert/walk/walk", "carl/walk/pictures"]
    assert data.holds("joints_3d")
    assert [(Path(d.where).name, d.reason) for d in report.dropped] == [("empty.mp4", "nobody walks in it")]


def test_casia_b_videos_are_known_by_name(tmp_path: Path) -> None:
    for name in ("001-nm-01-090.avi", "001-bkgrd-090.avi", "holiday.avi"):
        put(tmp_path / "in" / name, "")
    report, data = done("casia-b-videos", tmp_path / "in", Options(perceive=perceive))
    assert [str(entry) for entry in data.entries] == ["001/nm-01/090"]
    assert [Path(d.where).name for d in report.dropped] == ["holiday.avi"]
    with pytest.raises(DataError, match="need the pipeline's perception"):
        prepare("x", preparation_of("casia-b-videos", tmp_path / "in"), tmp_path / "other")


def test_ccvid_keeps_its_own_lists(tmp_path: Path) -> None:
    root = tmp_path / "in"
    lists = {"train.txt": "session1/001_01", "query.txt": "session2/002_01", "gallery.txt": "session1/002_02"}
    for file, folder in lists.items():
        put_pictures(root / folder)
        person = Path(folder).name[:3]
        (root / file).write_text(f"{folder}\t{person}\tu0_l0_s0_c0_a0\nsession9/{person}_09\t{person}\tu1\n")
    report, data = done("ccvid", root)
    assert [(str(e), e.role) for e in data.entries] == [
        ("001/u0_l0_s0_c0_a0/session1/001_01", "train"),
        ("002/u0_l0_s0_c0_a0/session1/002_02", "gallery"),
        ("002/u0_l0_s0_c0_a0/session2/002_01", "probe"),
    ]
    assert data.partition.train == ("001",)
    assert len(report.dropped) == 3


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_empty_folder_is_one_clear_line_for_every_kind(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError) as caught:
        done(kind, tmp_path / "in", Options(perceive=perceive))
    assert str(tmp_path / "in") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_kind_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no kind of data set casia; wanted opengait, silskeleton"):
        preparation_of("casia", tmp_path)
