"""Whose weights each stage needs, what they weigh, on what terms; and how they are loaded.

Nothing is fetched unless the user names a model of a hub: a folder or a file is read as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import msgspec
import torch

from stream.errors import GaitwayError, ResourceError, WeightsError

Precision = Literal["auto", "float32", "float16", "bfloat16"]
Offload = Literal["none", "model", "sequential"]
EXTRA: Final = "pip install -c constraints.txt -e '.[clothing]'"


@dataclass(frozen=True)
class Known:
    """A model that is known to do; ``holds`` what its weights take in memory at two bytes each."""

    name: str
    download: str
    holds: str
    licence: str


KNOWN: Final[dict[str, Known]] = {
    "describe": Known(
        "llava-hf/llava-1.5-7b-hf",
        "14 GB",
        "14 GB, and 1 GB while it runs",
        "Llama 2 Community License, for the language model inside",
    ),
    "refine": Known(
        "meta-llama/Llama-3.1-8B-Instruct",
        "16 GB",
        "16 GB, and 1 GB while it runs",
        "Llama 3.1 Community License, to be accepted at Meta's",
    ),
    "parse": Known(
        "exp-schp-201908261155-lip.pth of Self-Correction-Human-Parsing",
        "270 MB",
        "0.3 GB, and 1 GB while it runs",
        "MIT for the code; the weights were made of LIP, which is for research that is not commercial",
    ),
    "inpaint": Known(
        "stable-diffusion-v1-5/stable-diffusion-inpainting",
        "4 GB (2 GB of them in float16)",
        "2 GB, and 2 GB while it runs at 768x256",
        "CreativeML Open RAIL-M, which forbids some uses",
    ),
}


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where nets run: ``device`` as torch names it, or auto; how numbers are held; what waits elsewhere."""

    device: str = "auto"
    precision: Precision = "auto"
    offload: Offload = "none"

    def place(self) -> torch.device:
        """Raises ResourceError for a device that is not there."""
        name = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        try:
            device = torch.device(name)
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ResourceError(
                f"no device {name} ({_first_line(error)})", wanted="auto, cpu or cuda"
            ) from error
        return device

    def dtype(self) -> torch.dtype:
        """Half precision on an accelerator, unless told otherwise: processors are slower in it."""
        if self.precision != "auto":
            return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[
                self.precision
            ]
        if self.place().type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def needed(stage: str, model: str) -> str:
    """``model``, if one was named; raises ResourceError that says what to fetch, how large, on what terms."""
    if model:
        return model
    known = KNOWN[stage]
    raise ResourceError(
        f"{stage} has no weights, and none are fetched unasked",
        wanted=f"--{stage}-model: a folder or a name, such as {known.name} ({known.download} to fetch; "
        f"in memory at two bytes a weight {known.holds}; licence: {known.licence})",
    )


def library(name: str) -> ModuleType:
    """transformers or diffusers; raises ResourceError that names the extra where it is absent."""
    if name == "diffusers":
        library("transformers")
    try:
        found = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ResourceError(f"this needs {error.name}, which is not installed", fix=EXTRA) from error
    if name in ("transformers", "diffusers"):
        # Their bars and advice are about themselves; what fails is told by us.
        found.utils.logging.disable_progress_bar()
        found.utils.logging.set_verbosity_error()
    return found


@contextmanager
def loading(stage: str, model: str) -> Iterator[None]:
    """Whatever keeps a model from being loaded, as one line that names it."""
    try:
        yield
    except GaitwayError:
        raise
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"too little memory for {model}", fix="Try --offload model, or a smaller --precision"
        ) from error
    except Exception as error:
        # A file that is no model lets four libraries raise anything.
        raise WeightsError(
            f"no model for {stage} can be loaded from it ({_first_line(error)})",
            where=model,
            wanted=f"a folder or a name such as {KNOWN[stage].name}",
        ) from error


@contextmanager
def running() -> Iterator[None]:
    """Memory that ran out, as one line."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            "too little memory on the device", fix="Try --offload model, or a smaller --size"
        ) from error


def placed(model: Any, machine: Machine) -> Any:
    """A transformers model where it is to run; with offload, layers come to the device as needed."""
    device = machine.place()
    if machine.offload == "none" or device.type == "cpu":
        return model.to(device).eval()
    accelerate = library("accelerate")
    return accelerate.cpu_offload(model.eval(), execution_device=device)


def weighed(model: Any) -> str:
    """How many weights, and what they take."""
    count = sum(weight.numel() for weight in model.parameters())
    held = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return f"{count / 1e6:.1f} million weights, {held / 2**20:.0f} MiB"


def is_here(model: str) -> bool:
    """Whether it is a folder or a file, not a name of a hub."""
    return Path(model).expanduser().exists()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
