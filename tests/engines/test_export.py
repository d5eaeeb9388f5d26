"""Every family leaves torch whole: the same numbers in both runtimes, and a graph that says what it is."""

import os
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import scipy.io
import torch

from engines.export import Exported, check_parity, export_onnx, read_metadata
from engines.net_metadata import METADATA_KEY, parse_metadata
from engines.parity import relative_error, runner
from gait.inputs import prepare
from gait.models import registry
from gait.models.checkpoints import digest_of
from gait.models.family import GaitNet
from gait.sample import sample_walk
from stream.errors import ConfigError, WeightsError
from tests.strategies_skeletons import worn

FRAMES = 8
LAYOUTS = {
    "deepgaitv2": "",
    "skeletongait": "gaitway16",
    "skeletongait++": "gaitway16",
    "silskeletongait": "gaitway16",
    "hybridgait": "gaitway16",
    "siamesegait": "kinect25",
    "gaitgraph2": "coco17",
}
MAX_POOLED = {"deepgaitv2", "skeletongait", "skeletongait++", "silskeletongait", "hybridgait"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, tuple[GaitNet, Exported]]:
    """Each family's tiny net, trained-looking, exported once for the whole file."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(2)
    nets = {name: worn(registry.build(name, "tiny")) for name in registry.names()}
    return {name: (net, export_onnx(net, folder / name, frames=FRAMES)) for name, net in nets.items()}


@pytest.mark.parametrize("name", registry.names())
def test_both_runtimes_agree_with_torch(exported, name) -> None:
    """Random frames and a generated walk: 1e-4 for the window, 1e-5 for the streaming pair against it."""
    net, files = exported[name]
    spec = parse_spec(files)
    walk = torch.from_numpy(prepare(spec, sample_walk(3, FRAMES)))[None]
    results = check_parity(net, files, [net.example(2, FRAMES, 1), walk])
    assert {(r.runtime, r.form) for r in results} == {
        (runtime, form)
        for runtime in ("openvino", "onnxruntime")
        for form in (("window", "streaming") if name in MAX_POOLED else ("window",))
    }
    assert all(result.ok for result in results), results


def parse_spec(files: Exported):
    return read_metadata(files.window).input


@pytest.mark.parametrize("name", registry.names())
def test_graphs_say_what_they_are(exported, name) -> None:
    """Family, digest, window, look-ahead, strips, crop and how to feed it, in every file."""
    net, files = exported[name]
    assert (files.trunk is not None) == (name in MAX_POOLED)
    for path in files.files:
        said = read_metadata(path)
        assert (said.family, said.digest, said.frames) == (name, digest_of(net), FRAMES)
        assert (said.strips, said.strip_numbers) == net.vector_shape
        assert said.frame_shape == tuple(net.frame_shape)
        assert said.crop_size == (64, 44)
        assert said.embedding == "embed_1"
        assert said.form in path.name
        assert said.layout == LAYOUTS[name]
    if files.trunk is not None:
        trunk = read_metadata(files.trunk)
        assert trunk.look_ahead == 3
        inputs = [value.name for value in onnx.load(str(files.trunk)).graph.input]
        assert inputs == ["frames", "real", *trunk.states]


@pytest.mark.parametrize("name", registry.names())
def test_the_batch_is_free_and_plain_operators_do(exported, name) -> None:
    """One sequence and five through the same file; operators of opset 17, without control flow.

    Batch norms are folded wherever something stands before them; the skeleton graphs begin with one.
    """
    net, files = exported[name]
    window = runner(files.window, "onnxruntime")
    x = net.example(5, FRAMES, 4)
    together = window({"frames": net.flat_input(x).numpy()})["embedding"]
    alone = window({"frames": net.flat_input(x[:1]).numpy()})["embedding"]
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)
    for path in files.files:
        model = onnx.load(str(path))
        used = [node.op_type for node in model.graph.node]
        assert not {"If", "Loop", "Scan", "NonZero"} & set(used)
        assert used.count("BatchNormalization") <= (0 if name in MAX_POOLED else 3)
        assert model.opset_import[0].version >= 17
        assert all(node.domain == "" for node in model.graph.node)


def test_real_silhouettes_are_no_exception(exported) -> None:
    """Half a gait cycle of recorded silhouettes, where they are at hand: the same limits."""
    path = Path(os.environ.get("GAITWAY_DATA", "/nonexistent")) / "usf17" / "Gal.mat"
    if not path.exists():
        pytest.skip("GAITWAY_DATA holds no USF silhouettes")
    cycles = scipy.io.loadmat(path)["fea3Dg"].astype(np.float32)
    frames = np.stack([cv2.resize(cycles[..., t % 10, 0], (44, 64)) for t in range(FRAMES)])
    scaled = torch.from_numpy(frames / max(frames.max(), 1))[None, :, None]
    net, files = exported["deepgaitv2"]
    assert all(result.ok for result in check_parity(net, files, [scaled]))


def test_the_flat_form_is_lean(exported) -> None:
    """SkeletonGait++ 1111 in 90 nodes or fewer, where a traced forward takes over six hundred."""
    assert len(onnx.load(str(exported["skeletongait++"][1].window)).graph.node) <= 90


def test_the_classifier_stays_behind_and_embed_2_can_be_had(tmp_path) -> None:
    """A million classes cost the file nothing; the embedding after the neck is another one, in parity too."""
    net = worn(registry.build("deepgaitv2", "tiny", classes=500))
    files = export_onnx(net, tmp_path / "net", frames=4, which="embed_2")
    assert files.window.stat().st_size < 1.8e6 < 16 * 32 * 500 * 4 + 1.8e6
    assert read_metadata(files.window).embedding == "embed_2"
    assert all(result.ok for result in check_parity(net, files, [net.example(2, 4)], "embed_2"))
    wrong = check_parity(net, files, [net.example(2, 4)], "embed_1")
    assert not wrong[0].ok


def test_a_graph_with_other_weights_fails_parity(exported) -> None:
    """The comparison can fail: one convolution off by a hundredth is seen by both runtimes."""
    net, files = exported["deepgaitv2"]
    other = worn(registry.build("deepgaitv2", "tiny"), 9)
    results = check_parity(other, files, [net.example(1, FRAMES)])
    assert not any(result.ok for result in results if result.form == "window")


def test_errors_are_relative_to_the_largest_value() -> None:
    wanted = np.array([[2.0, -4.0]])
    assert relative_error(np.array([[2.0, -3.0]]), wanted) == 0.25
    assert relative_error(np.array([[2.0, np.nan]]), wanted) == float("inf")
    assert relative_error(np.array([2.0]), wanted) == float("inf")
    assert relative_error(np.zeros(2), np.zeros(2)) == 0


def test_what_is_no_graph_of_ours_is_refused(tmp_path, exported) -> None:
    """Garbage, nothing, a truncated file, a foreign graph, and one whose words were changed."""
    whole = exported["deepgaitv2"][1].window
    damaged = {"garbage": b"not onnx at all", "cut": whole.read_bytes()[:5000]}
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
    foreign = onnx.load(str(whole))
    del foreign.metadata_props[:]
    onnx.save(foreign, str(tmp_path / "foreign"))
    for name in (*damaged, "missing", "foreign"):
        with pytest.raises(WeightsError, match=name):
            read_metadata(tmp_path / name)
    with pytest.raises(WeightsError, match="not ours"):
        parse_metadata({METADATA_KEY: '{"family": 3}'}, "here")


def test_an_old_opset_and_an_impossible_folder_are_refused(tmp_path) -> None:
    net = registry.build("gaitgraph2", "tiny").eval()
    with pytest.raises(ConfigError, match="opset 11"):
        export_onnx(net, tmp_path / "net", opset=11)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot write"):
        export_onnx(net, tmp_path / "file" / "net")
