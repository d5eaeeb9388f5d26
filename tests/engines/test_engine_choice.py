"""Detector, silhouettes and pose are chosen one by one; what cannot be is refused in the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.camera_model import CameraModel, Ground, Lens, write_camera
from engines.config import EnginesConfig, NetConfig, PerceiveConfig
from engines.outlines import Outliner
from engines.perceive import PerceiveStage, Perception, engine_names, placed
from engines.regions import Region
from engines.silhouettes import Silhouette
from engines.watch import Sighting
from engines.weights import sha256_of
from engines.yolo import Found
from engines.yolo_detector import YoloDetector
from stream.errors import ConfigError, WeightsError
from stream.frames import HeldFrames
from stream.messages import Array, FrameRef, Person, Quality
from tests.engines.fake_nets import draw, fake_perception
from tests.engines.test_yolo import yolo_of

LENS = Lens(640, 480, 500.0, 500.0, 319.5, 239.5)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("pose", "yolo11n-pose.onnx", "in the picture alone"),
        ("pose", "rtmpose-m.onnx", "in the picture alone"),
        ("pose", "something", "unknown"),
        ("detector", "yolo11n.pt", "path of an .onnx"),
        ("silhouettes", "sam", "path of an .onnx"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(field: str, value: str, why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"engines": {field: value}}, PerceiveConfig)


def test_poses_in_space_run_on_any_detectors_boxes() -> None:
    for pose in ("blazepose", "mediapipe"):
        assert EnginesConfig(detector="yolo11n-pose.onnx", pose=pose).pose == pose


def test_a_yolo_takes_the_detectors_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = yolo_of(tmp_path / "net.onnx", [[16, 16, 32, 48, 0.9, 0]])
    fake = fake_perception()
    nets = (fake.detector._net, fake.poses._net)
    monkeypatch.setattr("engines.perceive.load_nets", lambda config, cache=None: nets)
    config = PerceiveConfig(
        nets=NetConfig(runtime="openvino", threads=1), engines=EnginesConfig(detector=str(path))
    )
    loaded = Perception.load(config)
    assert isinstance(loaded.detector, YoloDetector)
    assert [net.name for net in loaded.nets] == ["net.onnx", "fake-landmarks"]
    with pytest.raises(WeightsError, match="no such net"):
        Perception.load(PerceiveConfig(engines=EnginesConfig(detector=str(tmp_path / "none.onnx"))))
    with pytest.raises(ConfigError, match="no calibration"):
        Perception.load(PerceiveConfig(calibrations={"hall": str(tmp_path / "none.json")}))


def stage_of(model: CameraModel | None) -> PerceiveStage:
    perception = fake_perception()
    if model is not None:
        perception.cameras["hall"] = model
    return PerceiveStage(HeldFrames(), perception)


def people_seen(stage: PerceiveStage, camera: str) -> list[Person]:
    frame = draw((640, 480), [(2, 320, 260, 240)])
    ref = FrameRef(camera, "r", 0, 0, 0, 640, 480)
    (people,) = stage.handle(stage._frames.hold(ref, frame))
    return list(people.people)


def test_people_of_a_calibrated_camera_stand_somewhere() -> None:
    stage = stage_of(CameraModel(LENS, Ground(2.0, 0.15)))
    (person,) = people_seen(stage, "hall")
    model = stage._perception.cameras["hall"]
    back = model.pixels(np.array([person.ground]))[0]
    left, _, right, bottom = person.box
    assert back == pytest.approx([(left + right - 1) / 2, bottom - 0.5], abs=0.01)
    (other,) = people_seen(stage, "door")
    assert other.ground is None
    assert placed(other, CameraModel(LENS)) == other
    sky = msgspec.structs.replace(other, box=(300.0, 0.0, 340.0, 20.0))
    assert placed(sky, model).ground is None


def test_a_bent_lens_is_straightened_before_anybody_looks(tmp_path: Path) -> None:
    bent = CameraModel(msgspec.structs.replace(LENS, distortion=(-0.4, 0.1, 0.0, 0.0, 0.0)))
    write_camera(tmp_path / "hall.json", bent)
    (straight,), (seen,) = people_seen(stage_of(bent), "hall"), people_seen(stage_of(None), "hall")
    assert straight.box[3] > seen.box[3] + 1  # barrel distortion pulls feet towards the middle
    with pytest.raises(ConfigError, match="a picture of 640x480"):
        people_seen(
            stage_of(CameraModel(Lens(1280, 720, 500.0, 500.0, 640.0, 360.0, (0.1, 0, 0, 0, 0)))), "hall"
        )


class FakeOutlines:
    """A segmentation net that sees a disc in the middle of every crop, and a smaller one elsewhere."""

    side = 64
    gives_masks = True

    def outline(self, crops: list[np.ndarray]) -> list[tuple[Found, np.ndarray]]:
        y, x = np.mgrid[:64, :64]
        middle = np.where(np.hypot(x - 31.5, y - 31.5) < 20, 5.0, -5.0)
        corner = np.where(np.hypot(x - 5, y - 5) < 5, 5.0, -5.0)
        nobody = Found(np.zeros((2, 4)), np.ones(2), np.zeros((2, 0, 3)), np.zeros((2, 0)))
        return [(nobody, np.stack([corner, middle]).astype(np.float32)) for _ in crops]


def test_everybody_gets_the_mask_that_is_theirs_or_keeps_their_own() -> None:
    frame = draw((640, 480), [(2, 320, 240, 240)])
    watch_stage = stage_of(None)
    people_seen(watch_stage, "hall")
    seen = watch_stage._cameras["hall", "r"].watch.see(draw((640, 480), [(2, 320, 260, 240)]), 1)
    (one,) = Outliner(FakeOutlines()).outline(frame, seen)
    assert one.follower == seen[0].follower
    assert one.seen.silhouette is seen[0].seen.silhouette  # a disc is no standing rectangle's mask
    left, top, right, bottom = seen[0].seen.silhouette.box
    side = right - left
    square = Region((left + right - 1) / 2, (top + bottom - 1) / 2, 1.3 * side)
    y, x = np.mgrid[:64, :64]
    disc = np.hypot(x - 31.5, y - 31.5) < 20
    held = Silhouette(disc, np.where(disc, 5.0, -5.0).astype(np.float32), square.to_image(64))
    person = Sighting(0, replace(seen[0].seen, silhouette=held))
    (again,) = Outliner(FakeOutlines()).outline(frame, [person])
    assert again.seen.silhouette is not held
    assert again.seen.silhouette.bits.shape == (64, 64)
    assert Outliner(FakeOutlines()).outline(frame, []) == []


def test_a_net_without_masks_outlines_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = yolo_of(tmp_path / "net.onnx", [[16, 16, 32, 48, 0.9, 0]])
    fake = fake_perception()
    nets = (fake.detector._net, fake.poses._net)
    monkeypatch.setattr("engines.perceive.load_nets", lambda config, cache=None: nets)
    with pytest.raises(WeightsError, match=r"net.onnx: this net gives no masks; wanted a -seg net"):
        Perception.load(PerceiveConfig(engines=EnginesConfig(silhouettes=str(path))))


def test_a_person_message_without_a_place_is_read_as_before() -> None:
    person = Person((0.0, 0.0, 1.0, 1.0), 0.5, "blazepose33", Array.of(np.zeros((33, 3), np.float32)),
                    Quality(1.0, 0.0, 1.0, 0.0, 1.0, 1.0))  # fmt: skip
    plain = msgspec.to_builtins(person)
    plain.pop("ground")
    assert msgspec.convert(plain, Person).ground is None


def test_the_log_names_the_nets_that_ran(tmp_path: Path) -> None:
    path = yolo_of(tmp_path / "net.onnx", [[1, 2, 3, 4, 0.9, 0]])
    usual = engine_names(PerceiveConfig(nets=NetConfig(runtime="openvino")))
    assert usual["runtime"].startswith("openvino 2")
    chosen = EnginesConfig(detector=str(path), silhouettes=str(path))
    other = engine_names(PerceiveConfig(nets=NetConfig(runtime="onnxruntime"), engines=chosen))
    assert other["detector"] == other["silhouettes"] == sha256_of(path)[:16] != usual["detector"]
    assert other["runtime"].startswith("onnxruntime")
    with pytest.raises(WeightsError, match="no such net"):
        engine_names(PerceiveConfig(engines=EnginesConfig(detector=str(tmp_path / "none.onnx"))))
