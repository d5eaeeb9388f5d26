"""Nets on disk: safetensors with a JSON sidecar, and foreign .pt files turned into that.

A sidecar lies beside its weights (``walk.safetensors`` and ``walk.json``) and names the family, the config,
the digest of the weights and where they came from. Foreign files go through torch's restricted loader, which
runs no code of theirs, and must fit a known layout to the last tensor.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path

# The restricted loader's own error; nothing here unpickles.
from pickle import UnpicklingError
from typing import Any, Final, Literal

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gait.models import registry
from gait.models.family import GaitNet
from gait.models.layouts import recognise
from stream.errors import FOREIGN, WeightsError

SUFFIX: Final = ".safetensors"
WANTED: Final = "a .safetensors file with its .json sidecar, as `models import` and training write them"
# Where the known frameworks keep the weights inside a checkpoint, and what wrappers put before the names.
_ENTRIES: Final = ("model", "state_dict")
_PREFIXES: Final = ("module.", "backbone.", "model.")

# What the restricted loader raises when it walks through damaged bytes.
_DAMAGED: Final = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    UnpicklingError,
    struct.error,
)

State = dict[str, Tensor]


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where weights came from: ``trained`` here, or ``imported`` from a file of that name and digest."""

    kind: Literal["trained", "imported"] = "trained"
    file: str = ""
    sha256: str = ""


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a net's JSON file says; ``digest`` is of the tensors, see ``digest_of``."""

    family: str
    config: dict[str, Any]
    digest: str
    origin: Origin = Origin()
    format: Literal["gaitway-net"] = "gaitway-net"
    version: Literal[1] = 1


class Imported(msgspec.Struct, frozen=True):
    """What an import did: ``used`` tensors, and the file's entries that are ``left_out``, each named."""

    weights: Path
    family: str
    config: dict[str, Any]
    digest: str
    used: int
    left_out: tuple[str, ...]


def digest_of(net: GaitNet) -> str:
    """SHA-256 over family, config and every tensor by name: the same weights give the same digest."""
    config = msgspec.json.encode(net.config, order="deterministic")
    digest = hashlib.sha256(net.family.encode() + b"\0" + config)
    for name, tensor in sorted(net.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save(net: GaitNet, path: str | Path, origin: Origin | None = None) -> Path:
    """Write ``path``, with .safetensors added where it lacks it, and its sidecar; gives the weights' path."""
    weights = Path(path)
    if weights.suffix != SUFFIX:
        weights = weights.with_name(weights.name + SUFFIX)
    sidecar = Sidecar(net.family, msgspec.to_builtins(net.config), digest_of(net), origin or Origin())
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, weights)
        text = msgspec.json.format(msgspec.json.encode(sidecar), indent=2)
        weights.with_suffix(".json").write_bytes(text + b"\n")
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write the net ({error})", where=str(weights)) from error
    return weights


def load(path: str | Path) -> GaitNet:
    """The net of a file that ``save`` wrote, in evaluation mode; raises WeightsError for any other."""
    weights = Path(path)
    sidecar = read_sidecar(weights)
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read the weights ({error})", where=str(weights), wanted=WANTED) from error
    net = build_with(sidecar.family, sidecar.config, state, where=str(weights))
    if digest_of(net) != sidecar.digest:
        raise WeightsError(
            "the weights are not those that the sidecar names",
            where=str(weights),
            wanted=f"tensors of digest {sidecar.digest[:12]}",
            fix="Copy both files again",
        )
    return net


def read_sidecar(weights: Path) -> Sidecar:
    """The JSON beside the weights; raises WeightsError where it is missing or not ours."""
    path = weights.with_suffix(".json")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sidecar)
    except OSError as error:
        raise WeightsError(f"cannot read the sidecar ({error})", where=str(path), wanted=WANTED) from error
    except FOREIGN as error:
        raise WeightsError(f"not a sidecar of ours ({error})", where=str(path), wanted=WANTED) from error


def import_foreign(path: str | Path, out: str | Path, **config: Any) -> Imported:
    """Turn a foreign .pt into ours; ``config`` overrides what its shapes cannot tell (the map's width).

    Raises WeightsError unless every tensor of the file has its place and every place its tensor.
    """
    where = str(path)
    state, left_out = _weights_in(read_foreign(path), where)
    found = recognise({name: tuple(tensor.shape) for name, tensor in state.items()}, where)
    net = build_with(found.family, found.config | config, state, where=where)
    origin = Origin("imported", Path(path).name, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    weights = save(net, out, origin)
    return Imported(
        weights, net.family, msgspec.to_builtins(net.config), digest_of(net), len(state), left_out
    )


def read_foreign(path: str | Path) -> Any:
    """Whatever tensors and plain values a .pt file holds; raises WeightsError for code, or a damaged file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        first = str(error).split(". ")[0].splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"cannot read the checkpoint ({first})",
            where=str(path),
            wanted="a torch checkpoint of tensors and plain values",
        ) from error


def build_with(family: str, fields: Mapping[str, Any], state: State, where: str) -> GaitNet:
    """A net of that config with these weights, strictly; in evaluation mode."""
    net = registry.family(family).build(registry.parse_config(family, dict(fields))).eval()
    wanted = net.state_dict()
    _refuse("has no place for", state.keys() - wanted.keys(), where, family)
    _refuse("lacks", wanted.keys() - state.keys(), where, family)
    wrong = [
        f"{name} {tuple(state[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if state[name].shape != tensor.shape
    ]
    _refuse("has other shapes:", wrong, where, family)
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    _refuse("has values that are not finite in", broken, where, family)
    net.load_state_dict({name: state[name].to(tensor.dtype) for name, tensor in wanted.items()}, strict=True)
    return net


def _refuse(what: str, names: Any, where: str, family: str) -> None:
    found = sorted(names)
    if found:
        shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise WeightsError(f"{family} {what} {shown}", where=where, wanted="the tensors of that layout")


def _weights_in(content: Any, where: str) -> tuple[State, tuple[str, ...]]:
    """The named tensors of a checkpoint, wrappers' prefixes gone, and what else lay beside them."""
    left_out: tuple[str, ...] = ()
    for entry in _ENTRIES:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            left_out = tuple(sorted(str(name) for name in content if name != entry))
            content = content[entry]
            break
    if not isinstance(content, Mapping) or not content:
        raise WeightsError("the checkpoint holds no tensors by name", where=where)
    strangers = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if strangers:
        raise WeightsError(
            f"the checkpoint's {strangers[0]} is no tensor", where=where, wanted="tensors by name"
        )
    state = {str(name): value.detach() for name, value in content.items()}
    return _without_prefix(state), left_out


def _without_prefix(state: State) -> State:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefix({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    return state
