"""Old checkpoints load to the last tensor; anything else is refused in one clear line."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gait.models import registry
from gait.models.checkpoints import digest_of, import_foreign, load, save
from gait.models.layouts import recognise
from stream.errors import ConfigError, WeightsError
from tests.strategies_skeletons import worn

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (channels,) for part in BATCH_NORM} | {f"{name}.num_batches_tracked": ()}


def p3d(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """One P3D block as the known checkpoints name it."""
    shapes = {f"{name}.conv1.forward_block.0.weight": (outputs, inputs, 3, 3)}
    shapes |= norm(f"{name}.conv1.forward_block.1", outputs)
    shapes |= {f"{name}.conv2.forward_block.0.weight": (outputs, outputs, 3, 3)}
    shapes |= norm(f"{name}.conv2.forward_block.1", outputs)
    shapes |= {f"{name}.shortcut3d.weight": (outputs, outputs, 3, 1, 1)} | norm(f"{name}.sbn", outputs)
    if inputs != outputs:
        shapes |= {f"{name}.downsample.0.weight": (outputs, inputs, 1, 1, 1)}
        shapes |= norm(f"{name}.downsample.1", outputs)
    return shapes


def stream_of(prefix: str, inputs: int, stem: int, blocks: int) -> dict[str, tuple[int, ...]]:
    """A stem and its 2D stage."""
    shapes = {f"{prefix}layer0.forward_block.0.weight": (stem, inputs, 3, 3)}
    shapes |= norm(f"{prefix}layer0.forward_block.1", stem)
    for k in range(blocks):
        block = f"{prefix}layer1.forward_block.{k}"
        for n in (1, 2):
            shapes |= {f"{block}.conv{n}.weight": (stem, stem, 3, 3)} | norm(f"{block}.bn{n}", stem)
    return shapes


def layout(family: str, blocks: tuple[int, ...], channels=(64, 128, 256, 512), embedding=256, classes=74):
    """Names and shapes of a known checkpoint, by the rule that its files follow."""
    if family == "skeletongait++":
        shapes = stream_of("sil_", 1, channels[0], blocks[0]) | stream_of("map_", 2, channels[0], blocks[0])
        fused, hidden = "fusion.conv.forward_block", channels[0] // 16
        shapes |= {f"{fused}.0.weight": (hidden, 2 * channels[0], 1, 1)} | norm(f"{fused}.1", hidden)
        shapes |= {f"{fused}.3.weight": (hidden, hidden, 3, 3)} | norm(f"{fused}.4", hidden)
        shapes |= {f"{fused}.6.weight": (2 * channels[0], hidden, 1, 1)}
    else:
        shapes = stream_of("", {"skeletongait": 2, "deepgaitv2": 1}[family], channels[0], blocks[0])
    for stage in (2, 3, 4):
        for k in range(blocks[stage - 1]):
            inputs = channels[stage - 2] if k == 0 else channels[stage - 1]
            shapes |= p3d(f"layer{stage}.{k}", inputs, channels[stage - 1])
    shapes |= {"FCs.fc_bin": (16, channels[3], embedding)}
    shapes |= {"BNNecks.fc_bin": (16, embedding, classes)} | norm("BNNecks.bn1d", 16 * embedding)
    return shapes


def tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        name: torch.tensor(7) if name.endswith("num_batches_tracked") else torch.rand(shape) + 0.1
        for name, shape in shapes.items()
    }


KNOWN = [
    ("skeletongait++_1441", "skeletongait++", (1, 4, 4, 1)),
    ("skeletongait++_1111", "skeletongait++", (1, 1, 1, 1)),
    ("skeletongait_1441", "skeletongait", (1, 4, 4, 1)),
]


@pytest.mark.parametrize(("file", "family", "blocks"), KNOWN)
def test_the_published_layouts_are_ours_to_the_last_tensor(file, family, blocks) -> None:
    """Names and shapes by the rule equal those of our net with 74 classes."""
    config = registry.parse_config(family, {"blocks": blocks, "classes": 74})
    with torch.device("meta"):
        ours = {
            name: tuple(t.shape) for name, t in registry.family(family).build(config).state_dict().items()
        }
    assert ours == layout(family, blocks)


@pytest.mark.parametrize(
    ("file", "family", "blocks"), [*KNOWN, ("gaitgraph2_resgcn-n21-r8", "gaitgraph2", ())]
)
def test_the_rule_gives_the_released_files_layouts(file, family, blocks) -> None:
    """The lists of names and shapes taken from released checkpoints, where they are at hand."""
    path = Path(os.environ.get("GAITWAY_DATA", "/nonexistent")) / "checkpoint_layouts" / f"{file}.json"
    if not path.exists():
        pytest.skip("GAITWAY_DATA holds no checkpoint layouts")
    shapes = {name: tuple(shape) for name, shape in json.loads(path.read_text()).items()}
    found = recognise(shapes)
    assert found.family == family
    net = registry.family(family).build(registry.parse_config(family, found.config))
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == shapes
    if blocks:
        assert layout(family, blocks) == shapes


SMALL = {"channels": (16, 8, 12, 20), "embedding": 4, "classes": 3}


@pytest.fixture(params=["skeletongait++", "skeletongait", "deepgaitv2"])
def foreign(request, tmp_path) -> tuple[str, Path, dict[str, torch.Tensor]]:
    state = tensors(layout(request.param, (1, 2, 1, 1), **SMALL))
    path = tmp_path / "foreign.pt"
    torch.save({"model": state, "optimizer": {"lr": 0.1}, "iteration": 60_000}, path)
    return request.param, path, state


def test_an_import_keeps_every_number(foreign, tmp_path) -> None:
    """Size told from shapes, every tensor used, the rest of the file named, and ours loads back equal."""
    family, path, state = foreign
    result = import_foreign(path, tmp_path / "ours")
    assert (result.family, result.used) == (family, len(state))
    assert result.left_out == ("iteration", "optimizer")
    assert result.config["blocks"] == (1, 2, 1, 1)
    net = load(result.weights)
    assert not net.training
    assert digest_of(net) == result.digest
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, state[name], atol=0, rtol=0)
    assert json.loads(result.weights.with_suffix(".json").read_text())["origin"]["file"] == "foreign.pt"


@pytest.mark.parametrize("prefix", ["module.", "module.backbone.", "model."])
def test_wrappers_prefixes_are_taken_off(tmp_path, prefix) -> None:
    state = tensors(layout("skeletongait", (1, 1, 1, 1), **SMALL))
    torch.save({f"{prefix}{name}": tensor for name, tensor in state.items()}, tmp_path / "x.pt")
    assert import_foreign(tmp_path / "x.pt", tmp_path / "y").used == len(state)


def test_half_precision_files_become_float(tmp_path) -> None:
    state = tensors(layout("deepgaitv2", (1, 1, 1, 1), **SMALL))
    halves = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    torch.save(halves, tmp_path / "x.pt")
    net = load(import_foreign(tmp_path / "x.pt", tmp_path / "y").weights)
    assert net.state_dict()["FCs.fc_bin"].dtype == torch.float32


def spoil_shape(state):
    state["layer3.0.sbn.bias"] = torch.zeros(3)


def spoil_number(state):
    state["FCs.fc_bin"][0, 0, 0] = float("nan")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda s: s.pop("layer2.1.sbn.bias"), "lacks layer2.1.sbn.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "no place for extra"),
        (spoil_shape, "other shapes: layer3.0.sbn.bias"),
        (spoil_number, "not finite in FCs.fc_bin"),
        (lambda s: s.pop("FCs.fc_bin"), "FCs.fc_bin"),
        (lambda s: s.update({"layer1.note": "hello"}), "no tensor"),
        (lambda s: s.clear(), "no tensors"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_tensor(tmp_path, spoil, why) -> None:
    state = tensors(layout("skeletongait", (1, 2, 1, 1), **SMALL))
    spoil(state)
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=why):
        import_foreign(tmp_path / "x.pt", tmp_path / "y")
    assert not (tmp_path / "y.safetensors").exists()


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


def test_code_in_a_checkpoint_never_runs(tmp_path, monkeypatch) -> None:
    """A pickle that would make a folder is refused, and the folder is not there."""
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Harmful()}, tmp_path / "x.pt")
    (tmp_path / "y.pt").write_bytes(pickle.dumps(Harmful(), protocol=2))
    for file in ("x.pt", "y.pt"):
        with pytest.raises(WeightsError, match="cannot read the checkpoint"):
            import_foreign(tmp_path / file, tmp_path / "z")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"PK\x03\x04" + b"\0" * 40, b"not a checkpoint at all" * 9]
)
def test_damaged_files_are_one_clear_line(tmp_path, content) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.pt") as caught:
        import_foreign(tmp_path / "x.pt", tmp_path / "y")
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_without_a_stack_trace(tmp_path, content) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"\x80\x02" + content)
    with pytest.raises(WeightsError):
        import_foreign(path, tmp_path / "y")


def test_a_truncated_checkpoint_is_refused(foreign, tmp_path) -> None:
    _, path, _ = foreign
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cannot read"):
        import_foreign(path, tmp_path / "y")


def test_a_missing_file_and_an_unknown_layout(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pt"):
        import_foreign(tmp_path / "none.pt", tmp_path / "y")
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"conv\.weight"):
        import_foreign(tmp_path / "x.pt", tmp_path / "y")


@pytest.mark.parametrize("name", registry.names())
def test_every_family_saves_and_loads(name, tmp_path) -> None:
    """The same vector before and after, and a digest that knows weights and config."""
    net = worn(registry.build(name, "tiny"))
    path = save(net, tmp_path / "net-1.0")
    assert path.name == "net-1.0.safetensors"
    again = load(path)
    x = net.example(1, 4)
    with torch.no_grad():
        torch.testing.assert_close(again.vector(again(x)), net.vector(net(x)), atol=0, rtol=0)
    assert digest_of(again) == digest_of(net)
    with torch.no_grad():
        next(again.parameters()).add_(1e-3)
    assert digest_of(again) != digest_of(net)


def test_weights_and_sidecar_belong_together(tmp_path) -> None:
    """Another net's sidecar, a damaged one, a missing one: each refused."""
    one, other = (
        save(worn(registry.build("deepgaitv2", "tiny"), seed), tmp_path / f"{seed}") for seed in (1, 2)
    )
    one.with_suffix(".json").write_bytes(other.with_suffix(".json").read_bytes())
    with pytest.raises(WeightsError, match="sidecar names"):
        load(one)
    other.with_suffix(".json").write_text('{"family": "deepgaitv2"}')
    with pytest.raises(WeightsError, match="not a sidecar"):
        load(other)
    other.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="cannot read the sidecar"):
        load(other)


def test_a_sidecar_of_an_unknown_family_or_config(tmp_path) -> None:
    path = save(registry.build("deepgaitv2", "tiny"), tmp_path / "net")
    sidecar = json.loads(path.with_suffix(".json").read_text())
    for field, value in (("family", "gaitset"), ("config", {"depth": 3})):
        path.with_suffix(".json").write_text(json.dumps(sidecar | {field: value}))
        with pytest.raises(ConfigError):
            load(path)


def test_truncated_weights_are_refused(tmp_path) -> None:
    path = save(registry.build("deepgaitv2", "tiny"), tmp_path / "net")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot read the weights"):
        load(path)
