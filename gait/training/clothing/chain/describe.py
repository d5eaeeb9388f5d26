"""What somebody wears, in a vision-language model's words: some frames of every track, a file each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import msgspec
import numpy as np
import torch

from gait.training.clothing.chain.chain import Chain, write_json
from gait.training.clothing.chain.weights import Machine, library, loading, needed, placed, running, weighed
from gait.training.clothing.looked import Crop, Looked
from stream.sources.base import Image

FRAMES: Final = 3
"""Of each track: clothes do not change, how well they show does."""
LONGEST: Final = 80
QUESTION: Final = (
    "Describe only the clothes this person wears and what they carry: upper clothes, lower clothes, shoes, "
    "bag, each with its colour and kind. Do not mention the person, the pose or the background."
)


class Description(msgspec.Struct, frozen=True):
    """What was said of a frame."""

    frame: int
    text: str


@dataclass(frozen=True)
class Describer:
    """LLaVA, or another model of its kind that transformers loads."""

    processor: Any
    model: Any

    @classmethod
    def load(cls, model: str, machine: Machine) -> Describer:
        """From a folder, or a name of a hub; raises WeightsError, ResourceError."""
        transformers = library("transformers")
        with loading("describe", model):
            processor = transformers.AutoProcessor.from_pretrained(model)
            net = transformers.AutoModelForImageTextToText.from_pretrained(model, dtype=machine.dtype())
        return cls(processor, placed(net, machine))

    def __call__(self, image: Image) -> str:
        """Of a BGR picture."""
        pillow = library("PIL.Image")
        picture = pillow.fromarray(np.ascontiguousarray(image[..., ::-1]))
        inputs = self.processor(images=picture, text=self._prompt(), return_tensors="pt")
        device = next(self.model.parameters()).device
        kind = next(self.model.parameters()).dtype
        inputs = {
            name: value.to(device, kind) if value.is_floating_point() else value.to(device)
            for name, value in inputs.items()
        }
        with torch.inference_mode(), running():
            told = self.model.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)
        answer = told[0, inputs["input_ids"].shape[1] :]
        return str(self.processor.tokenizer.decode(answer, skip_special_tokens=True)).strip()

    def _prompt(self) -> str:
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
            turns = [{"role": "user", "content": content}]
            return str(self.processor.apply_chat_template(turns, add_generation_prompt=True))
        return f"USER: <image>\n{QUESTION} ASSISTANT:"


def run(chain: Chain) -> None:
    """Describe every track, from whose outfits prompts are taken."""
    model = needed("describe", chain.settings.describe_model)
    chain.begin("describe", model=model, precision=chain.settings.machine.precision)
    todo = [
        (track, crop)
        for track in chain.tracks()
        for crop in _shown(track)
        if not chain.place("describe", track.folder.name, f"{crop.number:06d}.json").exists()
    ]
    if not todo:
        return
    describer = Describer.load(model, chain.settings.machine)
    chain.say(f"describe: {weighed(describer.model)}")

    def work(one: tuple[Looked, Crop]) -> None:
        track, crop = one
        text = describer(_upright(track.image(crop)))
        path = chain.place("describe", track.folder.name, f"{crop.number:06d}.json")
        write_json(path, Description(crop.number, text))

    chain.each(todo, lambda one: f"{one[0].folder.name}, frame {one[1].number}", work)


def _shown(track: Looked) -> list[Crop]:
    crops = track.file.crops
    places = np.linspace(0, len(crops) - 1, FRAMES + 2).round().astype(int)[1:-1]
    return [crops[place] for place in dict.fromkeys(places.tolist())]


def _upright(image: Image) -> Image:
    """Small people enlarged: such models look at a few hundred pixels."""
    scale = max(1.0, 336 / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
