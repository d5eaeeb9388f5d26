"""Walks of joints alone: whose they are stays, what changes is drawn anew, files are whole or absent."""

import json
from pathlib import Path

import numpy as np
import pytest

from gait.skeleton import GAITWAY16, body_scale, layout_named
from gait.walkers.skeletons import PARTITION, skeleton_walk, write_skeletons
from stream.errors import ConfigError, ResourceError

KINECT25 = layout_named("kinect25")


def test_a_walk_is_the_same_every_time_and_another_one_is_another() -> None:
    one = skeleton_walk(3, 0, KINECT25, 20)
    assert one.shape == (20, 25, 3)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert one.tobytes() == skeleton_walk(3, 0, KINECT25, 20).tobytes()
    assert not np.allclose(one, skeleton_walk(3, 1, KINECT25, 20), atol=0.05)


def test_people_keep_their_size_from_walk_to_walk() -> None:
    torsos = np.array(
        [
            [
                body_scale(skeleton_walk(who, walk, GAITWAY16, 20), GAITWAY16, confidence=False)
                for walk in range(3)
            ]
            for who in range(6)
        ]
    )
    assert torsos.std(axis=1).mean() < 0.5 * torsos.mean(axis=1).std()


def test_hands_and_feet_are_less_sure_than_the_trunk() -> None:
    walks = [skeleton_walk(5, walk, KINECT25, 60) for walk in range(2)]
    jitter = np.mean([np.diff(walk, n=3, axis=0).std(axis=(0, 2)) for walk in walks], axis=0)
    trunk, loose = (KINECT25.indices(*names) for names in (("spine", "neck"), ("left_hand", "left_foot")))
    assert jitter[list(loose)].mean() > 1.5 * jitter[list(trunk)].mean()


def test_files_are_written_once_with_who_trains_and_who_tests(tmp_path: Path) -> None:
    seen: list[int] = []
    assert write_skeletons(tmp_path, GAITWAY16, 3, 2, seed=7, unseen=1, progress=seen.append) == 6
    assert seen[-1] == 6
    assert json.loads((tmp_path / PARTITION).read_text()) == {
        "TRAIN_SET": ["000007", "000008"],
        "TEST_SET": ["000009"],
    }
    kept = tmp_path / "000007" / "00.npy"
    kept.write_bytes(b"mine")
    write_skeletons(tmp_path, GAITWAY16, 3, 2, seed=7, unseen=1)
    assert kept.read_bytes() == b"mine"
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("people", "walks", "unseen", "seed"),
    [(0, 1, 0, 0), (1, 0, 0, 0), (2, 1, 2, 0), (2, 1, -1, 0), (1, 1, 0, -5)],
)
def test_a_set_of_nobody_is_refused(tmp_path: Path, people: int, walks: int, unseen: int, seed: int) -> None:
    with pytest.raises(ConfigError, match=f"{people} people"):
        write_skeletons(tmp_path, GAITWAY16, people, walks, unseen=unseen, seed=seed)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write walks"):
        write_skeletons(tmp_path / "file", GAITWAY16, 1, 1)
