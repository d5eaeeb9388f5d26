"""A YOLO net as the pipeline's detector: tiles of a frame in, bodies out, as from BlazePose's own detector.

A box says where a body is and how large; the circle around it, which the landmark net wants, is guessed from
the proportions of somebody upright, or taken from hips and shoulders where the net knows keypoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.detector import Detection, Detector, Hidden
from engines.regions import Region, apply, crop
from engines.runtimes.choose import Wanted, load_net
from engines.runtimes.net import Net, NetInfo, NetOptions, PixelInput
from engines.runtimes.openvino_core import core
from engines.yolo import Floats, Found, Layout, Task, cut_to_boxes, decode, layout_of, mask_logits, suppress
from stream.errors import WeightsError
from stream.messages import Affine

SAME_PERSON: Final = 0.6
"""IoU above which two boxes are one person; people who walk abreast overlap by up to a half."""
HIP_DOWN: Final = 0.53
"""The hips of somebody upright, as a share of the box from its top (anthropometry: 0.52 to 0.54)."""
SHOULDER_DOWN: Final = 0.19
LEFT_HIP, RIGHT_HIP, LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12, 5, 6
SURE: Final = 0.5
REACH: Final = 2.0
"""The circle around a body over the distance from hips to shoulders: BlazePose's circle encloses it all."""
TASK: Final = ["framework", "task"]
"""Where OpenVINO keeps what an ONNX says of its task."""
YOLOX_PIXELS: Final = PixelInput(mean=0.0, scale=1.0, planar=True, bgr=True)
YOLO_PIXELS: Final = PixelInput(mean=0.0, scale=255.0, planar=True)


class YoloNet:
    """A YOLO of any head on square crops."""

    def __init__(self, net: Net, minimum_score: float, task: Task | None = None) -> None:
        ((self._input, spec),) = net.inputs.items()
        if len(spec.shape) != 4 or spec.shape[1] != spec.shape[2]:
            raise WeightsError(
                f"an input of shape {spec.shape}", where=net.describe().name, wanted="a square picture"
            )
        self._net, self._minimum, self.side = net, minimum_score, spec.shape[1]
        self._boxes, self._protos, self.layout = _outputs(net, self.side, task)

    @property
    def gives_masks(self) -> bool:
        """Whether it outlines what it finds."""
        return self._protos is not None

    @classmethod
    def load(
        cls,
        path: Path,
        minimum_score: float,
        runtime: Wanted = "auto",
        options: NetOptions | None = None,
        device: str = "CPU",
    ) -> YoloNet:
        """The net in an exported .onnx; raises WeightsError where it is no YOLO."""
        if not path.is_file():
            raise WeightsError("no such net", where=str(path), fix="Export it: run_pipeline.py export NET.pt")
        net = load_net(path, runtime, options, pixels=YOLO_PIXELS, device=device)
        found = cls(net, minimum_score, task_of(path))
        if found.layout.head != "yolox":
            return found
        return cls(load_net(path, runtime, options, pixels=YOLOX_PIXELS, device=device), minimum_score)

    def describe(self) -> NetInfo:
        """What runs."""
        return self._net.describe()

    def look(self, crops: Sequence[NDArray[np.uint8]]) -> list[Found]:
        """The people in each square crop, one box each, best first, in its pixels."""
        return [self._read(answer) for answer in self._run(crops)]

    def outline(self, crops: Sequence[NDArray[np.uint8]]) -> list[tuple[Found, Floats]]:
        """As ``look``, with the masks' logits (N, side, side), far below zero outside the boxes."""
        results = []
        for answer in self._run(crops):
            found = self._read(answer)
            results.append((found, self._masks(found, answer)))
        return results

    def _run(self, crops: Sequence[NDArray[np.uint8]]) -> list[dict[str, NDArray[Any]]]:
        return self._net.run_each([{self._input: pixels[None]} for pixels in crops])

    def _read(self, answer: Mapping[str, NDArray[Any]]) -> Found:
        raw = answer[self._boxes][0].astype(np.float32, copy=False)
        return suppress(decode(raw, self.layout, (self.side, self.side), self._minimum), SAME_PERSON)

    def _masks(self, found: Found, answer: Mapping[str, NDArray[Any]]) -> Floats:
        if self._protos is None:
            raise WeightsError("this net gives no masks", where=self.describe().name, wanted="a -seg net")
        if not len(found):
            return np.zeros((0, self.side, self.side), np.float32)
        logits = mask_logits(found, answer[self._protos][0].astype(np.float32, copy=False))
        size = (self.side, self.side)
        large = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in logits]
        return cut_to_boxes(np.stack(large), found.boxes, (1.0, 1.0))


