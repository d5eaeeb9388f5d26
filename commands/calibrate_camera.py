"""``run_pipeline.py calibrate camera``: the lens, the ground, a picture of the fit, what to doubt."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.camera import Board, draw_lens, find_views, fit_lens
from calibration.ground import STATURE_M, GroundFit, Sights, draw_ground, fit_people, fit_points
from commands.cli import add_config_arguments, add_json_argument, out, print_json, progress, say
from commands.config import load_config
from commands.observe import observe
from engines.camera_model import (
    CameraModel,
    Lens,
    Straightener,
    assumed_lens,
    read_camera,
    write_camera,
)
from stream.errors import ConfigError, ResourceError
from stream.messages import TrackletId
from stream.sources import open_source

Picture = NDArray[np.uint8]

PAIR: Final = re.compile(r"(\d+)x(\d+)")
EVERY: Final = 5
"""Of a clip's pictures, those searched for a board: it hardly moves in a fifth of a second."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Where the lens comes from, where the ground comes from, where the result goes."""
    lens = parser.add_argument_group("the lens (one of the three)")
    lens.add_argument(
        "--lens", metavar="CLIP", help="a clip of a chessboard or ChArUco board, moved and tilted"
    )
    lens.add_argument(
        "--from", dest="base", type=Path, metavar="FILE", help="the lens of an earlier calibration"
    )
    lens.add_argument(
        "--angle", type=float, metavar="DEGREES", help="assume this angle of view, left to right"
    )
    lens.add_argument("--size", metavar="WxH", help="with --angle: the pictures' size, as 1280x720")
    lens.add_argument(
        "--board", default="9x6", metavar="CxR", help="inner corners of the board (default 9x6)"
    )
    lens.add_argument(
        "--square", type=float, default=0.025, metavar="M", help="side of a square (default 0.025)"
    )
    lens.add_argument("--charuco", default="", metavar="DICT", help="its ArUco dictionary, as DICT_5X5_100")
    ground = parser.add_argument_group("the ground (one of the two, or none)")
    ground.add_argument("--people", metavar="CLIP", help="a clip of people who walk nearer and farther")
    ground.add_argument(
        "--stature",
        type=float,
        default=STATURE_M,
        metavar="M",
        help=f"their mean height (default {STATURE_M})",
    )
    ground.add_argument(
        "--point",
        action="append",
        default=[],
        metavar="X,Y=RIGHT,AHEAD",
        help="a pixel and its place on the ground in metres, on any axes; four or more",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("camera.json"), help="the result (default camera.json)"
    )
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the fit there")
    add_config_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fit, write, tell; 0 also where there are doubts: they stand in the file and on the screen."""
    if arguments.people and arguments.point:
        raise ConfigError("both --people and --point", wanted="one of them")
    lens, doubts, picture = _lens(arguments)
    fit: GroundFit | None = None
    sights: Sights | None = None
    if arguments.people:
        sights, first = _sights(arguments, lens)
        fit = fit_people(sights, lens, arguments.stature)
        picture = draw_ground(first, CameraModel(lens, fit.ground), sights, fit.statures_m)
    elif arguments.point:
        pixels, places = _points(arguments.point)
        fit = fit_points(lens.straightened(pixels), places, lens)
        blank = np.full((lens.height, lens.width, 3), 60, np.uint8)
        picture = draw_ground(blank if picture is None else picture, CameraModel(lens, fit.ground), None)
    found = (*doubts, *(fit.doubts if fit else ()))
    model = CameraModel(lens, fit.ground if fit else None, found)
    write_camera(arguments.out, model)
    if arguments.picture is not None:
        _draw(arguments.picture, picture)
    _tell(arguments, model)
    return 0


def _lens(arguments: argparse.Namespace) -> tuple[Lens, tuple[str, ...], Picture | None]:
    """The lens, what to doubt about it, and a picture of its fit where there is one."""
    given = [bool(arguments.lens), arguments.base is not None, arguments.angle is not None]
    if sum(given) != 1:
        raise ConfigError(
            f"{sum(given)} of --lens, --from and --angle", wanted="one: where the lens comes from"
        )
    if arguments.base is not None:
        held = read_camera(arguments.base)
        return held.lens, tuple(doubt for doubt in held.doubts if "ground" not in doubt), None
    if arguments.angle is not None:
        return assumed_lens(*_pair(arguments.size or "", "--size"), arguments.angle), (), None
    board = Board(*_pair(arguments.board, "--board"), arguments.square, arguments.charuco)
    pictures = (picture for k, picture in enumerate(_pictures(arguments.lens)) if k % EVERY == 0)
    views, size, last = find_views(pictures, board)
    fit = fit_lens(views, size, board)
    assert last is not None, "a lens was fitted to views of pictures"
    return fit.lens, fit.doubts, draw_lens(last, fit)


def _pictures(clip: str) -> Iterator[Picture]:
    source = open_source(clip, "calibration")
    try:
        with progress("looking for the board", None) as bar:
            for frame in source.frames():
                yield frame.image
                bar.advance()
    finally:
        source.close()


def _sights(arguments: argparse.Namespace, lens: Lens) -> tuple[Sights, Picture]:
    """Who was tracked where in the clip, in undistorted pixels, and its first picture, undistorted."""
    picture = next(_pictures(arguments.people), None)
    if picture is None:
        raise ConfigError("a clip without pictures", where=arguments.people)
    first = Straightener(lens)(picture)
    seen = observe(load_config(arguments.config, arguments.overrides), arguments.people)
    boxes: list[tuple[float, ...]] = []
    whose: list[int] = []
    names: dict[TrackletId, int] = {}
    for message in seen.tracked:
        for track in message.tracks:
            boxes.append(track.box)
            whose.append(names.setdefault(track.tracklet, len(names)))
    flat = np.array(boxes, np.float64).reshape(-1, 4)
    corners = lens.straightened(flat.reshape(-1, 2)).reshape(-1, 4) if len(flat) else flat
    return Sights.of_boxes(corners, whose, lens.width, lens.height), first


def _points(texts: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pixels, places = [], []
    for text in texts:
        try:
            pixel, place = ([float(number) for number in half.split(",")] for half in text.split("="))
            (x, y), (right, ahead) = pixel, place
        except ValueError as error:
            raise ConfigError(f"--point {text}", wanted="X,Y=RIGHT,AHEAD, as 640,700=0,4.5") from error
        pixels.append((x, y))
        places.append((right, ahead))
    return np.array(pixels), np.array(places)


def _pair(text: str, flag: str) -> tuple[int, int]:
    matched = PAIR.fullmatch(text)
    if matched is None:
        raise ConfigError(f"{flag} {text!r}", wanted="two numbers with an x, as 1280x720 or 9x6")
    return int(matched[1]), int(matched[2])


def _draw(path: Path, picture: Picture | None) -> None:
    if picture is None:
        raise ConfigError(
            "nothing was fitted to a picture", fix="Leave out --picture, or give --lens or --people"
        )
    if path.suffix.lower() not in (".png", ".jpg"):
        raise ConfigError(f"a picture in {path.name}", wanted=".png or .jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise ResourceError("the picture cannot be written", where=str(path))


def _tell(arguments: argparse.Namespace, model: CameraModel) -> None:
    if arguments.json:
        print_json({"file": str(arguments.out), **msgspec.to_builtins(model)})
        return
    for line in _lines(model):
        out.print(line, markup=False, highlight=False)
    for doubt in model.doubts:
        say(f"doubt: {doubt}")
    say(f"wrote {arguments.out}; give it to a camera: calibration: {arguments.out}")


def _lines(model: CameraModel) -> Iterator[str]:
    lens: Any = model.lens
    measured = f"{lens.error_px:.2f} px off over {lens.views} views" if lens.views else "assumed"
    yield f"lens        f {lens.fx:.1f} x {lens.fy:.1f}, middle ({lens.cx:.1f}, {lens.cy:.1f}), {measured}"
    yield "distortion  " + ", ".join(f"{number:.4f}" for number in lens.distortion)
    if model.ground is not None:
        ground = model.ground
        down, lean = np.degrees(ground.pitch), np.degrees(ground.roll)
        yield (
            f"ground      {ground.height_m:.2f} m below, looks {down:.1f} degrees down, leans {lean:.1f},"
            f" {ground.error_px:.1f} px off over {ground.points} sights"
        )
