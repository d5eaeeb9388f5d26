"""The perceive stage: a frame's pixels in, people out. Pixels stop here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines import detector, pose
from engines.config import NetConfig, PerceiveConfig
from engines.detector import Detector
from engines.measures import frame_sharpness, person_of
from engines.motion import MotionEstimate
from engines.pose import PoseNet
from engines.runtimes.net import Net, NetInfo, PixelInput
from engines.runtimes.openvino_runtime import OpenVinoNet, OpenVinoOptions
from engines.watch import CameraWatch
from engines.weights import POSE_DETECTOR, POSE_LANDMARKS, ensure
from stream.errors import MessageError
from stream.frames import Frames
from stream.messages import ControlReply, ControlRequest, EndOfStream, FrameMessage, FrameToken, People


class Perception:
    """The loaded nets, shared by all cameras of a stage."""

    def __init__(self, detector_net: Net, landmark_net: Net, config: PerceiveConfig) -> None:
        self.config = config
        self.nets: tuple[NetInfo, ...] = (detector_net.describe(), landmark_net.describe())
        self.detector = Detector(detector_net, config.search.minimum_score)
        self.poses = PoseNet(landmark_net)

    @classmethod
    def load(cls, config: PerceiveConfig | None = None, *, cache: Path | None = None) -> Perception:
        """Fetch the weights where they are not cached, and compile both nets; raises WeightsError."""
        config = config or PerceiveConfig()
        return cls(*load_nets(config.nets, cache=cache), config)


def load_nets(config: NetConfig, *, cache: Path | None = None) -> tuple[Net, Net]:
    """The detector and the landmark net, fetched where they are not cached, and compiled."""
    return (
        _net(ensure(POSE_DETECTOR, cache=cache), config, detector.PIXELS, ()),
        _net(ensure(POSE_LANDMARKS, cache=cache), config, pose.PIXELS, pose.OUTPUTS),
    )


class _Camera:
    """What one run of one camera needs from frame to frame."""

    def __init__(self, perception: Perception) -> None:
        self.watch = CameraWatch(perception.detector, perception.poses, perception.config)
        self.motion = MotionEstimate() if perception.config.motion == "affine" else None


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
            camera = self._cameras[key] = _Camera(self._perception)
        sightings = camera.watch.see(pixels, frame.number)
        people = tuple(person_of(one, sightings, frame.width, frame.height) for one in sightings)
        blur = frame_sharpness(pixels)
        if camera.motion is None:
            return People(frame, people, blur=blur)
        return People(frame, people, camera.motion.step(pixels, [one.box for one in people]), blur)


def _net(path: Path, config: NetConfig, pixels: PixelInput, outputs: tuple[str, ...]) -> Net:
    options = OpenVinoOptions(
        precision=config.precision, threads=config.threads, streams=config.streams, outputs=outputs
    )
    return OpenVinoNet(path, options, pixels=pixels, device=config.device)
