"""What an exported graph says of itself: written by ``engines.export``, read by whoever runs it. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gait.inputs import InputSpec
from gait.pose_graph import load_graph
from gait.silhouette import HEIGHT, WIDTH
from gait.skeleton import COCO17, GAITWAY16
from stream.errors import FOREIGN, WeightsError

Form = Literal["window", "trunk", "head"]
Which = Literal["embed_1", "embed_2"]

METADATA_KEY: Final = "gaitway"
CROP: Final = "rows with foreground scaled to the height, centred on the median column"
# The tensors' names. A trunk's states come back with ``NEXT`` before theirs.
FRAMES, REAL, MAP, MAP_REAL, VECTOR = "frames", "real", "map", "map_real", "embedding"
NEXT: Final = "next_"


class NetMetadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an exported graph says of itself, as JSON under ``METADATA_KEY``.

    ``digest`` is of the trained net, the same for all its graphs. ``frames`` T is the window that a window
    graph was made for. ``look_ahead``: by how many frames a trunk's map lags its input. An embedding is
    ``strips`` unit strips of ``strip_numbers``, divided by the root of their count. ``states`` names a
    trunk's memories; each comes back as ``next_<name>``; zeros begin a segment.
    """

    family: str
    digest: str
    form: Form
    input: InputSpec
    frame_shape: tuple[int, ...]
    frames: int
    look_ahead: int
    strips: int
    strip_numbers: int
    embedding: Which
    layout: str
    states: tuple[str, ...] = ()
    crop: str = CROP
    crop_size: tuple[int, int] = (HEIGHT, WIDTH)
    precision: str = "float32"
    version: Literal[1] = 1


def parse_metadata(properties: Mapping[str, str], where: str) -> NetMetadata:
    """From a graph's properties, as a runtime hands them out; raises WeightsError where they are not ours."""
    if METADATA_KEY not in properties:
        raise WeightsError("the graph does not say what it is", where=where, wanted="a graph of `export`")
    try:
        return msgspec.json.decode(properties[METADATA_KEY], type=NetMetadata)
    except FOREIGN as error:
        raise WeightsError(f"the graph's metadata is not ours ({error})", where=where) from error


def layout_of(spec: InputSpec) -> str:
    """The joint layout that a net is fed, by name; empty for silhouettes alone."""
    if spec.kind == "silhouette":
        return ""
    if spec.graph:
        return load_graph(spec.graph).layout.name
    return COCO17.name if spec.reference_form else GAITWAY16.name
