"""A camera's faults change the picture, never its truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.walkers.quality import CAMERAS, CLEAN, Quality, deliver, expose, sample_quality
from gait.walkers.scenes import Eye, street_scene
from gait.walkers.sheet import SHEET_PX, contact_sheet

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
WRONG = (
    {"softness": -1},
    {"coarse": 0.5},
    {"smear": 99},
    {"gain": 0},
    {"jpeg": 101},
    {"gamma": float("nan")},
)


def roughness(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(float), axis=1)).mean())


def test_a_clean_camera_changes_nothing() -> None:
    assert deliver(expose(IMAGE, CLEAN), CLEAN) is IMAGE


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_any_camera_keeps_size_and_type_and_comes_again(seed: int) -> None:
    quality = sample_quality(seed)
    assert quality == sample_quality(seed)
    picture = deliver(expose(IMAGE, quality), quality)
    assert (picture.shape, picture.dtype) == (IMAGE.shape, IMAGE.dtype)
    assert np.array_equal(picture, deliver(expose(IMAGE, quality), quality))


@pytest.mark.parametrize(
    "quality", [Quality(softness=1.0), Quality(smear=5), Quality(coarse=3.0)], ids=["soft", "smear", "coarse"]
)
def test_blurs_take_detail_away(quality: Quality) -> None:
    assert roughness(deliver(expose(IMAGE, quality), quality)) < 0.7 * roughness(IMAGE)


def test_light_grey_and_compression_do_what_they_say() -> None:
    assert expose(IMAGE, Quality(gain=0.5)).mean() == pytest.approx(IMAGE.mean() / 2, rel=0.02)
    grey = deliver(IMAGE, Quality(grey=True))
    assert np.ptp(grey, axis=2).max() == 0
    errors = [np.abs(deliver(IMAGE, Quality(jpeg=q)).astype(int) - IMAGE).mean() for q in (95, 20)]
    assert 0 < errors[0] < errors[1]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_impossible_cameras_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="takes"):
        Quality(**wrong)


def test_truth_is_the_same_before_every_camera() -> None:
    frames = [
        street_scene(3, 2, 2.0, (320, 180), eye=Eye(quality=quality)).frame(30)
        for quality in CAMERAS.values()
    ]
    for frame in frames[1:]:
        assert (frame.image != frames[0].image).any()
        for mine, clean in zip(frame.truth, frames[0].truth, strict=True):
            assert np.array_equal(mine.crop.mask, clean.crop.mask)
            assert mine.box == clean.box


def test_a_contact_sheet_shows_frames_with_their_truth() -> None:
    scene = street_scene(3, 2, 2.0, (320, 180))
    sheet = contact_sheet(scene, frames=3, columns=2)
    assert sheet.shape[1:] == (SHEET_PX, 3)
    assert sheet.shape[0] > 1000
    assert np.ptp(sheet.astype(int), axis=2).max() > 150  # boxes and joints in strong colours
