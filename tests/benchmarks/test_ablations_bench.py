"""The ablation bench: what an arm takes away is gone from every walk, and fewer people are fewer people."""

from pathlib import Path

import numpy as np

from benchmarks.ablations import ARMS, Changed, no_depth, trained
from benchmarks.recognition import second_among_first
from gait.data.records import Entry, Partition
from gait.data.store import Frames
from gait.inputs import Walk
from gait.models import checkpoints
from gait.models.silskeletongait import SilSkeletonGait
from gait.sample import sample_walk


class People:
    """Four people, two walks each."""

    entries = tuple(Entry(str(who), "any", "any", 12, str(k)) for who in range(4) for k in range(2))
    partition = Partition(train=("0", "1", "2", "3"))

    def read(self, entry: Entry, indices: Frames = None) -> Walk:
        walk = sample_walk(int(entry.person), 12)
        if indices is None:
            return walk
        chosen = np.asarray(indices)
        space = None if walk.joints_3d is None else walk.joints_3d[chosen]
        return Walk(walk.silhouettes[chosen], walk.joints_2d[chosen], space, walk.layout)


def test_an_arm_changes_every_walk_that_is_read_and_only_it() -> None:
    entry = People.entries[0]
    usual = People().read(entry)
    assert not Changed(People(), ARMS["skeletons only"].change).read(entry).silhouettes.any()
    silhouettes = Changed(People(), ARMS["silhouettes only"].change).read(entry)
    assert not silhouettes.joints_2d.any()
    assert np.array_equal(silhouettes.silhouettes, usual.silhouettes)
    flat = no_depth(usual).joints_3d
    assert flat is not None
    assert usual.joints_3d is not None
    assert not flat[..., 2].any()
    assert np.array_equal(flat[..., :2], usual.joints_3d[..., :2])
    assert usual.joints_3d[..., 2].any()  # the walk itself is as it was


def test_a_share_of_the_people_is_the_first_of_them_with_all_their_walks() -> None:
    fewer = Changed(People(), first=2)
    assert fewer.partition.train == ("0", "1")
    assert [(entry.person, entry.name) for entry in fewer.entries] == [
        ("0", "0"),
        ("0", "1"),
        ("1", "0"),
        ("1", "1"),
    ]


def test_an_arm_s_net_is_trained_as_it_says_once(tmp_path: Path) -> None:
    arm = ARMS["reference maps"]
    model = trained(arm, Changed(People()), tmp_path / "run", steps=2, seed=0, people=2)
    net = checkpoints.load(str(model))
    assert isinstance(net, SilSkeletonGait)
    assert net.config.rasteriser == "single_pixel"
    written = model.stat().st_mtime_ns
    assert trained(arm, Changed(People()), tmp_path / "run", steps=2, seed=0, people=2) == model
    assert model.stat().st_mtime_ns == written


def test_who_perception_saw_once_is_not_searched_for() -> None:
    people, passes = np.array(["a", "a", "b", "c", "c"]), np.array(["0", "1", "1", "0", "1"])
    features = np.array(
        [[0, 1], [0, 1], [1, 1], [1, 0], [0.1, 1]], np.float32
    )  # c's second pass looks like a
    assert second_among_first(features[:, None], people, passes, "cosine") == 50.0
