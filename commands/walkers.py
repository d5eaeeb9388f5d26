"""``run_pipeline.py walkers``: a clip of rendered people with everything that is true of it."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from commands.cli import add_json_argument, out, print_json, progress, say
from gait.skeleton import layout_named
from gait.skeleton_layouts import BUILT_IN
from gait.walkers.clip import write_clip
from gait.walkers.conditions import CHOICES
from gait.walkers.population import POPULATIONS
from gait.walkers.quality import CAMERAS
from gait.walkers.scene import Scene
from gait.walkers.scenes import VIEWPOINTS
from gait.walkers.sheet import contact_sheet
from gait.walkers.skeletons import PARTITION, write_skeletons
from gait.walkers.source import PREFIX, WalkersSpec
from gait.walkers.truth import ClipTruth, mot_path, truth_path
from stream.errors import ConfigError, ResourceError


def configure(parser: argparse.ArgumentParser) -> None:
    """Who, for how long, how large, where to."""
    add_json_argument(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the clip, ends in .mp4; of --joints a folder"
    )
    parser.add_argument("--people", type=int, default=4, help="1 to 24, of --joints any number (default 4)")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the clip (default 12)")
    parser.add_argument("--size", default="1280x720", help="width x height, even (default 1280x720)")
    parser.add_argument("--fps", type=float, default=25.0, help="frames a second (default 25)")
    parser.add_argument("--seed", type=int, default=0, help="picks people, paths, place (default 0)")
    parser.add_argument("--outfit", type=int, default=0, help="the same people on another day (default 0)")
    parser.add_argument(
        "--conditions",
        default="any",
        metavar="KIND+KIND",
        help=f"what all of them wear, carry and do, details drawn per person: {', '.join(CHOICES)} "
        "(default any: a draw among all kinds)",
    )
    parser.add_argument("--population", default="street", help=f"{' or '.join(POPULATIONS)} (default street)")
    parser.add_argument("--camera", default="clean", help=f"{', '.join(CAMERAS)} or any (default clean)")
    parser.add_argument("--viewpoint", default="level", help=f"{', '.join(VIEWPOINTS)} (default level)")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="also write a contact sheet with the truth drawn in (.png)"
    )
    parser.add_argument(
        "--joints",
        choices=BUILT_IN,
        metavar="LAYOUT",
        help="no clip: joints in metres as of a depth camera, PERSON/NN.npy, for `prepare skeletons`: "
        f"{', '.join(BUILT_IN)}",
    )
    parser.add_argument("--walks", type=int, default=10, help="with --joints: of each person (default 10)")
    parser.add_argument(
        "--unseen", type=int, default=0, help="with --joints: so many people for the test alone (default 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Render, write, tell."""
    if arguments.joints:
        return _write_joints(arguments)
    sheet: Path | None = arguments.sheet
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise ConfigError(
            "not a name for a contact sheet", where=str(sheet), wanted="a name that ends in .png"
        )
    scene = _spec(arguments).scene()
    with progress("rendering walkers", scene.frame_count) as step:
        truth = write_clip(scene, arguments.out, progress=step.set)
    if sheet is not None:
        _write_sheet(scene, sheet)
    if arguments.json:
        print_json(_told(truth, arguments.out, sheet))
    else:
        _tell(truth, arguments.out, sheet)
    return 0


def _write_joints(arguments: argparse.Namespace) -> int:
    if arguments.sheet is not None:
        raise ConfigError(
            "joints have no contact sheet", where="--sheet", fix="Leave out --sheet or --joints"
        )
    people, walks = arguments.people, arguments.walks
    with progress("walking", max(people * walks, 1)) as step:
        count = write_skeletons(
            arguments.out,
            layout_named(arguments.joints),
            people,
            walks,
            seed=arguments.seed,
            unseen=arguments.unseen,
            progress=step.set,
        )
    partition = arguments.out / PARTITION
    if arguments.json:
        print_json({"folder": str(arguments.out), "walks": count, "partition": str(partition)})
    else:
        say(f"{count} walks of {people} people in {arguments.out}; who trains and who tests: {partition}")
    return 0


def _spec(arguments: argparse.Namespace) -> WalkersSpec:
    """The very specification that the live source takes, so that both check and render the same."""
    keys = (
        "people",
        "seconds",
        "size",
        "fps",
        "seed",
        "outfit",
        "conditions",
        "population",
        "camera",
        "viewpoint",
    )
    conditions = arguments.conditions.replace(",", "+")
    values = {key: getattr(arguments, key) for key in keys} | {"conditions": conditions}
    for key, value in values.items():
        if isinstance(value, str) and "," in value:
            raise ConfigError(f"--{key} {value}", wanted="one value without commas")
    return WalkersSpec.parse(PREFIX + ",".join(f"{key}={value}" for key, value in values.items()))


def _write_sheet(scene: Scene, sheet: Path) -> None:
    coded, data = cv2.imencode(".png", contact_sheet(scene))
    try:
        if not coded:
            raise OSError("the picture cannot be coded")
        sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet.write_bytes(data.tobytes())
    except OSError as error:
        raise ResourceError(f"cannot write the contact sheet ({error})", where=str(sheet)) from error


def _told(truth: ClipTruth, clip: Path, sheet: Path | None) -> dict[str, object]:
    return {
        "clip": str(clip),
        "truth": str(truth_path(clip)),
        "mot": str(mot_path(clip)),
        "sheet": str(sheet) if sheet else None,
        "frames": len(truth.frames),
        "people": [
            {
                "name": person.name,
                "seed": person.seed,
                "conditions": {
                    field: getattr(person.conditions, field) for field in person.conditions.changed()
                },
                "stays": [
                    {"comes_s": first.time_s, "goes_s": last.time_s}
                    for first, last in truth.stays(person.name)
                ],
            }
            for person in truth.people
        ],
    }


def _tell(truth: ClipTruth, clip: Path, sheet: Path | None) -> None:
    for person in truth.people:
        wears = ", ".join(
            f"{field} {_short(getattr(person.conditions, field))}" for field in person.conditions.changed()
        )
        stays = ", ".join(
            f"{first.time_s:.1f}-{last.time_s:.1f} s" for first, last in truth.stays(person.name)
        )
        out.print(f"{person.name:8} {stays or 'never seen'}; {wears or 'nothing unusual'}", highlight=False)
    files = [clip, truth_path(clip), mot_path(clip), *([sheet] if sheet else [])]
    say(f"wrote {', '.join(str(file) for file in files)}")


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
