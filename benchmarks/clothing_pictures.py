"""The pictures of docs/CLOTHING.md, drawn anew: ``python -m benchmarks.clothing_pictures docs``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clothing_recordings import true_people
from gait.data.records import Entry
from gait.data.source import Found
from gait.skeleton import GAITWAY16
from gait.training.clothing.dyes import Cloth, Dye
from gait.training.clothing.looked import look_at, write_picture
from gait.training.clothing.outfits import Bag, Outfit
from gait.training.clothing.outline import Track, dressed
from gait.training.clothing.recolour import Dyer
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import aligned, pass_by
from gait.walkers.scene import Scene, Walker
from gait.walkers.views import sample_view

Picture = NDArray[np.uint8]
SHOWN: Final = range(0, 40, 5)
OUTFITS: Final = {
    "as it was": Outfit(),
    "coat": Outfit(padding=0.014, sleeves=0.010, collar=0.010, coat=0.6, flare=0.08, loose=0.4),
    "skirt": Outfit(skirt=0.6, flare=0.25, loose=0.6),
    "wide trousers": Outfit(trousers=0.02, loose=0.7),
    "hood": Outfit(hood="up", padding=0.008, sleeves=0.006, coat=0.08),
    "backpack": Outfit(bags=(Bag("backpack", "left", 1.0),)),
    "bag in hand": Outfit(bags=(Bag("hand", "left", 1.0),)),
}
DYES: Final = (
    None,
    Dye(Cloth((42, 52, 30)), Cloth((24, 8, -26))),
    Dye(Cloth((88, 0, 4), "hoops", (24, 8, -26), 0.07), Cloth((45, -2, -24))),
    Dye(Cloth((40, -28, 22), "checks", (75, 6, 52), 0.08), Cloth((38, 0, -2))),
)


def outlines() -> Picture:
    """A row an outfit, side-on and at an angle."""
    rows = []
    for name, outfit in OUTFITS.items():
        cells = [_label(name)]
        for view in (90.0, 45.0):
            person = sample_person(11, population=STREET)
            walk = aligned(pass_by(person, sample_view(11, 1, view), frames=40), GAITWAY16)
            worn = walk if outfit == Outfit() else dressed(Track.of(walk), outfit)
            cells += [worn.silhouettes[frame] for frame in SHOWN]
        rows.append(np.concatenate(cells, axis=1))
    return np.asarray(np.concatenate(rows), np.uint8)


def dyes() -> Picture:
    """A row a dye, of a rendered recording."""
    size = (480, 360)
    view = sample_view(46, 2, 90.0, size)
    walker = Walker(sample_person(46, population=STREET), view.path(2.4))
    scene = Scene(46, view.camera, (walker,), 1.2)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as place:
        clip = Path(place) / "clip"
        clip.mkdir()
        seen = []
        for number in range(24):
            rendered = scene.frame(number)
            write_picture(clip / f"{number:06d}.png", rendered.image)
            seen.append(true_people(rendered))
        found = Found(Entry("walker", "walk", "", 0, "clip"), (clip,))
        dyer = Dyer(look_at(found, lambda _: tuple(seen), Path(place) / "look"))
        rows = []
        for dye in DYES:
            crops = dyer.track.file.crops
            cells = [
                dyer.track.image(crops[n]) if dye is None else dyer.dyed(n, dye) for n in range(0, 24, 4)
            ]
            rows.append(np.concatenate([cv2.resize(cell, (96, 150)) for cell in cells], axis=1))
    return np.asarray(np.concatenate(rows), np.uint8)


def _label(text: str) -> Picture:
    cell = np.zeros((64, 90), np.uint8)
    cv2.putText(cell, text, (4, 36), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1, cv2.LINE_AA)
    return cell


def main(folder: str) -> int:
    """Write both."""
    cv2.imwrite(str(Path(folder) / "clothing-outline.png"), outlines(), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cv2.imwrite(str(Path(folder) / "clothing-recolour.jpg"), dyes(), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
