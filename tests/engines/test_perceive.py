"""The perceive stage: one message per frame, the same for the same recording, whatever else it serves."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from engines.config import PerceiveConfig
from engines.perceive import PerceiveStage
from stream.errors import MessageError
from stream.frames import HeldFrames, StaleFrameError
from stream.messages import (
    IDENTITY,
    ControlRequest,
    EndOfStream,
    FrameRef,
    FrameToken,
    People,
    decode,
    encode,
)
from tests.engines.fake_nets import draw, fake_perception

SIZE = (640, 360)


def ref(number: int, camera: str = "door", run: str = "r1") -> FrameRef:
    return FrameRef(camera, run, number, 40_000_000 * number, 0, *SIZE)


def scene(shift: float) -> list[np.ndarray]:
    return [draw(SIZE, [(0, 80 + shift + 6 * k, 180, 150), (1, 560 - 5 * k, 170, 110)]) for k in range(20)]


def perceive(stage: PerceiveStage, held: HeldFrames, frame: FrameRef, image: np.ndarray) -> People:
    (people,) = stage.handle(held.hold(frame, image))
    assert isinstance(people, People)
    return people


def test_a_frame_becomes_people_with_every_field_filled() -> None:
    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    people = perceive(stage, held, ref(0), draw(SIZE, [(0, 200, 180, 150)]))
    assert people.frame == ref(0)
    (person,) = people.people
    assert person.box == pytest.approx((185, 105, 215, 255), abs=2)
    assert person.layout == "blazepose33"
    assert person.keypoints.shape == (33, 3)
    assert person.world is not None
    assert person.world.shape == (33, 3)
    assert person.mask is not None
    assert person.mask.numpy().mean() > 0.95
    assert person.quality.height_px == pytest.approx(150, abs=3)
    assert person.quality.truncation == 0
    assert person.quality.agreement > 0.9
    assert person.hint == 0
    assert decode(encode(people)) == people


def test_the_same_recording_gives_the_same_bytes_also_among_other_cameras() -> None:
    def alone(shift: float, camera: str) -> list[bytes]:
        held = HeldFrames()
        stage = PerceiveStage(held, fake_perception())
        return [encode(perceive(stage, held, ref(k, camera), im)) for k, im in enumerate(scene(shift))]

    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    mixed: dict[str, list[bytes]] = {"a": [], "b": []}
    pairs = zip(scene(0), scene(33), strict=True)
    for k, (a, b) in enumerate(pairs):
        for camera, image in (("a", a), ("b", b)) if k % 3 else (("b", b), ("a", a)):
            mixed[camera].append(encode(perceive(stage, held, ref(k, camera), image)))
    assert mixed["a"] == alone(0, "a") == alone(0, "a")
    assert mixed["b"] == alone(33, "b")


def test_under_load_new_people_are_looked_for_in_one_frame_of_four() -> None:
    held, stage = HeldFrames(), None
    stage = PerceiveStage(held, fake_perception())
    counts = []
    for number in range(12):
        people = [(0, 200, 180, 150), *([(1, 500, 190, 150)] if number else [])]
        frame = msgspec.structs.replace(ref(number), load=1)
        counts.append(len(perceive(stage, held, frame, draw(SIZE, people)).people))
    assert counts[:4] == [1, 1, 1, 1]
    assert counts[8:] == [2, 2, 2, 2]


def test_the_end_of_a_run_forgets_it() -> None:
    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    image = draw(SIZE, [(0, 200, 180, 150)])
    first = perceive(stage, held, ref(0), image)
    assert list(stage.finish(EndOfStream("door", "r1", 1, 0))) == []
    assert perceive(stage, held, ref(0), image) == first
    stage.close()


def test_a_message_of_another_hop_is_refused() -> None:
    stage = PerceiveStage(HeldFrames(), fake_perception())
    with pytest.raises(MessageError, match="People"):
        stage.handle(People(ref(0), ()))


@pytest.mark.parametrize(
    "image",
    [np.zeros((360, 639, 3), np.uint8), np.zeros((360, 640), np.uint8), np.zeros((360, 640, 3), np.float32)],
)
def test_pixels_that_are_not_the_frame_are_refused(image: np.ndarray) -> None:
    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    with pytest.raises(MessageError, match="wanted uint8"):
        stage.handle(held.hold(ref(0), image))


def test_stale_pixels_are_the_loops_to_count() -> None:
    stage = PerceiveStage(HeldFrames(), fake_perception())
    with pytest.raises(StaleFrameError):
        stage.handle(FrameToken(ref(0), "held", 3, 1))


def test_describe_names_the_nets_and_other_orders_are_refused() -> None:
    stage = PerceiveStage(HeldFrames(), fake_perception())
    nets = stage.control(ControlRequest("describe")).result["nets"]
    assert [net["name"] for net in nets] == ["fake-detector", "fake-landmarks"]
    assert nets[0]["precision"] == "f32"
    assert not stage.control(ControlRequest("dance")).ok


def test_a_nearer_person_over_another_is_noted() -> None:
    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    people = perceive(stage, held, ref(0), draw(SIZE, [(1, 256, 170, 150), (0, 235, 190, 170)]))
    by_bottom = sorted(people.people, key=lambda person: person.box[3])
    assert len(by_bottom) == 2
    assert by_bottom[0].quality.overlap > 0.1
    assert by_bottom[1].quality.overlap == 0


def test_who_is_half_outside_is_truncated() -> None:
    held = HeldFrames()
    stage = PerceiveStage(held, fake_perception())
    (person,) = perceive(stage, held, ref(0), draw(SIZE, [(0, 200, 330, 200)])).people
    assert person.box[3] <= 360
    assert 0 <= person.quality.truncation < 1


def test_camera_motion_is_estimated_only_where_asked() -> None:
    rng = np.random.default_rng(3)
    texture = np.kron(rng.integers(0, 255, (60, 100, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    for mode, expected in (("affine", (8.0, 4.0)), ("off", (0.0, 0.0))):
        held = HeldFrames()
        stage = PerceiveStage(held, fake_perception(PerceiveConfig(motion=mode)))  # type: ignore[arg-type]
        people = [
            perceive(
                stage, held, ref(k), np.ascontiguousarray(texture[40 - 4 * k :, 80 - 8 * k :][:360, :640])
            )
            for k in range(3)
        ]
        assert people[0].motion == IDENTITY
        assert (people[2].motion[2], people[2].motion[5]) == pytest.approx(expected, abs=0.5)
