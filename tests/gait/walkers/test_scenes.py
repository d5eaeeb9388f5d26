"""The ready-made scenes hold what the demo and the benches rely on."""

import numpy as np
import pytest

from gait.walkers.scene import Scene, Walker
from gait.walkers.scenes import (
    NAMES,
    VIEWPOINTS,
    Eye,
    Viewpoint,
    demo_scenes,
    endtoend_scene,
    perception_scene,
    sample_people,
    street_scene,
)


def in_view(scene: Scene) -> dict[str, list[tuple[float, float]]]:
    """For everyone: times at which the hips are well inside the picture, and the heading's angle from side-on.

    Computed from the skeletons, without rendering.
    """
    camera = scene.camera
    seen: dict[str, list[tuple[float, float]]] = {walker.person.name: [] for walker in scene.walkers}
    for time_s in np.arange(0, scene.seconds, 0.2):
        for walker in scene.walkers:
            pose = walker.pose(float(time_s))
            if pose is None:
                continue
            (x, y), depth = camera.project(pose.joints[0])
            margin = 0.25 * camera.focal * walker.person.body.stature / depth
            if depth > 0 and margin < x < camera.width - margin and 0 < y < camera.height_px:
                sideways = abs(float(pose.pelvis.forward @ camera.axes[0]))
                seen[walker.person.name].append((float(time_s), np.degrees(np.arccos(min(1.0, sideways)))))
    return seen


@pytest.mark.parametrize("seed", range(6))
def test_everyone_of_the_demo_walks_for_four_seconds_about_side_on_in_each_clip(seed: int) -> None:
    demo = demo_scenes(seed)
    for scene in (demo.gallery, demo.probe):
        for name, seen in in_view(scene).items():
            assert len(seen) >= 19, (scene.name, name)
            assert np.median([angle for _, angle in seen]) <= 20, name
        assert scene.fps == 25
        assert (scene.camera.width, scene.camera.height_px) == (1280, 720)
        assert 6 < scene.seconds < 12


def test_the_stranger_is_in_the_probe_alone_and_the_others_in_both_in_the_same_clothes() -> None:
    demo = demo_scenes(3)
    gallery = {walker.person.name: walker.person for walker in demo.gallery.walkers}
    probe = {walker.person.name: walker.person for walker in demo.probe.walkers}
    assert set(gallery) == set(demo.enrolled)
    assert set(probe) == {*demo.enrolled, demo.stranger}
    assert len(probe) >= 4
    assert demo.stranger not in gallery
    assert all(gallery[name] == probe[name] for name in gallery)


@pytest.mark.parametrize("seed", range(8))
def test_a_person_of_the_demo_walks_the_same_way_in_both_clips_within_twenty_degrees(seed: int) -> None:
    demo = demo_scenes(seed)
    first = {walker.person.name: walker.path.at(0.0).heading for walker in demo.gallery.walkers}
    for walker in demo.probe.walkers:
        if walker.person.name in first:
            apart = walker.path.at(0.0).heading - first[walker.person.name]
            assert np.cos(apart) > np.cos(np.deg2rad(20))


def test_who_comes_back_changed_is_the_same_person_dressed_and_seen_otherwise() -> None:
    apart = []
    for seed in range(5):
        usual, changed = demo_scenes(seed), demo_scenes(seed, changed=True)
        assert [w.person for w in changed.gallery.walkers] == [w.person for w in usual.gallery.walkers]
        assert (changed.enrolled, changed.stranger) == (usual.enrolled, usual.stranger)
        first = {walker.person.name: walker for walker in changed.gallery.walkers}
        for walker in changed.probe.walkers:
            if walker.person.name in first:
                known = first[walker.person.name]
                assert (walker.person.body, walker.person.gait) == (known.person.body, known.person.gait)
                assert walker.person != known.person
                apart.append(np.cos(walker.path.at(0.0).heading - known.path.at(0.0).heading))
    assert min(apart) < np.cos(np.deg2rad(20))  # some are seen from another side
    assert min(apart) > 0  # and nobody from behind


