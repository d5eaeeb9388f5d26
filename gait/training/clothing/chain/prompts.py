"""What a variant is to wear: another person's outfit, and which shapes its words ask for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from gait.data.errors import DataError
from gait.training.clothing.chain.chain import Chain, read_json
from gait.training.clothing.chain.refine import Refined
from gait.training.clothing.outfits import Bag, Outfit
from gait.training.clothing.rederived import Variant
from gait.walkers.seeds import stream

AROUND: Final = "a photo of a person walking, wearing {outfit}, full body, realistic clothes, same light"
AGAINST: Final = "naked, deformed, extra limbs, cartoon, painting, text, blurry"
WIDENING: Final[tuple[tuple[str, dict[str, float]], ...]] = (
    (r"long coat|overcoat|trench|parka", {"padding": 0.014, "sleeves": 0.010, "coat": 0.65, "flare": 0.1}),
    (r"coat|jacket|hoodie|blazer|cardigan|sweater", {"padding": 0.010, "sleeves": 0.007, "coat": 0.15}),
    (r"long dress|long skirt|gown|robe", {"skirt": 0.9, "flare": 0.2}),
    (r"dress|skirt", {"skirt": 0.5, "flare": 0.25}),
    (r"wide|baggy|flared|loose", {"trousers": 0.016}),
)
"""What is worn further out than most clothes, in words, and how far: the mask has to grow for it."""
_BAGS: Final = ((r"backpack|rucksack", "backpack"), (r"shoulder bag|handbag|purse|tote", "shoulder"))


def prompt_of(chain: Chain, variant: Variant, attempt: int = 0) -> str:
    """The outfit of a variant: one of other people's, the same each time it is asked for.

    Raises DataError where nobody else's outfit is known.
    """
    person = variant.source.entry.person
    others = [one.outfit for one in outfits(chain) if one.person != person]
    if not others:
        raise DataError(
            "no other person's outfit is known",
            where=str(variant.entry),
            wanted="describe and refine of two people at least, or --prompts FILE",
        )
    rng = stream(chain.wanted.seed, "prompt", *variant.entry.key, attempt)
    return others[int(rng.integers(len(others)))]


def outfits(chain: Chain) -> list[Refined]:
    """Everybody's, or those of a file, which are nobody's; in an order that is always the same."""
    if chain.settings.prompts:
        return [Refined("", line) for line in _lines(Path(chain.settings.prompts))]
    folder = chain.place("refine", "x").parent
    paths = [path for path in sorted(folder.glob("*.json")) if path.name != "settings.json"]
    found = [read_json(path, Refined) for path in paths]
    return sorted({one for one in found if one.outfit}, key=lambda one: (one.person, one.outfit))


def shape_of(outfit: str) -> Outfit:
    """What must fit into the mask beyond what is worn already, by the outfit's words."""
    text, shape = outfit.lower(), Outfit()
    for pattern, changes in reversed(WIDENING):
        if re.search(rf"\b(?:{pattern})", text):
            shape = msgspec.structs.replace(shape, **changes)
    bags = tuple(Bag(kind, "left", 1.0) for words, kind in _BAGS if re.search(words, text))  # type: ignore[arg-type]
    hood = "up" if re.search(r"\bhood up|\bhijab|\bheadscarf", text) else "none"
    return msgspec.structs.replace(shape, bags=bags, hood=hood)


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), wanted="an outfit a line") from error
    if not any(lines):
        raise DataError("holds no outfit", where=str(path), wanted="an outfit a line")
    return [line for line in lines if line]
