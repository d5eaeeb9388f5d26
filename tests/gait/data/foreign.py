"""Small foreign data sets on disk, for the preparations' tests."""

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gait.sample import sample_walk


def put(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return path


def put_picture(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def put_pictures(folder: Path, seed: int = 0, frames: int = 3) -> Path:
    """Silhouettes of a walker on a larger black picture."""
    for number, image in enumerate(sample_walk(seed, frames).silhouettes, 1):
        picture = np.zeros((120, 100), np.uint8)
        picture[30:94, 20:64] = np.where(image > 127, 255, 0)
        put_picture(folder / f"{number:03}.png", picture)
    return folder


def coco(frames: int, joints: int = 17) -> np.ndarray:
    return np.random.default_rng(frames).random((frames, joints, 3), np.float32)