def test_the_demo_walks_both_ways_and_comes_and_goes() -> None:
    for scene in (demo_scenes(2).gallery, demo_scenes(2).probe):
        ways = {walker.path.at(1.0).at[0] > walker.path.at(0.0).at[0] for walker in scene.walkers}
        assert ways == {True, False}
        assert sum(walker.enter_s > 0 for walker in scene.walkers) >= 2
        assert sum(walker.leave_s < scene.seconds for walker in scene.walkers) >= 2


def test_seeds_choose_the_people() -> None:
    assert demo_scenes(1).enrolled == demo_scenes(1).enrolled
    assert len({demo_scenes(seed).enrolled for seed in range(10)}) == 10
    assert {person.name for person in sample_people(4, 5)} <= set(NAMES)
    assert len({person.name for person in sample_people(4, 40)}) == 40


@pytest.mark.parametrize("walkers", [1, 3, 6])
def test_perception_scenes_keep_to_the_sizes_and_show_everyone(walkers: int) -> None:
    for seed in range(4):
        scene = perception_scene(seed, walkers, height_px=(60, 600))
        assert all(seen for seen in in_view(scene).values())
        for walker in scene.walkers:
            depths = [scene.camera.project(pose.joints[0])[1] for t in (1, 4, 7) if (pose := walker.pose(t))]
            sizes = scene.camera.focal * walker.person.body.stature / np.array(depths)
            assert sizes.min() > 36
            assert sizes.max() < 1010


def test_perception_scenes_hold_every_heading() -> None:
    headings = [
        walker.path.at(0.0).heading % (2 * np.pi)
        for seed in range(12)
        for walker in perception_scene(seed, 6).walkers
    ]
    counts, _ = np.histogram(headings, bins=4, range=(0, 2 * np.pi))
    assert counts.min() >= 5


def test_the_end_to_end_scene_keeps_three_walkers_busy() -> None:
    scene = endtoend_scene(1)
    assert len({walker.person.name for walker in scene.walkers}) == 3
    times = np.arange(0.5, scene.seconds, 0.5)
    present = sum(float(np.mean([w.enter_s <= t <= w.leave_s for t in times])) for w in scene.walkers)
    assert present > 2.5


@pytest.mark.parametrize("viewpoint", VIEWPOINTS)
def test_people_are_in_the_picture_from_every_viewpoint(viewpoint: Viewpoint) -> None:
    for seed in range(5):
        scene = street_scene(seed, 4, 4.0, eye=Eye(viewpoint))
        seen = in_view(scene)
        assert sum(len(times) for times in seen.values()) > 20
        near = [
            scene.camera.to_camera(pose.joints)[:, 2].min()
            for t in np.arange(0, 4, 0.5)
            for walker in scene.walkers
            if (pose := walker.pose(float(t)))
        ]
        assert min(near) > 1.0
        assert max(float(place[1]) for walker in scene.walkers for place in ends(walker)) < scene.wall_m


def test_any_viewpoint_means_other_heights_and_lenses() -> None:
    cameras = [street_scene(seed, 1, 1.0, eye=Eye("any")).camera for seed in range(20)]
    assert np.ptp([camera.height for camera in cameras]) > 1.5
    assert np.ptp([camera.focal for camera in cameras]) > 300


def ends(walker: Walker) -> list[np.ndarray]:
    """The ends of a path on the ground."""
    return [walker.path.at(s).at for s in (0.0, walker.path.length)]


def test_a_street_of_any_size_keeps_people_in_front_of_the_wall() -> None:
    scene = street_scene(5, people=20, seconds=3.0, size=(640, 360), fps=10)
    assert max(float(walker.path.at(0.0).at[1]) for walker in scene.walkers) < scene.wall_m
    assert scene.frame(15).image.shape == (360, 640, 3)