class YoloDetector(Detector):
    """Finds bodies in tiles of a frame, in place of BlazePose's detector."""

    def __init__(self, net: YoloNet) -> None:
        self._yolo = net

    def detect_each(
        self, frame: NDArray[np.uint8], tiles: Sequence[Region], hidden: Sequence[Hidden] = ()
    ) -> list[list[Detection]]:
        """The bodies in each of ``tiles``, best first, with the people in ``hidden`` painted out."""
        side, crops = self._yolo.side, []
        for tile in tiles:
            pixels = crop(frame, tile, side)
            for person in hidden:
                pixels = person.painted_out(pixels, tile.to_image(side))
            crops.append(pixels)
        return [
            _placed(found, tile.to_image(side))
            for found, tile in zip(self._yolo.look(crops), tiles, strict=True)
        ]


def _placed(found: Found, to_image: Affine) -> list[Detection]:
    points = bodies(found)
    placed = apply(to_image, points.reshape(-1, 2) - 0.5).reshape(points.shape)
    return [Detection(float(score), body) for score, body in zip(found.scores, placed, strict=True)]


def bodies(found: Found) -> Floats:
    """(N, 4, 2): hips, a point on the body's circle, shoulders, a point on the upper body's circle."""
    left, top, right, bottom = found.boxes.T
    x, high = (left + right) / 2, bottom - top
    hips, shoulders = (
        np.stack([x, top + HIP_DOWN * high], 1),
        np.stack([x, top + SHOULDER_DOWN * high], 1),
    )
    circle = hips - np.stack([np.zeros_like(high), np.maximum(HIP_DOWN, 1 - HIP_DOWN) * high], axis=1)
    if found.keypoints.shape[1] > RIGHT_HIP:
        pairs = found.keypoints[:, [LEFT_HIP, RIGHT_HIP, LEFT_SHOULDER, RIGHT_SHOULDER]]
        sure = (pairs[:, :, 2].min(axis=1) >= SURE)[:, None]
        seen_hips, seen_shoulders = pairs[:, :2, :2].mean(axis=1), pairs[:, 2:, :2].mean(axis=1)
        axis = seen_shoulders - seen_hips
        hips = np.where(sure, seen_hips, hips)
        shoulders = np.where(sure, seen_shoulders, shoulders)
        circle = np.where(sure, seen_hips + REACH * axis, circle)
    upper = shoulders + (circle - hips) / 2
    return np.stack([hips, circle, shoulders, upper], axis=1).astype(np.float32)


def task_of(path: Path) -> Task | None:
    """What an exported net says that it does; None where it says nothing of the kind."""
    try:
        model = core().read_model(path)
    except RuntimeError as error:
        raise WeightsError("OpenVINO cannot read this net", where=str(path), wanted=".onnx") from error
    said = str(model.get_rt_info(TASK).value) if model.has_rt_info(TASK) else ""
    return next((task for task in get_args(Task) if task == said), None)


def _outputs(net: Net, side: int, task: Task | None) -> tuple[str, str | None, Layout]:
    """The names of the boxes and, where there are any, the prototypes; and how the boxes lie."""
    shapes = {name: spec.shape for name, spec in net.outputs.items()}
    flat = [name for name, shape in shapes.items() if len(shape) == 3]
    protos = [name for name, shape in shapes.items() if len(shape) == 4]
    if not flat or len(protos) > 1:
        raise WeightsError(
            f"outputs of shapes {sorted(shapes.values())}",
            where=net.describe().name,
            wanted="a YOLO with its head in one output",
        )
    held = shapes[protos[0]] if protos else None
    layout = layout_of(shapes[flat[0]], (side, side), held, task)
    return flat[0], protos[0] if protos else None, layout
