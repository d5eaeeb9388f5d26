"""The perceive stage: a frame's pixels in, people out. Pixels stop here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines import detector, pose
from engines.camera_model import CameraModel, Straightener, read_camera
from engines.config import BLAZEPOSE, MEDIAPIPE, NetConfig, PerceiveConfig
from engines.detector import Detector
from engines.measures import frame_sharpness, person_of
from engines.mediapipe_environment import VERSION as MEDIAPIPE_VERSION
from engines.mediapipe_net import MediapipeNet
from engines.motion import MotionEstimate
from engines.outlines import Outliner
from engines.pose import PoseNet
from engines.runtimes.choose import choose, installed, load_net
from engines.runtimes.net import Net, NetInfo, NetOptions, PixelInput
from engines.watch import CameraWatch
from engines.weights import POSE_DETECTOR, POSE_LANDMARKS, Weights, ensure, sha256_of
from engines.yolo_detector import YoloDetector, YoloNet
from stream.errors import MessageError, WeightsError
from stream.figures import Figure
from stream.frames import Frames
from stream.messages import (
    ControlReply,
    ControlRequest,
    EndOfStream,
    FrameMessage,
    FrameToken,
    People,
    Person,
)
from stream.punctual import SEARCHED_ONE_IN


class Perception:
    """The loaded nets, shared by all cameras of a stage."""

    def __init__(self, detector_net: Net, landmark_net: Net, config: PerceiveConfig) -> None:
        self.config = config
        self.nets: tuple[NetInfo, ...] = (detector_net.describe(), landmark_net.describe())
        self.detector = Detector(detector_net, config.search.minimum_score)
        self.poses = PoseNet(landmark_net)
        self.outliner: Outliner | None = None
        self.cameras: dict[str, CameraModel] = {}

    @classmethod
    def load(cls, config: PerceiveConfig | None = None, *, cache: Path | None = None) -> Perception:
        """Fetch the weights where they are not cached, and load every net; raises WeightsError."""
        config = config or PerceiveConfig()
        engines = config.engines
        nets = (
            load_nets(config.nets, cache=cache)
            if engines.pose == BLAZEPOSE
            else (detector_net(config.nets, cache=cache), MediapipeNet())
        )
        loaded = cls(*nets, config)
        if engines.detector != BLAZEPOSE:
            net = _yolo(engines.detector, config)
            loaded.detector = YoloDetector(net)
            loaded.nets = (net.describe(), *loaded.nets[1:])
        if engines.silhouettes != BLAZEPOSE:
            net = _yolo(engines.silhouettes, config)
            loaded.outliner = Outliner(net)
            loaded.nets = (*loaded.nets, net.describe())
        loaded.cameras = {name: read_camera(Path(path)) for name, path in config.calibrations.items()}
        return loaded


def load_nets(config: NetConfig, *, cache: Path | None = None) -> tuple[Net, Net]:
    """The detector and the landmark net, fetched where they are not cached, and compiled."""
    return detector_net(config, cache=cache), landmark_net(config, cache=cache)


def detector_net(config: NetConfig, *, cache: Path | None = None) -> Net:
    """BlazePose's detector."""
    return _net(ensure(POSE_DETECTOR, cache=cache), config, detector.PIXELS, ())


def landmark_net(config: NetConfig, *, cache: Path | None = None) -> Net:
    """BlazePose's landmark net."""
    return _net(ensure(POSE_LANDMARKS, cache=cache), config, pose.PIXELS, pose.OUTPUTS)


def engine_names(config: PerceiveConfig) -> dict[str, str | int | float]:
    """What perceives, for the log: each net's digest, the runtime, its version and the precision."""
    runtime, engines = choose(config.nets.runtime).runtime, config.engines
    names: dict[str, str | int | float] = {
        "detector": _digest(engines.detector, POSE_DETECTOR),
        "landmarks": POSE_LANDMARKS.sha256[:16],
        "precision": config.nets.precision,
        "runtime": f"{runtime} {installed(runtime)}",
    }
    if engines.silhouettes != BLAZEPOSE:
        names["silhouettes"] = _digest(engines.silhouettes, POSE_LANDMARKS)
    if engines.pose == MEDIAPIPE:
        names["pose"] = f"{MEDIAPIPE} {MEDIAPIPE_VERSION}"
    return names


