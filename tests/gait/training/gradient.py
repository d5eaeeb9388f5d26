"""One process's view of a batch's gradient, alone or in a group: ``python -m tests.gait.training.gradient``."""

import sys

import torch
from torch import nn

from gait.models.family import Features
from gait.training.losses import triplet
from gait.training.parallel import joined


def gradient() -> str:
    """The loss and the gradient, rounded."""
    torch.manual_seed(0)
    net, frames = nn.Linear(5, 4), torch.randn(8, 5)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    with joined("cpu") as processes:
        trained = processes.wrapped(net, all_used=True)
        mine = slice(processes.rank, None, processes.count)
        out = trained(frames[mine])[..., None]
        features, everyone = processes.whole(Features(out, out, None), labels[mine])
        loss = triplet(features.embed_1, everyone).value
        processes.loss_to_minimise(loss, features).backward()
        assert processes.stack(torch.full((3,), float(processes.rank))).shape == (processes.count, 3)
        assert processes.told(7.0 + processes.rank) == 7.0
    assert net.weight.grad is not None
    return f"{loss.item():.5f} {[round(v, 5) for v in net.weight.grad.flatten().tolist()]}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(gradient())
