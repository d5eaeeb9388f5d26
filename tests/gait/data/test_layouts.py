"""Other programs' trees hold what ours does; sheets show it; tracked samples become one walk."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.data.errors import DataError
from gait.data.kinds import preparation_of
from gait.data.layouts import export_grew, export_opengait
from gait.data.prepare import prepare
from gait.data.restricted import load_pickle
from gait.data.sheets import gei, write_sheets
from gait.data.source import Options, make_walk
from gait.data.store import DataSet, DataSetWriter, Entry, Partition
from gait.data.tracked import MIN_SAMPLES, one_walk
from gait.inputs import Walk
from gait.sample import sample_walk
from gait.skeleton import COCO18
from stream.messages import Array, FrameRef, Sample, Tracked, TrackletId
from tests.gait.data.foreign import coco
from tests.gait.data.walks import same

CONDITIONS = ("nm-01", "nm-05", "bg-01")


def prepared(folder: Path, frames: int = 4, walks: bool = True) -> DataSet:
    with DataSetWriter(folder) as writer:
        for number, person in enumerate(("001", "075", "076")):
            for condition in CONDITIONS:
                walk = (
                    sample_walk(number, frames)
                    if walks
                    else make_walk(joints_2d=coco(frames, 18), layout=COCO18)
                )
                writer.add(Entry(person, condition, "090", frames), walk)
        writer.finish(Partition(("001",), ("075", "076")))
    return DataSet.open(folder)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_our_tree_in_opengaits_layout_is_read_back_the_same(tmp_path: Path) -> None:
    data = prepared(tmp_path / "ours")
    export_opengait(data, tmp_path / "tree")
    names = sorted(p.name for p in (tmp_path / "tree/001/nm-01/090").iterdir())
    assert names == ["0_sil.pkl", "1_joints_2d.pkl", "2_joints_3d.pkl"]
    prepare("opengait", preparation_of("opengait", tmp_path / "tree"), tmp_path / "again", workers=1)
    again = DataSet.open(tmp_path / "again")
    assert again.entries == tuple(again.entry(entry.key) for entry in data.entries)
    assert again.partition == data.partition
    sil_2d = preparation_of("opengait", tmp_path / "tree", Options(data_in_use=(True, False, True)))
    prepare("opengait", sil_2d, tmp_path / "3d", workers=1)
    three = DataSet.open(tmp_path / "3d")
    walk, wanted = three.read(three.entries[0]), data.read(data.entries[0])
    assert np.array_equal(walk.silhouettes, wanted.silhouettes)
    assert walk.joints_3d is not None
    assert np.array_equal(walk.joints_3d, wanted.joints_3d)


def test_maps_lie_beside_their_silhouettes(tmp_path: Path) -> None:
    export_opengait(prepared(tmp_path / "ours"), tmp_path / "tree", maps=True)
    folder = tmp_path / "tree/001/nm-01/090"
    maps, images = load_pickle(folder / "0_heatmap.pkl"), load_pickle(folder / "1_sil.pkl")
    assert (maps.shape, maps.dtype) == ((4, 2, 64, 64), np.uint8)
    assert maps.max() > 200
    assert images.shape == (4, 64, 44)


def test_maps_of_coco_18_poses_are_drawn(tmp_path: Path) -> None:
    export_opengait(prepared(tmp_path / "ours", walks=False), tmp_path / "tree", maps=True)
    assert load_pickle(tmp_path / "tree/001/nm-01/090/0_heatmap.pkl").shape == (4, 2, 64, 64)


def test_maps_without_joints_are_refused(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path / "ours") as writer:
        writer.add(Entry("1", "a", "b", 3), make_walk(sample_walk(0, 3).silhouettes))
        writer.finish()
    with pytest.raises(DataError, match="heat maps need 2D joints"):
        export_opengait(DataSet.open(tmp_path / "ours"), tmp_path / "tree", maps=True)


@pytest.mark.parametrize("export", [export_opengait, export_grew])
def test_a_stopped_export_is_taken_up(tmp_path: Path, export: type) -> None:
    data = prepared(tmp_path / "ours")
    export(data, tmp_path / "whole")
    seen: list[int] = []

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        export(data, tmp_path / "begun", progress=stop)
    (tmp_path / "begun/076/nm-01/.090.part").mkdir(parents=True)
    export(data, tmp_path / "begun")
    whole = tree(tmp_path / "whole")
    assert {name: content for name, content in tree(tmp_path / "begun").items() if name in whole} == whole
    assert seen == [1, 2, 3, 4]


def test_grews_layout_has_probe_and_gallery_lists(tmp_path: Path) -> None:
    data = prepared(tmp_path / "ours")
    export_grew(data, tmp_path / "grew")
    probes = [line.split("\t") for line in (tmp_path / "grew/probe.txt").read_text().splitlines()]
    gallery = [line.split("\t") for line in (tmp_path / "grew/gallery.txt").read_text().splitlines()]
    assert [person for _, person in gallery] == ["00001", "00002"]
    assert [person for _, person in probes] == ["00001", "00001", "00002", "00002"]
    assert (tmp_path / "grew/people.txt").read_text().splitlines()[1] == "test\t00001\t075"
    assert len(list((tmp_path / "grew/train/00001").iterdir())) == 3
    for sequence, person in gallery:
        assert (tmp_path / "grew/test/gallery" / person / sequence / "00001.png").exists()
    picture = cv2.imread(str(tmp_path / "grew/test/probe" / probes[0][0] / "00001.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(picture, sample_walk(1, 4).silhouettes[0])


def test_grews_layout_is_read_by_grews_preparation(tmp_path: Path) -> None:
    export_grew(prepared(tmp_path / "ours"), tmp_path / "grew")
    report = prepare("grew", preparation_of("grew", tmp_path / "grew"), tmp_path / "again", workers=1)
    data = DataSet.open(tmp_path / "again")
    assert report.sequences == 9
    assert data.people == ("00001", "00001train", "00002", "probe")
    assert {e.role for e in data.entries if e.person == "probe"} == {"probe"}


def test_silhouettes_and_poses_are_paired(tmp_path: Path) -> None:
    prepared(tmp_path / "sils")
    prepared(tmp_path / "poses", walks=False)
    pair = preparation_of("prepared", tmp_path / "sils", Options(poses=tmp_path / "poses"))
    prepare("prepared", pair, tmp_path / "out")
    data = DataSet.open(tmp_path / "out")
    wanted = make_walk(sample_walk(0, 4).silhouettes, coco(4, 18), layout=COCO18)
    assert same(data.read(data.entries[0]), wanted)
    prepared(tmp_path / "short", 3, walks=False)
    pair = preparation_of("prepared", tmp_path / "sils", Options(poses=tmp_path / "short"))
    with pytest.raises(DataError, match="4 silhouettes but 3 poses"):
        prepare("prepared", pair, tmp_path / "other")


@pytest.mark.parametrize("walks", [True, False])
def test_a_sheet_a_person(tmp_path: Path, walks: bool) -> None:
    data = prepared(tmp_path / "ours", walks=walks)
    assert write_sheets(data, tmp_path / "sheets", people=2) == 2
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [path.name for path in sheets] == ["001.png", "075.png"]
    image = cv2.imread(str(sheets[0]), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert image.shape[0] == 3 * 64
    assert image[:, 160:].std() > 20


def test_the_gei_is_the_mean() -> None:
    assert np.array_equal(gei(np.array([[[0, 255]], [[0, 0]]], np.uint8)), [[0, 128]])


def tracked(track: int, count: int, start: int = 0, valid: bool = True, space: bool = True) -> list[Tracked]:
    walk = sample_walk(track, count)
    assert walk.joints_3d is not None
    frames = FrameRef("clip", "run", 0, 0, 0, 100, 100)
    return [
        Tracked(
            frames,
            (),
            (
                Sample(
                    TrackletId("clip", "run", track),
                    (start + n) * 40_000_000,
                    Array.of(walk.silhouettes[n]),
                    Array.of(walk.joints_2d[n]),
                    Array.of(walk.joints_3d[n]) if space else None,
                    valid,
                    1.0,
                ),
            ),
        )
        for n in range(count)
    ]


def test_the_longest_track_is_the_walk() -> None:
    walk = one_walk([*tracked(1, 5), *tracked(2, 20, start=3), *tracked(3, 9, start=40)], "clip.mp4")
    assert same(walk, sample_walk(2, 20))
    assert one_walk(tracked(1, 20, space=False), "x").joints_3d is None


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "nobody walks in full view"),
        (tracked(1, 30, valid=False), "nobody walks in full view"),
        (tracked(1, MIN_SAMPLES - 1), "for 14 samples only"),
        ([*tracked(1, 30), *tracked(2, 25, start=3)], "more than one person walks in it"),
    ],
)
def test_no_single_walk_is_told(messages: list[Tracked], told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        one_walk(messages, "clip.mp4")
    assert str(caught.value).startswith("clip.mp4")


def test_an_empty_part_is_empty_in_every_way() -> None:
    walk = make_walk(joints_3d=np.zeros((3, 16, 3)))
    assert isinstance(walk, Walk)
    assert (walk.silhouettes.shape, walk.joints_2d.shape) == ((3, 0, 0), (3, 16, 0))
