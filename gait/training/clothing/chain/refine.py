"""Several descriptions of a track into one line that says what is worn: by a chat model of LLaMA's kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import torch

from gait.data.errors import DataError
from gait.training.clothing.chain.chain import Chain, read_json, write_json
from gait.training.clothing.chain.describe import Description
from gait.training.clothing.chain.weights import Machine, library, loading, needed, placed, running, weighed
from gait.training.clothing.looked import Looked

LONGEST: Final = 60
MOST_LETTERS: Final = 240
"""What CLIP's 77 tokens hold, roughly."""
TASK: Final = (
    "You are given several descriptions of one person's clothes. Answer with one line that lists what is "
    "worn and carried, upper clothes first, each with its colour, with commas between. No other words."
)


class Refined(msgspec.Struct, frozen=True):
    """What somebody wears, in one line."""

    person: str
    outfit: str


@dataclass(frozen=True)
class Refiner:
    """A causal language model with a chat template, or without one."""

    tokenizer: Any
    model: Any

    @classmethod
    def load(cls, model: str, machine: Machine) -> Refiner:
        """From a folder, or a name of a hub; raises WeightsError, ResourceError."""
        transformers = library("transformers")
        with loading("refine", model):
            tokenizer = transformers.AutoTokenizer.from_pretrained(model)
            net = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=machine.dtype())
        return cls(tokenizer, placed(net, machine))

    def __call__(self, texts: list[str]) -> str:
        """One line; empty where the model had nothing to say."""
        asked = "\n".join(f"- {text}" for text in texts)
        inputs = self.tokenizer(self._prompt(asked), return_tensors="pt", add_special_tokens=False)
        device = next(self.model.parameters()).device
        inputs = {name: value.to(device) for name, value in inputs.items() if name != "token_type_ids"}
        with torch.inference_mode(), running():
            told = self.model.generate(
                **inputs,
                max_new_tokens=LONGEST,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
            )
        answer = told[0, inputs["input_ids"].shape[1] :]
        return one_line(str(self.tokenizer.decode(answer, skip_special_tokens=True)))

    def _prompt(self, asked: str) -> str:
        if getattr(self.tokenizer, "chat_template", None):
            turns = [{"role": "system", "content": TASK}, {"role": "user", "content": asked}]
            return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        return f"{TASK}\n\n{asked}\n\nAnswer:"


def run(chain: Chain) -> None:
    """Refine every track's descriptions."""
    model = needed("refine", chain.settings.refine_model)
    chain.begin("refine", model=model, precision=chain.settings.machine.precision)
    todo = [
        track for track in chain.tracks() if not chain.place("refine", f"{track.folder.name}.json").exists()
    ]
    if not todo:
        return
    refiner = Refiner.load(model, chain.settings.machine)
    chain.say(f"refine: {weighed(refiner.model)}")

    def work(track: Looked) -> None:
        texts = described(chain, track)
        # A model that says nothing leaves the first description as it is.
        outfit = refiner(texts) or one_line(texts[0])
        write_json(chain.place("refine", f"{track.folder.name}.json"), Refined(_person(track), outfit))

    chain.each(todo, lambda track: track.folder.name, work)


def described(chain: Chain, track: Looked) -> list[str]:
    """What was said of a track; raises DataError where nothing was."""
    folder = chain.place("describe", track.folder.name, "x").parent
    texts = [read_json(path, Description).text for path in sorted(folder.glob("*.json"))]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise DataError("nothing was said of it", where=track.folder.name, fix="Run --stage describe before")
    return texts


def one_line(text: str) -> str:
    """The first line with words in it, without a list's dashes, short enough for a prompt."""
    lines = [line.strip(" -*\t") for line in text.splitlines()]
    return next((" ".join(line.split())[:MOST_LETTERS] for line in lines if line), "")


def _person(track: Looked) -> str:
    return track.file.of.split("/", maxsplit=1)[0]
