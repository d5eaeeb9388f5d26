"""Runs in mediapipe's own environment: crops of people in over stdin, its answers out over stdout.

It is mediapipe's own graph for one region (``PoseLandmarkByRoiCpu``, complexity 1, segmentation on), told
that the region is the whole crop: finding people and following them is the pipeline's work, since mediapipe's
own Pose knows one person. It ends with its stdin. Run by ``engines.mediapipe_net``.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

from engines.mediapipe_messages import (
    JOINTS,
    LANDMARKS,
    NUMBERS,
    SIDE,
    Answers,
    Crops,
    Failed,
    Ready,
    receive,
    send,
)

GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "model_complexity"
input_side_packet: "enable_segmentation"
output_stream: "landmarks"
output_stream: "auxiliary"
output_stream: "world"
output_stream: "mask"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "AUXILIARY_LANDMARKS:auxiliary"
  output_stream: "WORLD_LANDMARKS:world"
  output_stream: "SEGMENTATION_MASK:mask_image"
}
node { calculator: "FromImageCalculator" input_stream: "IMAGE:mask_image" output_stream: "IMAGE_CPU:mask" }
"""
STREAMS = ("landmarks", "auxiliary", "world", "mask")
PRESENCE = "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__pose_presence_score"
"""The graph's own stream of the score that it holds against its threshold of 0.5; it names no output so."""
NET = "modules/pose_landmark/pose_landmark_full.tflite"


class Graph:
    """mediapipe's graph, one crop after the other."""

    def __init__(self) -> None:
        self._api: Any = importlib.import_module("mediapipe")
        self._create: Any = importlib.import_module("mediapipe.python.packet_creator")
        self._get: Any = importlib.import_module("mediapipe.python.packet_getter")
        bindings: Any = importlib.import_module("mediapipe.python._framework_bindings")
        root = Path(str(self._api.__file__)).resolve().parent
        self.version = str(self._api.__version__)
        self.sha256 = hashlib.sha256((root / NET).read_bytes()).hexdigest()
        bindings.resource_util.set_resource_dir(str(root.parent))
        self._graph = self._api.CalculatorGraph(graph_config=GRAPH)
        self._found: dict[str, Any] = {}
        for stream in (*STREAMS, PRESENCE):
            self._graph.observe_output_stream(stream, self._found.__setitem__, False)
        side = {
            "model_complexity": self._create.create_int(1),
            "enable_segmentation": self._create.create_bool(True),
        }
        self._graph.start_run(side)
        rect: Any = importlib.import_module("mediapipe.framework.formats.rect_pb2")
        self._whole = rect.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0, rotation=0.0)
        self._turn = 0

    def look(self, crop: Any) -> tuple[float, list[Any], list[Any], Any] | float:
        """Of a BGR crop the presence, landmarks, world joints and mask; the presence alone below 0.5."""
        self._found.clear()
        self._turn += 1
        rgb = np.ascontiguousarray(crop[..., ::-1])
        image = self._api.ImageFrame(image_format=self._api.ImageFormat.SRGB, data=rgb)
        given = self._create.create_image_frame(image), self._create.create_proto(self._whole)
        for stream, packet in zip(("image", "roi"), given, strict=True):
            self._graph.add_packet_to_input_stream(stream, packet.at(self._turn))
        self._graph.wait_until_idle()
        found = dict(self._found)
        presence = self._get.get_float(found[PRESENCE]) if PRESENCE in found else 0.0
        if not found.keys() >= set(STREAMS):
            return float(presence)
        body, following, world = (
            list(self._get.get_proto(found[name]).landmark) for name in ("landmarks", "auxiliary", "world")
        )
        return presence, body + following, world, self._get.get_image_frame(found["mask"]).numpy_view()


def answer(graph: Graph, crops: Crops) -> Answers:
    """What the graph says of each crop."""
    count = crops.count
    presence = np.zeros(count, np.float32)
    landmarks = np.zeros((count, LANDMARKS, NUMBERS), np.float32)
    world = np.zeros((count, JOINTS, 3), np.float32)
    masks = np.zeros((count, SIDE, SIDE), np.float32)
    pixels = np.frombuffer(crops.pixels, np.uint8).reshape(count, SIDE, SIDE, 3)
    for place in range(count):
        found = graph.look(pixels[place])
        if isinstance(found, float):
            presence[place] = found
            continue
        presence[place], points, joints, mask = found
        landmarks[place] = [(p.x * SIDE, p.y * SIDE, p.z * SIDE, p.visibility, p.presence) for p in points]
        world[place] = [(p.x, p.y, p.z) for p in joints]
        masks[place] = mask.reshape(SIDE, SIDE)
    return Answers(presence.tobytes(), landmarks.tobytes(), world.tobytes(), masks.tobytes())


def serve(given: BinaryIO, told: BinaryIO) -> None:
    """Answer until the other side is gone."""
    graph = Graph()
    send(told, Ready(graph.version, graph.sha256))
    while isinstance(message := receive(given), Crops):
        send(told, answer(graph, message))


def main() -> int:
    """Keep stdout for messages: what libraries print goes to stderr."""
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, told)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - whatever it is, the other side must be told
        send(told, Failed(f"{type(error).__name__}: {error}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
