"""What the other rooms read from outside, for bench ``fuzz``: settings, nets, galleries, data sets."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper

from benchmarks.fuzz_stream import Target
from commands.checkpoints import left_off
from commands.config import PipelineConfig
from commands.plan import RunPlan, read_plan
from commands.settings import parse_settings
from engines.camera_model import assumed_lens, read_camera
from engines.net_metadata import METADATA_KEY, parse_metadata
from engines.runtimes.tensorrt_operators import check_operators
from engines.tflite import read_tflite
from engines.weights import POSE_DETECTOR, ensure
from gait.data.partition import read_partition
from gait.data.records import Block, Body, Entry, Header, Partition, Record, decode_index, encode_index
from gait.data.restricted import loads
from gait.decision_norm import load_cohort
from gait.embedder import ModelInfo
from gait.gallery.desk import GalleryDesk
from gait.gallery.exchange import Exported, read_export
from gait.gallery.keys import read_key
from gait.gallery.records import Enrolment, NewTemplate
from gait.gallery.store import Gallery
from gait.models.weights import STEM
from gait.score_map import load_score_map
from gait.training.foreign_config import translate
from stream.errors import FOREIGN
from stream.messages import Array, ControlRequest
from trackers.mot import read_mot

ROOT: Final = Path(__file__).resolve().parents[1]
_HEAD, _TAIL = 8192, 45_056


def through_file(path: Path, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Feed bytes as the content of a file."""

    def feed(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return feed


def settings(_: Path) -> Target:
    """pipeline.yaml."""
    text = (ROOT / "pipeline.yaml").read_bytes()
    small = b"cameras:\n  hall:\n    source: rtsp://h/1\n    options: {size: [640, 480]}\nstream: {hwm: 9}\n"

    def feed(data: bytes) -> object:
        return parse_settings(data.decode("utf-8", "replace"), "fuzz", PipelineConfig, [])

    return Target(
        "text", (small, small, b"cameras: &a {x: {source: y}}\nstream: &b {endpoints: *a}\n", text), feed
    )


def override(_: Path) -> Target:
    """--set KEY=VALUE."""

    def feed(data: bytes) -> object:
        return parse_settings("", "fuzz", PipelineConfig, [data.decode("utf-8", "replace")])

    return Target(
        "text", (b"stream.hwm=9", b"cameras.hall.source=rtsp://h/1", b"perceive.nets.threads=2"), feed
    )


def plan(folder: Path) -> Target:
    """plan.json, which stages are started with."""
    good = msgspec.json.encode(RunPlan("fuzz", str(folder), PipelineConfig()))
    return Target("json", (good,), through_file(folder / "plan.json", read_plan))


def mark(folder: Path) -> Target:
    """run.json beside the checkpoints."""
    (folder / "checkpoints").mkdir()
    feed = through_file(folder / "checkpoints" / "run.json", lambda _: left_off(folder))
    return Target("json", (b'{"pipeline":"x","digest":"y"}',), feed)


def camera(folder: Path) -> Target:
    """A camera's calibration."""
    good = b'{"lens":%s}' % msgspec.json.encode(assumed_lens(640, 480, 70.0))
    return Target("json", (good,), through_file(folder / "x.camera.json", read_camera))


def tflite(folder: Path) -> Target:
    """The nets of BlazePose as they are shipped: tables that point at each other, weights left out."""
    net = ensure(POSE_DETECTOR).read_bytes()
    head, tail = net[:_HEAD], net[-_TAIL:]  # where its tables lie; weights in between
    feed = through_file(folder / "x.tflite", read_tflite)
    return Target("bytes", (head + tail,), lambda data: feed(data[:_HEAD] + net[_HEAD:-_TAIL] + data[_HEAD:]))


def onnx_graph(folder: Path) -> Target:
    """A graph somebody sends, judged before it is built."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], [0.5] * 9)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("x", "z")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights]))
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, shipped_metadata()

    def read(path: Path) -> None:
        check_operators(path)
        parse_metadata({one.key: one.value for one in onnx.load(str(path)).metadata_props}, str(path))

    return Target("bytes", (model.SerializeToString(),), through_file(folder / "x.onnx", read))


def shipped_metadata() -> str:
    """What the shipped net's graph says of itself."""
    properties = onnx.load(f"{STEM}.trunk.onnx", load_external_data=False).metadata_props
    return next(str(one.value) for one in properties if one.key == METADATA_KEY)


def metadata(_: Path) -> Target:
    """What a graph says of itself."""
    good = shipped_metadata().encode()
    return Target(
        "json", (good,), lambda data: parse_metadata({METADATA_KEY: data.decode("utf-8", "replace")}, "x")
    )


def people(folder: Path) -> Target:
    """A file of people from another gallery."""
    vector = Array.of(np.ones(8, np.float32) / np.float32(8**0.5))
    template = NewTemplate(vector, "m" * 16, 30, 0.9)
    packed = msgspec.msgpack.encode(Exported((Enrolment("Ada", (template,)),)))
    feed = through_file(folder / "people", lambda path: read_export(path, None))
    return Target("msgpack", (packed,), lambda data: feed(b"gaitway-people-1 open\n" + data))


def gallery_request(folder: Path) -> Target:
    """Requests to the gallery, over its control socket."""
    gallery = Gallery(folder / "g.sqlite")
    desk = GalleryDesk(gallery, ModelInfo("made-up", "m" * 16, 8), idle=True)
    vector = Array.of(np.ones(8, np.float32) / np.float32(8**0.5))
    template = msgspec.to_builtins(NewTemplate(vector, "m" * 16, 30, 0.9))
    asked: list[tuple[str, dict[str, Any]]] = [
        ("gallery.enrol", {"name": "Ada", "templates": [template]}),
        ("gallery.rename", {"who": "Ada", "name": "Ben"}),
        ("gallery.note", {"who": "Ada", "note": "x", "why": "asked"}),
        ("gallery.expiry", {"who": "Ada", "expires_ns": 5, "why": "asked"}),
        ("gallery.split", {"who": "Ada", "templates": [1], "name": "Cy", "why": "asked"}),
        ("gallery.undo", {"epoch": 1}),
        ("gallery.list", {}),
    ]

    def feed(data: bytes) -> None:
        try:
            request = msgspec.msgpack.decode(data, type=ControlRequest)
        except FOREIGN:
            return
        if request.verb not in ("gallery.export", "gallery.import", "gallery.compact"):
            msgspec.msgpack.encode(desk.answer(request))

    seeds = tuple(msgspec.msgpack.encode(ControlRequest(verb, arguments)) for verb, arguments in asked)
    return Target("msgpack", seeds, feed, gallery.close)


def gallery_file(folder: Path) -> Target:
    """A gallery's database, damaged."""
    path = folder / "good.sqlite"
    made = Gallery(path)
    vector = Array.of(np.ones(8, np.float32) / np.float32(8**0.5))
    made.enrol("Ada", [NewTemplate(vector, "m" * 16, 30, 0.9)])
    made.close()
    other = folder / "x.sqlite"

    def read(_: Path) -> None:
        for extra in folder.glob("x.sqlite-*"):
            extra.unlink()
        opened = Gallery(other)
        try:
            list(opened.people())
        finally:
            opened.close()

    return Target("bytes", (path.read_bytes(),), through_file(other, read))


def key_file(folder: Path) -> Target:
    """A gallery's key."""
    path = folder / "k.key"
    path.touch(mode=0o600)
    return Target("text", (b"ab" * 32 + b"\n",), through_file(path, lambda _: read_key(f"file:{path}")))


def cohort(folder: Path) -> Target:
    """An .npz of strangers' vectors."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, model=np.array("m" * 16), vectors=np.full((30, 8), 8**-0.5, np.float16))
    return Target(
        "bytes",
        (buffer.getvalue(),),
        through_file(folder / "c.npz", lambda path: load_cohort(path, "m" * 16)),
    )


def score_map(folder: Path) -> Target:
    """A map from scores to probabilities."""
    good = (ROOT / "gait" / "score_maps" / "baseline.json").read_bytes()
    return Target("json", (good,), through_file(folder / "m.json", load_score_map))


def foreign_pickle(_: Path) -> Target:
    """Pickles of foreign data sets: arrays, or nothing."""
    value: Any = {
        "a": np.ones((3, 4, 2), np.float32),
        "b": [np.zeros((2, 64, 44), np.uint8), (1, 2.5, "x", None)],
    }
    seeds = tuple(
        pickle.dumps(value, protocol) for protocol in (0, 2, 3, 4, 5)
    )  # what we read, not what we do
    return Target("bytes", seeds, lambda data: loads(data, "fuzz"))


def foreign_config(_: Path) -> Target:
    """Configurations of the known framework."""
    text = b"""
data_cfg: {dataset_name: CASIA-B, dataset_root: x, num_workers: 1, data_in_use: [true, false]}
loss_cfg:
- {loss_term_weight: 1.0, margin: 0.2, type: TripletLoss, log_prefix: triplet}
model_cfg: {model: DeepGaitV2, Backbone: {in_channels: 1, mode: p3d}, SeparateBNNecks: {class_num: 74}}
optimizer_cfg: {lr: 0.1, momentum: 0.9, solver: SGD, weight_decay: 0.0005}
scheduler_cfg: {gamma: 0.1, milestones: [20000], scheduler: MultiStepLR}
trainer_cfg: {sampler: {batch_size: [8, 16], frames_num_fixed: 30, type: TripletSampler}, total_iter: 60000}
"""

    def feed(data: bytes) -> object:
        try:
            found = yaml.safe_load(data)
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
        return translate(found) if isinstance(found, dict) else None

    return Target("text", (text,), feed)


def index(_: Path) -> Target:
    """The index of a prepared data set."""
    block = Block(0, 0, "bits", (30, 64, 44))
    records = (Record(Entry("001", "nm", "090", 30), 5, "coco17", block),)
    good = encode_index(Header(), Body(records, Partition(("001",))))
    return Target("json", (good,), lambda data: decode_index(data, Path("index.json")))


def partition(folder: Path) -> Target:
    """Who is trained on, and who tested."""
    good = b'{"TRAIN_SET":["001","002"],"TEST_SET":["003"]}'
    everybody = frozenset({"001", "002", "003"})
    return Target(
        "json", (good,), through_file(folder / "p.json", lambda path: read_partition(path, everybody))
    )


def mot(folder: Path) -> Target:
    """MOTChallenge files."""
    good = b"1,2,10.5,20,30,40,0.9,1,0.8\n2,2,11,20,30,40,1,-1,-1,-1\n"
    return Target("text", (good,), through_file(folder / "x.txt", read_mot))


TARGETS: Final[dict[str, Callable[[Path], Target]]] = {
    function.__name__: function
    for function in (
        *(settings, override, plan, mark, camera, tflite, onnx_graph, metadata, people, gallery_request),
        *(gallery_file, key_file, cohort, score_map, foreign_pickle, foreign_config, index, partition, mot),
    )
}
