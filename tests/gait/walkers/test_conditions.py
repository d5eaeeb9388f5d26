"""Conditions change what is seen and how somebody walks this time, and never who it is."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gait.walkers.background import sample_light
from gait.walkers.camera import Camera
from gait.walkers.conditions import CHOICES, KINDS, LIMITS, NORMAL, Conditions, sample_conditions
from gait.walkers.motion import Walk
from gait.walkers.person import Person, sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import Sight, see
from gait.walkers.render import compose, draw_person
from gait.walkers.variation import as_walked
from gait.walkers.views import path_past
from stream.errors import ConfigError

CAMERA = Camera(480, 360, focal=330.0, height=1.3, pitch=0.05)
_SOMEBODY = sample_person(11, "Ada", population=STREET)
ADA = replace(_SOMEBODY, body=replace(_SOMEBODY.body, hair="short", hair_volume=0.8))
TIMES = np.arange(0.6, 1.4, 0.1)


def moving(person: Person, view_deg: float = 90, visit: int | None = None) -> Walk:
    return Walk(person, path_past(CAMERA, view_deg, distance_m=4.0, length_m=4.0), visit=visit)


def seen(person: Person, view_deg: float = 90) -> Sight:
    walk = moving(person, view_deg)
    return see(walk.person, walk.pose(TIMES), CAMERA)


def pixels(sight: Sight, count: int) -> np.ndarray:
    """(count,) square pixels of the picture that each mask covers."""
    return sight.masks[:count].sum(axis=(1, 2)) / 255.0 * sight.to_image[:count, 0] ** 2


def test_ordinary_clothes_are_the_default_and_change_nothing() -> None:
    assert ADA.conditions == NORMAL == sample_conditions(3, kinds=("normal",))
    assert as_walked(ADA) == ADA
    assert ADA.under(Conditions()) == ADA


def test_conditions_leave_the_person_alone() -> None:
    for kind in KINDS:
        worn = ADA.under(sample_conditions(4, kinds=(kind,)))
        assert (worn.body, worn.gait, worn.name, worn.seed) == (ADA.body, ADA.gait, ADA.name, ADA.seed)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "normal"])
def test_every_kind_shows_in_the_picture_or_in_the_motion(kind: str) -> None:
    worn = ADA.under(sample_conditions(6, kinds=(kind,)))
    assert worn.conditions != NORMAL
    changed, plain = seen(worn), seen(ADA)
    wide = min(changed.masks.shape[2], plain.masks.shape[2])
    assert (changed.masks[..., :wide] != plain.masks[..., :wide]).mean() > 0.0005


@pytest.mark.parametrize(
    ("worn", "view_deg"),
    [
        (Conditions(coat=0.6, padding=0.2), 90),
        (Conditions(skirt=0.8), 0),
        (Conditions(backpack=1.0), 90),
        (Conditions(right_bag="shoulder"), 0),
        (Conditions(left_bag="hand"), 0),
        (Conditions(hat="brim"), 0),
        (Conditions(hood="up"), 90),
    ],
)
def test_garments_and_burdens_make_the_outline_larger(worn: Conditions, view_deg: float) -> None:
    assert pixels(seen(ADA.under(worn), view_deg), 4).mean() > pixels(seen(ADA, view_deg), 4).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_masks_agree_with_the_full_renderers_in_all_conditions(kind: str) -> None:
    worn = ADA.under(sample_conditions(8, kinds=(kind,)))
    light = sample_light(1)
    for view_deg in (20.0, 120.0):
        walk = moving(worn, view_deg)
        sight = see(walk.person, walk.pose(TIMES[:2]), CAMERA, mask_px=256)
        drawn = draw_person(walk.person, walk.pose(float(TIMES[1])), CAMERA, light)
        assert drawn is not None
        assert np.abs(sight.boxes[1] - drawn.box).max() < 3
        cover = (drawn.layer.cover >= 128).sum()
        assert pixels(sight, 2)[1] == pytest.approx(cover, rel=0.05)


def test_an_umbrella_hides_who_is_under_it_and_is_nobodys_body() -> None:
    walk = moving(ADA.under(Conditions(umbrella="right")), 20)
    bare = moving(ADA, 20)
    canvas = np.zeros((360, 480, 3), np.uint8)
    drawn = draw_person(walk.person, walk.pose(1.0), CAMERA, sample_light(1))
    plain = draw_person(bare.person, bare.pose(1.0), CAMERA, sample_light(1))
    assert drawn is not None
    assert plain is not None
    (truth,) = compose(canvas, [drawn], CAMERA)
    assert drawn.over is not None
    assert drawn.over.top < drawn.layer.top
    assert drawn.box[1] == pytest.approx(plain.box[1], abs=2)
    assert truth.visible < 1.0
    assert canvas[: int(drawn.box[1]) - 3].any()


def test_loads_heels_and_tiredness_change_the_walk_as_they_do_in_life() -> None:
    own = as_walked(ADA).gait
    loaded, heeled, tired = (
        as_walked(ADA.under(worn)).gait
        for worn in (Conditions(load=0.25), Conditions(heel_m=0.08), Conditions(fatigue=1.0))
    )
    assert loaded.lean > own.lean + 0.1
    assert loaded.stride < own.stride
    assert loaded.right_arm.swing < own.right_arm.swing
    assert heeled.stride < own.stride
    assert tired.speed < own.speed
    assert tired.irregularity > own.irregularity
    assert as_walked(ADA.under(Conditions(heel_m=0.08))).body.ankle_height > ADA.body.ankle_height + 0.04


def test_a_phone_and_a_pocket_keep_one_hand_and_leave_the_other() -> None:
    right = as_walked(ADA.under(Conditions(phone="right call"))).gait
    assert right.right_arm.hold > 1.5
    assert right.left_arm == as_walked(ADA).gait.left_arm
    both = moving(ADA.under(Conditions(pocket="both")))
    joints = both.pose(np.arange(0.5, 1.7, 0.04)).joints
    free = moving(ADA).pose(np.arange(0.5, 1.7, 0.04)).joints
    for wrist in (12, 15):
        assert (
            np.ptp(joints[:, wrist] - joints[:, 0], axis=0)[0]
            < np.ptp(free[:, wrist] - free[:, 0], axis=0)[0]
        )


def test_pace_is_the_walks() -> None:
    slow, own = moving(ADA.under(Conditions(pace=0.8))), moving(ADA)
    assert slow.timing.seconds == pytest.approx(own.timing.seconds / 0.8, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 50), st.lists(st.sampled_from(CHOICES), max_size=4))
def test_drawn_conditions_are_possible_and_come_again(seed: int, visit: int, kinds: list[str]) -> None:
    worn = sample_conditions(seed, visit, kinds)
    assert worn == sample_conditions(seed, visit, kinds)
    assert msgspec.json.decode(msgspec.json.encode(worn), type=Conditions) == worn
    busy = [
        worn.umbrella,
        *worn.phone.split()[:1],
        *(("right", "left") if worn.pocket == "both" else (worn.pocket,)),
    ]
    busy += [side for side in ("right", "left") if getattr(worn, f"{side}_bag") == "hand"]
    held = [side for side in busy if side != "none"]
    assert len(held) == len(set(held))
    assert worn.hat == "none" or worn.hood != "up"


def test_any_meets_most_kinds_and_asking_for_one_gives_it() -> None:
    drawn = [sample_conditions(seed) for seed in range(300)]
    for name in ("coat", "backpack", "skirt", "load", "fatigue", "heel_m"):
        assert 0.02 < np.mean([getattr(worn, name) > 0 for worn in drawn]) < 0.7, name
    for name in ("hat", "hood", "umbrella", "phone", "pocket", "right_bag", "left_bag"):
        assert any(getattr(worn, name) != "none" for worn in drawn), name
    assert all(sample_conditions(seed, kinds=("coat", "backpack")).coat > 0 for seed in range(20))


def test_wrong_conditions_are_refused() -> None:
    with pytest.raises(ConfigError, match="no condition 'cloak'"):
        sample_conditions(1, kinds=("cloak",))
    for name, (low, high) in LIMITS.items():
        for value in (low - 0.01, high + 0.01, float("nan")):
            with pytest.raises(ValueError, match=name):
                Conditions(**{name: value})
    with pytest.raises(msgspec.ValidationError, match="hat"):
        msgspec.convert({"hat": "crown"}, Conditions)
    with pytest.raises(msgspec.ValidationError, match="cape"):
        msgspec.convert({"cape": 1.0}, Conditions)
