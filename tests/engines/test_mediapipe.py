"""`pose: mediapipe`: its own graph in a process of its own, behind the protocol of every net."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.perception_clips import LastFrame
from engines import mediapipe_environment as environment
from engines.config import EnginesConfig, NetConfig, PerceiveConfig, SearchConfig
from engines.heat import refined
from engines.mediapipe_messages import Answers, Crops, Failed, Ready, receive, send
from engines.mediapipe_net import MediapipeNet, logits
from engines.perceive import PerceiveStage, Perception, engine_names
from engines.pose import PoseNet
from engines.regions import Region
from engines.weights import POSE_LANDMARKS
from gait.walkers.scenes import perception_scene
from stream.errors import ResourceError, WeightsError

FAKE = """
import os, sys
sys.path.insert(0, {root!r})
from engines.mediapipe_messages import Answers, Failed, Ready, receive, send
told = os.fdopen(os.dup(1), "wb")
{does}
"""
ROOT = Path(__file__).parents[2]


def fake(tmp_path: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that runs these lines as the worker."""
    worker = tmp_path / "worker.py"
    worker.write_text(FAKE.format(root=str(ROOT), does=does), encoding="utf-8")
    monkeypatch.setattr("engines.mediapipe_net.WORKER", worker)
    return Path(sys.executable)


@pytest.fixture(scope="module")
def real() -> MediapipeNet:
    """The real thing, where its environment is or can be made."""
    try:
        python = environment.ensure()
    except ResourceError as error:
        pytest.skip(f"mediapipe's environment cannot be made: {error}")
    return MediapipeNet(python)


@pytest.fixture(scope="module")
def blazepose() -> Perception:
    """The same nets in our own runtime."""
    try:
        return Perception.load(PerceiveConfig(nets=NetConfig(threads=1)))
    except WeightsError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def walker() -> tuple[np.ndarray, Region]:
    """A rendered person and the region around them."""
    rendered = perception_scene(3, 1, (300.0, 400.0), 1.0).frame(12)
    left, top, right, bottom = rendered.truth[0].box
    return rendered.image, Region((left + right) / 2, (top + bottom) / 2, 1.4 * (bottom - top))


def test_it_answers_as_our_own_runtime_does_with_the_same_net(
    real: MediapipeNet, blazepose: Perception
) -> None:
    """The same crop through mediapipe's graph and through OpenVINO: the same person to a tenth of a pixel."""
    frame, region = walker()
    (theirs,) = PoseNet(real).look(frame, [region])
    (ours,) = blazepose.poses.look(frame, [region])
    assert theirs.presence == pytest.approx(ours.presence, abs=1e-3)
    assert theirs.presence > 0.9
    assert np.abs(theirs.keypoints[:, :2] - ours.keypoints[:, :2]).max() < 0.2
    assert theirs.keypoints[:, 2] == pytest.approx(ours.keypoints[:, 2], abs=0.01)
    assert theirs.world == pytest.approx(ours.world, abs=0.005)
    assert theirs.following.side == pytest.approx(ours.following.side, rel=2e-3)
    assert ((theirs.logits > 0) == (ours.logits > 0)).mean() > 0.999


def test_a_turned_region_gives_joints_in_the_cameras_axes(real: MediapipeNet, blazepose: Perception) -> None:
    frame, region = walker()
    turned = Region(region.x, region.y, region.side, 0.4)
    (theirs,), (ours,) = (poses.look(frame, [turned]) for poses in (PoseNet(real), blazepose.poses))
    assert theirs.world == pytest.approx(ours.world, abs=0.005)


def test_nobody_there_is_no_presence(real: MediapipeNet) -> None:
    empty, (frame, region) = np.zeros((360, 640, 3), np.uint8), walker()
    nobody, somebody = PoseNet(real).look_at(
        [empty[:256, :256], PoseNet(real).look(frame, [region])[0].pixels], [Region(128, 128, 256), region]
    )
    assert nobody.presence < 0.5 < somebody.presence
    assert not nobody.sound


def test_the_stage_follows_people_with_it(real: MediapipeNet, blazepose: Perception) -> None:
    scene, held = perception_scene(4, 2, (200.0, 300.0), 0.6), LastFrame()
    config = PerceiveConfig(engines=EnginesConfig(pose="mediapipe"), search=SearchConfig(tiles_per_frame=1))
    perception = Perception(blazepose.detector._net, real, config)
    stage, seen = PerceiveStage(held, perception), []
    for rendered in scene.frames():
        (people,) = stage.handle(held.hold(rendered.image, "run", rendered.number, scene.fps))
        seen.append(len(people.people))
    assert max(seen) == 2
    assert perception.nets[1].runtime == "mediapipe"


def test_it_says_what_it_is(real: MediapipeNet) -> None:
    told = real.describe()
    assert (told.version, told.sha256) == (environment.VERSION, POSE_LANDMARKS.sha256)
    names = engine_names(PerceiveConfig(engines=EnginesConfig(pose="mediapipe")))
    assert names["pose"] == f"mediapipe {environment.VERSION}"


