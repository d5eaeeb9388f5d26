"""One process or several (torchrun): each takes its share of a batch, the loss is that of the whole batch."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gait.models.family import Features
from stream.errors import ConfigError, ResourceError

# The group's two threads hold the tensors of one exchange each; the largest exchange has a few per process.
_REMEMBERED: Final = 64
_LET_GO_S: Final = 10.0


@dataclass(frozen=True)
class Processes:
    """This process's place among ``count``, and its device."""

    device: torch.device
    rank: int = 0
    count: int = 1
    _sent: deque[Tensor] = field(default_factory=lambda: deque(maxlen=_REMEMBERED), repr=False)

    @property
    def leads(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def stack(self, value: Tensor) -> Tensor:
        """Every process's tensor of the same shape, (count, ...), on the processor."""
        if self.count == 1:
            return value.detach().cpu()[None].clone()
        here = value.detach().to(self.device)
        gathered = self._gathered(here)
        return torch.stack(gathered).cpu()

    def told(self, number: float) -> float:
        """The leading process's number."""
        if self.count == 1:
            return number
        value = torch.tensor([number], dtype=torch.float64, device=self.device)
        distributed.broadcast(value, 0)
        self._sent.append(value)
        return float(value)

    def whole(self, features: Features, labels: Tensor) -> tuple[Features, Tensor]:
        """What all processes' nets said, gradients through this one's share alone."""
        if self.count == 1:
            return features, labels
        logits = None if features.logits is None else self._joined(features.logits)
        together = Features(self._joined(features.embed_1), self._joined(features.embed_2), logits)
        return together, self._joined(labels)

    def loss_to_minimise(self, loss: Tensor, features: Features) -> Tensor:
        """Times the processes: gradients are averaged over them, and each has those of its share alone.

        Several processes wait for a gradient of everything the net put out, also of what no loss uses.
        """
        if self.count == 1:
            return loss
        outputs = (features.embed_1, features.embed_2, features.logits)
        return loss * self.count + sum(0 * part.sum() for part in outputs if part is not None)

    def _joined(self, mine: Tensor) -> Tensor:
        parts = self._gathered(mine.detach().contiguous())
        parts[self.rank] = mine
        return torch.cat(parts)

    def _gathered(self, mine: Tensor) -> list[Tensor]:
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        distributed.all_gather(parts, mine)
        self._sent.extend([mine, *parts])
        return parts

    def wait_for_threads(self) -> None:
        """Until the group's threads have let go of what was exchanged.

        They live as long as the process; one that drops a tensor while the interpreter ends aborts it.
        """
        until_s = time.monotonic() + _LET_GO_S
        while any(map(_is_held_elsewhere, self._sent)) and time.monotonic() < until_s:
            time.sleep(0.001)
        self._sent.clear()

    def align(self, net: nn.Module) -> None:
        """The leading process's net in all: batch norms count in each for themselves."""
        if self.count > 1:
            for tensor in net.state_dict().values():
                distributed.broadcast(tensor, 0)

    def wrapped(self, net: nn.Module, *, all_used: bool) -> nn.Module:
        """The net as it is trained: alone, or averaging gradients with its copies.

        ``all_used``: every weight takes part in the loss.
        """
        if self.count == 1:
            return net
        devices = [self.device.index] if self.device.type == "cuda" else None
        if self.device.type == "cuda":
            synchronised: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
            net = synchronised(net)
        return DistributedDataParallel(net, device_ids=devices, find_unused_parameters=not all_used)


def _is_held_elsewhere(tensor: Tensor) -> bool:
    """Whether somebody beside Python holds the tensor."""
    return bool(tensor._use_count() > 1)  # type: ignore[attr-defined]  # torch has it without declaring it


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """This process alone, or in the group that torchrun made; ``device`` is auto, cpu, cuda or cuda:N."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = chosen_device(device, int(os.environ.get("LOCAL_RANK", "0")) if count > 1 else None)
    if count == 1:
        yield Processes(place)
        return
    try:
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        raise ResourceError(
            f"cannot join the other processes ({str(error).splitlines()[0]})",
            fix="Start the run with torchrun --nproc-per-node N run_pipeline.py train ...",
        ) from error
    processes = Processes(place, rank, count)
    try:
        yield processes
    finally:
        processes.wait_for_threads()
        distributed.destroy_process_group()


def chosen_device(name: str, local_rank: int | None = None) -> torch.device:
    """The device of that name; raises ConfigError where there is none."""
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if has_cuda else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"no device {name!r}", where="trainer.device", wanted="auto, cpu or cuda"
        ) from error
    if device.type == "cuda" and not has_cuda:
        raise ConfigError("this machine has no usable GPU", where="trainer.device", fix="Use cpu or auto")
    if device.type == "cuda":
        device = torch.device("cuda", local_rank if local_rank is not None else device.index or 0)
        torch.cuda.set_device(device)
    return device