def _digest(path: str, own: Weights) -> str:
    """The first half of a net's digest; raises WeightsError where its file is missing."""
    if path == BLAZEPOSE:
        return own.sha256[:16]
    try:
        return sha256_of(Path(path))[:16]
    except OSError as error:
        raise WeightsError(f"no such net ({error.strerror})", where=path) from error


class _Camera:
    """What one run of one camera needs from frame to frame."""

    def __init__(self, perception: Perception, name: str) -> None:
        self.model = perception.cameras.get(name)
        self.straighten = None if self.model is None else Straightener(self.model.lens)
        self.watch = CameraWatch(perception.detector, perception.poses, perception.config)
        self.motion = MotionEstimate() if perception.config.motion == "affine" else None
        self.looks = 0


class PerceiveStage:
    """FrameToken -> People; keeps no frames, and one small state per camera."""

    def __init__(self, frames: Frames, perception: Perception) -> None:
        self._frames, self._perception = frames, perception
        self._cameras: dict[tuple[str, str], _Camera] = {}

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """The people in the frame that the token speaks of; StaleFrameError where its pixels are gone."""
        if not isinstance(message, FrameToken):
            raise MessageError(f"perceive was given {type(message).__name__}", wanted="FrameToken")
        with self._frames.lease(message) as pixels:
            return (self._perceive(message, pixels),)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """Forget the camera's run; nothing was kept."""
        self._cameras.pop((end.camera, end.run), None)
        return ()

    def control(self, request: ControlRequest) -> ControlReply:
        """``describe``: the nets, their digests, runtime, device and precision."""
        if request.verb != "describe":
            return ControlReply(ok=False, error=f"this stage knows no request {request.verb!r}")
        return ControlReply(ok=True, result={"nets": msgspec.to_builtins(self._perception.nets)})

    def figures(self) -> Iterable[Figure]:
        """Nothing to tell."""
        return ()

    def close(self) -> None:
        """Forget every camera."""
        self._cameras.clear()

    def _perceive(self, token: FrameToken, pixels: NDArray[np.uint8]) -> People:
        frame = token.frame
        if pixels.shape != (frame.height, frame.width, 3) or pixels.dtype != np.uint8:
            raise MessageError(
                f"frame {frame.number} is {pixels.dtype} {pixels.shape}",
                where=frame.camera,
                wanted=f"uint8 ({frame.height}, {frame.width}, 3)",
            )
        key = (frame.camera, frame.run)
        camera = self._cameras.get(key)
        if camera is None:
            camera = self._cameras[key] = _Camera(self._perception, frame.camera)
        if camera.straighten is not None:
            pixels = camera.straighten(pixels)
        search = frame.load == 0 or camera.looks % SEARCHED_ONE_IN == 0
        camera.looks += 1
        sightings = camera.watch.see(pixels, frame.number, search=search)
        if self._perception.outliner is not None:
            sightings = self._perception.outliner.outline(pixels, sightings)
        people = tuple(
            placed(person_of(one, sightings, frame.width, frame.height), camera.model) for one in sightings
        )
        blur = frame_sharpness(pixels)
        if camera.motion is None:
            return People(frame, people, blur=blur)
        return People(frame, people, camera.motion.step(pixels, [one.box for one in people]), blur)


def placed(person: Person, model: CameraModel | None) -> Person:
    """The person with the place where they stand, below the middle of their box; as they were without one."""
    if model is None or model.ground is None:
        return person
    left, _, right, bottom = person.box
    x, y = model.positions(np.array([[(left + right - 1) / 2, bottom - 0.5]]))[0]
    return msgspec.structs.replace(person, ground=(float(x), float(y))) if np.isfinite(x) else person


def _net(path: Path, config: NetConfig, pixels: PixelInput, outputs: tuple[str, ...]) -> Net:
    """One of the .tflite nets; for a runtime that reads no .tflite it is converted, once."""
    if choose(config.runtime).runtime != "openvino":
        from engines.tflite_to_onnx import ensure_onnx  # noqa: PLC0415 - needs onnx, an extra

        path = ensure_onnx(path)
    return load_net(path, config.runtime, _options(config, outputs), pixels=pixels, device=config.device)


def _yolo(path: str, config: PerceiveConfig) -> YoloNet:
    nets = config.nets
    return YoloNet.load(Path(path), config.engines.yolo_score, nets.runtime, _options(nets, ()), nets.device)


def _options(config: NetConfig, outputs: tuple[str, ...]) -> NetOptions:
    return NetOptions(
        precision=config.precision, threads=config.threads, streams=config.streams, outputs=outputs
    )
