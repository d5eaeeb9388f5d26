"""Other people's outfits painted where the clothes were, frame by frame, by a diffusion model.

Against flicker: one outfit and one noise for a whole track, masks voted on over time, and everything
outside them left as it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from gait.data.errors import DataError
from gait.data.writer import write_atomically
from gait.training.clothing.chain.chain import Chain
from gait.training.clothing.chain.masks import TrackMasks, composited
from gait.training.clothing.chain.prompts import AGAINST, AROUND, prompt_of, shape_of
from gait.training.clothing.chain.weights import Machine, library, loading, needed, running, weighed
from gait.training.clothing.figure import Masks
from gait.training.clothing.looked import slug, write_picture
from gait.training.clothing.rederived import Variant
from stream.sources.base import Image

ROUNDS: Final = ("first", "second")


@dataclass(frozen=True)
class Painter:
    """A diffusers pipeline that inpaints."""

    pipeline: Any
    device: torch.device
    told: str

    @classmethod
    def load(cls, model: str, machine: Machine) -> Painter:
        """From a folder, or a name of a hub; raises WeightsError, ResourceError."""
        diffusers = library("diffusers")
        with loading("inpaint", model):
            pipeline = diffusers.AutoPipelineForInpainting.from_pretrained(
                model, dtype=machine.dtype(), safety_checker=None, requires_safety_checker=False
            )
            device = machine.place()
            if machine.offload == "none" or device.type == "cpu":
                pipeline.to(device)
            elif machine.offload == "model":
                pipeline.enable_model_cpu_offload(device=device)
            else:
                pipeline.enable_sequential_cpu_offload(device=device)
        pipeline.set_progress_bar_config(disable=True)
        # The picture is decoded in slices: half the memory at no visible cost.
        pipeline.vae.enable_slicing()
        return cls(pipeline, device, weighed(pipeline.unet))

    def __call__(
        self, image: Image, mask: Masks, outfit: str, seed: int, steps: int, guidance: float
    ) -> Image:
        """A BGR picture with another outfit where ``mask`` is; the same seed is the same noise."""
        pillow = library("PIL.Image")
        height, width = image.shape[:2]
        with running():
            found = self.pipeline(
                prompt=AROUND.format(outfit=outfit),
                negative_prompt=AGAINST,
                image=pillow.fromarray(np.ascontiguousarray(image[..., ::-1])),
                mask_image=pillow.fromarray(mask),
                height=height,
                width=width,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=torch.Generator("cpu").manual_seed(seed),
            ).images[0]
        return np.ascontiguousarray(np.asarray(found.convert("RGB"), np.uint8)[..., ::-1])


def run(chain: Chain) -> None:
    """The first round: every variant."""
    paint(chain, [(variant, 0) for variant in chain.variants])


def paint(chain: Chain, wanted: list[tuple[Variant, int]]) -> None:
    """Variants, each in the round told; frames that are there already stay."""
    settings = chain.settings
    model = needed("inpaint", settings.inpaint_model)
    chain.begin(
        "inpaint",
        model=model,
        precision=settings.machine.precision,
        size=(settings.height, settings.width),
        steps=settings.steps,
        guidance=settings.guidance,
        wanted=chain.wanted,
        prompts=settings.prompts,
    )
    todo = [one for one in wanted if not done_mark(chain, *one).exists()]
    if not todo:
        return
    painter = Painter.load(model, settings.machine)
    chain.say(f"inpaint: {painter.told}")
    masks: dict[str, TrackMasks] = {}

    def work(one: tuple[Variant, int]) -> None:
        variant, attempt = one
        name = slug(variant.source.entry)
        if name not in masks:
            track = chain.track(name)
            if track is None:
                raise DataError("was not looked at, or cannot be used", where=name)
            masks.clear()
            masks[name] = TrackMasks(chain, track)
        _paint_track(chain, painter, masks[name], variant, attempt)

    chain.each(todo, lambda one: str(one[0].entry), work)


def painted_in(chain: Chain, variant: Variant, attempt: int) -> Path:
    """The folder of a variant's crops."""
    return chain.place("inpaint", ROUNDS[attempt], slug(variant.entry))


def done_mark(chain: Chain, variant: Variant, attempt: int) -> Path:
    """The file that says that all of a variant's crops are there."""
    folder = painted_in(chain, variant, attempt)
    return folder.with_name(folder.name + ".done")


def _paint_track(chain: Chain, painter: Painter, masks: TrackMasks, variant: Variant, attempt: int) -> None:
    outfit = prompt_of(chain, variant, attempt)
    folder = painted_in(chain, variant, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    settings, seed = chain.settings, noise_of(chain, variant, attempt)
    for number, mask in _masked(masks, outfit):
        crop = masks.track.file.crops[number]
        path = folder / f"{crop.number:06d}.png"
        if path.exists():
            continue
        frame = masks.frames[number]
        whole = frame.put(masks.track.image(crop), settings.height, settings.width, cv2.INTER_CUBIC)
        new = painter(whole, mask, outfit, seed, settings.steps, settings.guidance)
        small = frame.cut(new, crop)
        write_picture(path, composited(masks.track.image(crop), small, frame.cut(mask, crop)))
    write_atomically(done_mark(chain, variant, attempt), outfit.encode())


def _masked(masks: TrackMasks, outfit: str) -> Iterator[tuple[int, Masks]]:
    yield from enumerate(masks.of(shape_of(outfit)))


def noise_of(chain: Chain, variant: Variant, attempt: int) -> int:
    """The seed of a variant's noise: all frames of a track start from the same."""
    told = "\0".join((str(chain.wanted.seed), *variant.entry.key, str(attempt)))
    return zlib.crc32(told.encode())