def test_a_wrong_crop_is_refused_before_it_is_sent(real: MediapipeNet) -> None:
    with pytest.raises(WeightsError, match=r"uint8 \(1, 256, 256, 3\)"):
        real.run({"input_1": np.zeros((1, 64, 64, 3), np.uint8)})


def test_a_process_that_dies_is_said_in_one_line() -> None:
    """Not the shared one: this one is killed."""
    found = environment.find()
    if found.python is None:
        pytest.skip(f"mediapipe's environment is not there: {found.reason}")
    net = MediapipeNet(found.python)
    os.kill(net._process.pid, signal.SIGKILL)
    net._process.wait()
    with pytest.raises(ResourceError, match=r"pose: mediapipe: mediapipe's process does not serve: it "):
        net.run({"input_1": np.zeros((1, 256, 256, 3), np.uint8)})
    net.close()


@pytest.mark.parametrize(
    ("does", "wanted"),
    [
        ("print('no such module', file=sys.stderr); sys.exit(1)", "it ended; its last words: no such module"),
        ("told.write(b'\\x03\\0\\0\\0abc'); told.flush()", "it wrote something else"),
        ("send(told, Answers(b'', b'', b'', b''))", "it answered Answers when it started"),
        (
            "send(told, Ready('1', 'x')); receive(sys.stdin.buffer); send(told, Answers(b'1234', b'', b'', b''))",
            "its arrays have other shapes",
        ),
    ],
)
def test_a_process_that_says_something_else_is_said(
    does: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResourceError, match=wanted):
        MediapipeNet(fake(tmp_path, does, monkeypatch)).run({"input_1": np.zeros((1, 256, 256, 3), np.uint8)})


def test_its_own_error_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does = "send(told, Failed('RuntimeError: no such graph'))"
    with pytest.raises(WeightsError, match="mediapipe failed \\(RuntimeError: no such graph\\)"):
        MediapipeNet(fake(tmp_path, does, monkeypatch))


def test_the_process_ends_with_the_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does = "send(told, Ready('1', 'x'))\nwhile receive(sys.stdin.buffer): pass"
    net = MediapipeNet(fake(tmp_path, does, monkeypatch))
    process = net._process
    assert process.poll() is None
    del net
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    "message", [Ready("1", "2"), Crops(1, b"abc"), Answers(b"1", b"2", b"3", b"4"), Failed("why")]
)
def test_messages_come_as_they_went(message: Ready | Crops | Answers | Failed, tmp_path: Path) -> None:
    with (tmp_path / "pipe").open("wb") as pipe:
        send(pipe, message)
    with (tmp_path / "pipe").open("rb") as pipe:
        assert receive(pipe) == message
        assert receive(pipe) is None


def test_half_a_message_is_an_end_and_noise_an_error(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"\x05\0\0\0ab")
    (tmp_path / "noise").write_bytes(b"\x02\0\0\0ab")
    with (tmp_path / "half").open("rb") as pipe:
        assert receive(pipe) is None
    with (tmp_path / "noise").open("rb") as pipe, pytest.raises(msgspec.DecodeError):
        receive(pipe)


def test_logits_are_what_the_logistic_function_undoes() -> None:
    shares = np.array([0.0, 0.25, 0.5, 0.9, 1.0], np.float32)
    back = 1 / (1 + np.exp(-logits(shares)))
    assert back == pytest.approx(shares, abs=2e-6)


def test_cold_maps_move_nothing() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (39, 2)).astype(np.float32)
    assert np.array_equal(refined(points, np.full((64, 64, 39), -60.0, np.float32)), points)


def test_without_a_fitting_python_it_says_which_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "base_python", lambda: None)
    given = {"GAITWAY_CACHE": str(tmp_path)}
    assert environment.find(given).python is None
    with pytest.raises(ResourceError, match=r"is not made for Python.*Install Python 3\.12"):
        environment.ensure(given)


def test_a_named_interpreter_is_taken_and_a_missing_one_refused(tmp_path: Path) -> None:
    assert environment.ensure({environment.CHOSEN: sys.executable}) == Path(sys.executable)
    with pytest.raises(ResourceError, match="which is not there"):
        environment.ensure({environment.CHOSEN: str(tmp_path / "none")})


def test_an_environment_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_index(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARNING: ...\nERROR: No matching distribution")

    monkeypatch.setattr(environment, "base_python", lambda: Path(sys.executable))
    monkeypatch.setattr(environment.subprocess, "run", no_index)
    with pytest.raises(ResourceError, match="ERROR: No matching distribution"):
        environment.ensure({"GAITWAY_CACHE": str(tmp_path)})
    assert not (tmp_path / f"mediapipe-{environment.VERSION}" / "ready").exists()
