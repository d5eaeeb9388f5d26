"""Whole nets against slow numpy: every stride, order, pooling and neck at once, by tensors' names."""

import numpy as np
import pytest
import torch

from gait.models import registry
from gait.models.checkpoints import import_foreign, load
from tests import slow_nets
from tests.strategies_skeletons import worn

SMALL = {"channels": (2, 3, 4, 5), "embedding": 3, "classes": 2, "width": 8}
FAMILIES = {
    "deepgaitv2": slow_nets.deepgait,
    "skeletongait": slow_nets.deepgait,
    "skeletongait++": slow_nets.skeletongait_pp,
    "silskeletongait": slow_nets.skeletongait_pp,
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("blocks", [(1, 1, 1, 1), (1, 2, 2, 1)])
@torch.no_grad()
def test_a_whole_net_equals_its_slow_reading(name, blocks) -> None:
    """Both embeddings and the logits, three frames, to float32's rounding; and the flat form with them."""
    net = worn(registry.build(name, "tiny", blocks=blocks, **SMALL), 11)
    frames = np.random.default_rng(3).random((3, *net.frame_shape))
    state = {key: value.double().numpy() for key, value in net.state_dict().items()}
    wanted = FAMILIES[name](frames, state)
    x = torch.from_numpy(frames).float()[None]
    found = net(x)
    assert found.logits is not None
    for ours, slow in (
        (found.embed_1, wanted.embed_1),
        (found.embed_2, wanted.embed_2),
        (found.logits, wanted.logits),
    ):
        np.testing.assert_allclose(ours[0].numpy(), slow, atol=2e-5 * np.abs(slow).max())
    flat = net.flat(3)(net.flat_input(x))[0].numpy().reshape(16, 3)
    # A strip whose channels are all dead has no direction: it stays zero.
    lengths = np.maximum(np.linalg.norm(wanted.embed_1.T, axis=1, keepdims=True), 1e-12)
    unit = wanted.embed_1.T / lengths / 4
    np.testing.assert_allclose(flat, unit, atol=1e-5)


@torch.no_grad()
def test_an_imported_checkpoint_computes_what_its_tensors_say(tmp_path) -> None:
    """From a foreign file's names straight to numbers, without our net's own state in between."""
    source = worn(registry.build("skeletongait++", "tiny", **SMALL), 12)
    tensors = {f"module.{name}": tensor.clone() for name, tensor in source.state_dict().items()}
    torch.save({"model": tensors}, tmp_path / "old.pt")
    net = load(import_foreign(tmp_path / "old.pt", tmp_path / "new", width=8).weights)
    frames = np.random.default_rng(4).random((2, 3, 64, 8))
    state = {name.removeprefix("module."): tensor.double().numpy() for name, tensor in tensors.items()}
    wanted = slow_nets.skeletongait_pp(frames, state)
    found = net(torch.from_numpy(frames).float()[None])
    np.testing.assert_allclose(
        found.embed_1[0].numpy(), wanted.embed_1, atol=2e-5 * np.abs(wanted.embed_1).max()
    )
