"""What can be set in the rooms of the nets, with the reasons for the numbers."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
Count = Annotated[int, msgspec.Meta(ge=1, le=64)]


class NetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How nets run.

    ``runtime``: ``auto`` takes TensorRT on an NVIDIA GPU, else OpenVINO; `doctor` says which and why.
    ``precision``: ``f32`` gives the same landmarks on every processor; ``bf16``, where the processor has it,
    is about 1.5 times as fast and moves landmarks by 0.5 % of the region in the mean, a tenth at worst.
    ``threads``: cores for one inference, 0 for all that the process may use. ``streams``: so many inferences
    run side by side where there are several, on threads / streams cores each; a lone one takes every core.
    """

    runtime: Literal["auto", "openvino", "onnxruntime", "torch", "tensorrt"] = "auto"
    precision: Literal["f32", "bf16"] = "f32"
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    streams: Count = 2
    device: str = "CPU"


class SearchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where new people are looked for, and at what cost.

    ``smallest_px``: the height of a person that must be found; it sets the smallest tile. ``tiles_per_frame``
    bounds the detector's share of a frame: one tile goes on with the round over the frame, others go where
    something moved or somebody was lost. ``opening_tiles`` bounds the first frame, which is searched whole;
    ``candidates_per_frame`` the landmark runs that check proposals.
    """

    smallest_px: Annotated[int, msgspec.Meta(ge=24, le=2000)] = 60
    tiles_per_frame: Annotated[int, msgspec.Meta(ge=0, le=64)] = 3
    opening_tiles: Annotated[int, msgspec.Meta(ge=0, le=256)] = 64
    candidates_per_frame: Count = 2
    # The net's answers for people in a tile of the right size lie above 0.8, those for parts of a scene
    # below; what gets through is checked by the landmark net, so a low bar costs time and not precision.
    minimum_score: Share = 0.5


BLAZEPOSE: Final = "blazepose"
MEDIAPIPE: Final = "mediapipe"
FLAT: Final = ("yolo", "-pose", "rtmpose", "openpose", "movenet")
"""What the names of pose nets that know no depth are made of."""


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which net finds people, which outlines them and which poses them: each its own choice.

    ``detector``: ``blazepose``, or the path of a YOLO or YOLOX ``.onnx``. ``silhouettes``: ``blazepose``, or
    the path of a YOLO ``-seg.onnx``. ``pose``: ``blazepose``, or ``mediapipe`` for mediapipe's own graph in a
    process of its own; no flat pose net, for the gait nets want joints in space. The boxes and hips of a YOLO
    ``-pose.onnx`` are used by naming it as the detector.
    """

    detector: str = BLAZEPOSE
    silhouettes: str = BLAZEPOSE
    pose: str = BLAZEPOSE
    # Above what YOLO nets say of most shadows and below what they say of most people far away.
    yolo_score: Share = 0.35

    def __post_init__(self) -> None:
        for name in ("detector", "silhouettes"):
            value = getattr(self, name)
            if value != BLAZEPOSE and not value.endswith(".onnx"):
                raise ValueError(f"`{name}` is {value!r}; wanted {BLAZEPOSE}, or the path of an .onnx")
        if self.pose not in (BLAZEPOSE, MEDIAPIPE):
            flat = any(part in self.pose.lower() for part in FLAT)
            reason = (
                "gives joints in the picture alone, and gait models want them in space" if flat else "unknown"
            )
            raise ValueError(
                f"`pose` {self.pose!r}: {reason}; wanted {BLAZEPOSE} or {MEDIAPIPE}, which run on any "
                "detector's boxes"
            )


class PerceiveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The perceive stage: what counts as a person, how long one is kept, what a frame may cost."""

    nets: NetConfig = NetConfig()
    engines: EnginesConfig = EnginesConfig()
    # Camera name -> its file of `calibrate camera`: pictures are undistorted, people placed in metres.
    calibrations: dict[str, str] = {}
    search: SearchConfig = SearchConfig()
    # Presence, 0 to 1, from the landmark net: a followed person may be less sure than a new one.
    presence_new: Share = 0.6
    presence_followed: Share = 0.5
    # The share of sure joints that must lie on the silhouette of a new person.
    agreement_new: Share = 0.6
    max_people: Count = 12
    # Frames for which the place of a lost person is kept and looked at again: 2 s at 25 frames a second.
    lost_frames: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 50
    motion: Literal["off", "affine"] = "off"
