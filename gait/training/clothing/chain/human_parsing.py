"""Which garment or part of the body each pixel of a crop shows, in LIP's classes: a label picture a frame."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gait.training.clothing.chain.chain import Chain
from gait.training.clothing.chain.schp import CLASSES, parser_of
from gait.training.clothing.chain.weights import Machine, library, loading, needed, weighed
from gait.training.clothing.looked import Crop, Looked, write_picture
from stream.errors import WeightsError
from stream.sources.base import Image

LIP: Final = (
    "background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks", "trousers",
    "jumpsuit", "scarf", "skirt", "face", "left arm", "right arm", "left leg", "right leg", "left shoe",
    "right shoe",
)  # fmt: skip
SIDE: Final = 473
"""The published net's input; a picture is fitted into it, its sides kept in proportion."""
MEAN: Final = np.array([0.406, 0.456, 0.485], np.float32)
SPREAD: Final = np.array([0.225, 0.224, 0.229], np.float32)
"""Of BGR, as the published net was trained."""

Labels = NDArray[np.uint8]
# (3, H, W) normalised BGR -> (classes, h, w) scores.
Scores = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Parser:
    """A parsing net behind one call."""

    def __init__(self, scores: Scores, side: int, told: str) -> None:
        self.scores, self.side, self.told = scores, side, told

    @classmethod
    def load(cls, model: str, machine: Machine, side: int = 0) -> Parser:
        """From a .onnx file, or a checkpoint in torch's form; raises WeightsError for anything else."""
        path = Path(model).expanduser()
        if not path.is_file():
            raise WeightsError("no such file", where=model, wanted="an SCHP checkpoint (.pth) or .onnx")
        with loading("parse", model):
            return _onnx(path) if path.suffix == ".onnx" else _torch(path, machine, side or SIDE)

    def __call__(self, image: Image) -> Labels:
        """The label of every pixel of a BGR picture."""
        height, width = image.shape[:2]
        scale = self.side / max(height, width)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.side - rows) // 2, (self.side - columns) // 2
        small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        square = np.zeros((self.side, self.side, 3), np.float32)
        square[top : top + rows, left : left + columns] = small
        normed = (square / 255 - MEAN) / SPREAD
        scores = self.scores(np.ascontiguousarray(normed.transpose(2, 0, 1), np.float32))
        whole = np.asarray(cv2.resize(scores.transpose(1, 2, 0), (self.side, self.side)))
        inside = whole[top : top + rows, left : left + columns]
        return np.asarray(cv2.resize(inside, (width, height)).argmax(axis=2), np.uint8)


def run(chain: Chain) -> None:
    """Parse every crop of every track."""
    model = needed("parse", chain.settings.parse_model)
    chain.begin("parse", model=model)
    todo = [
        (track, crop)
        for track in chain.tracks()
        for crop in track.file.crops
        if not _place(chain, track, crop).exists()
    ]
    if not todo:
        return
    parser = Parser.load(model, chain.settings.machine)
    chain.say(f"parse: {parser.told}")

    def work(one: tuple[Looked, Crop]) -> None:
        track, crop = one
        write_picture(_place(chain, track, crop), parser(track.image(crop)))

    for track, _ in todo:
        chain.place("parse", track.folder.name, "x").parent.mkdir(parents=True, exist_ok=True)
    chain.each(todo, lambda one: f"{one[0].folder.name}, frame {one[1].number}", work)


def _place(chain: Chain, track: Looked, crop: Crop) -> Path:
    return chain.place("parse", track.folder.name, f"{crop.number:06d}.png")


def _torch(path: Path, machine: Machine, side: int) -> Parser:
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(
            "is no checkpoint of tensors alone", where=str(path), wanted="an SCHP checkpoint (.pth) or .onnx"
        ) from error
    net = parser_of(found.get("state_dict", found))
    device, kind = machine.place(), machine.dtype()
    net.to(device, kind)

    def scores(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            told = net(torch.from_numpy(image)[None].to(device, kind))
        return np.asarray(told[0].float().cpu().numpy())

    return Parser(scores, side, weighed(net))


def _onnx(path: Path) -> Parser:
    session = library("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given, outputs = session.get_inputs()[0], [one.name for one in session.get_outputs()]
    if len(given.shape) != 4 or given.shape[1] != 3:
        raise ValueError(f"its input is {given.shape}, wanted (1, 3, side, side)")
    side = given.shape[3] if isinstance(given.shape[3], int) else SIDE

    def scores(image: NDArray[np.float32]) -> NDArray[np.float32]:
        told = session.run(outputs, {given.name: image[None]})
        # The last of several outputs with a plane a class is the finest.
        planes = [one[0] for one in told if getattr(one, "ndim", 0) == 4 and one.shape[1] == CLASSES]
        if not planes:
            raise WeightsError(
                "no output has a plane a class", where=str(path), wanted=f"(1, {CLASSES}, h, w)"
            )
        return np.asarray(planes[-1], np.float32)

    return Parser(scores, side, f"{path.stat().st_size / 2**20:.0f} MiB")
