"""The chain from end to end on models of random numbers: every stage runs, alone and after a kill, and says what it lacks."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="needs the extra `clothing`: pip install -e '.[clothing]'")
pytest.importorskip("transformers", reason="needs the extra `clothing`: pip install -e '.[clothing]'")

from gait.data.errors import DataError
from gait.data.preparations.videos import VideoFolders
from gait.data.source import Options
from gait.data.store import DataSet
from gait.training.clothing.chain import human_parsing, judge
from gait.training.clothing.chain.chain import STAGES, Settings
from gait.training.clothing.chain.finish import Eyes, diffuse
from gait.training.clothing.chain.human_parsing import LIP, Parser
from gait.training.clothing.chain.inpaint import Painter
from gait.training.clothing.chain.schp import parser_of
from gait.training.clothing.chain.weights import KNOWN, Machine
from gait.training.clothing.looked import TRACK, Looked
from gait.training.clothing.shares import LEDGER, Wanted, is_variant
from stream.errors import ResourceError, WeightsError
from tests.gait.training.clothing import tiny_models
from tests.gait.training.clothing.rendered import Rendering, scene_of

ROOT = Path(__file__).parents[4]
FRAMES = 16
WANTED = Wanted(1.0, 1, 0)

KILLER = """
import os, pickle, signal, sys
from pathlib import Path
import msgspec
import torch
from gait.data import writer
from gait.training.clothing.chain import human_parsing, judge
from gait.data.preparations.videos import VideoFolders
from gait.data.source import Options
from gait.training.clothing.chain import chain, finish
from gait.training.clothing.shares import Wanted

rendering = pickle.loads(Path(sys.argv[1]).read_bytes())
settings = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=chain.Settings)
stage, left = sys.argv[4], int(sys.argv[5])
real = os.replace
torch.set_num_threads(1)
human_parsing.SIDE, judge.STEPS = 96, 10

def kills(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)

Path.replace = lambda self, target: kills(self, target)
source = VideoFolders(rendering.root, Options(perceive=rendering.perceive))
finish.diffuse(source, Path(sys.argv[3]), Wanted(1.0, 1, 0), settings, finish.Eyes(rendering.look, rendering.perceive), stages=[stage])
"""


@dataclass
class World:
    """Two recordings, the models, and a run of the whole chain."""

    rendering: Rendering
    settings: Settings
    whole: Path

    @property
    def recordings(self) -> VideoFolders:
        return VideoFolders(self.rendering.root, Options(perceive=self.rendering.perceive))

    @property
    def eyes(self) -> Eyes:
        return Eyes(self.rendering.look, self.rendering.perceive)

    def run(self, folder: Path, *stages: str, **changes: object):
        settings = msgspec.structs.replace(self.settings, **changes)
        return diffuse(self.recordings, folder, WANTED, settings, self.eyes, stages=stages or STAGES)


@pytest.fixture(scope="module", autouse=True)
def small_nets() -> Iterator[None]:
    """The published net looks at 473 pixels; these see as little at 96. A few steps teach the judge to rank."""
    kept = human_parsing.SIDE, judge.STEPS
    human_parsing.SIDE, judge.STEPS = 96, 10
    yield
    human_parsing.SIDE, judge.STEPS = kept


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, small_nets: None) -> World:
    models, root = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("recordings")
    rendering = Rendering(root)
    for number in range(2):
        rendering.add(f"p{number}", "walk", scene_of(40 + number, FRAMES), FRAMES)
    settings = Settings(
        describe_model=str(tiny_models.write_llava(models / "llava")),
        refine_model=str(tiny_models.write_llama(models / "llama")),
        parse_model=str(tiny_models.write_parser(models / "parser.pth")),
        inpaint_model=str(tiny_models.write_inpainting(models / "inpaint")),
        height=192,
        width=64,
        steps=1,
        again=0.5,
    )
    made = World(rendering, settings, tmp_path_factory.mktemp("whole"))
    made.run(made.whole, "look", "describe", "refine", "parse")
    # A net of random numbers sees no clothes: what it would have seen is put in its place.
    for track in (made.whole / "work/look").iterdir():
        _dress_labels(Looked.open(track), made.whole / "work/parse" / track.name)
    made.run(made.whole, "inpaint", "filter", "derive")
    return made


def _dress_labels(track: Looked, folder: Path) -> None:
    for crop in track.file.crops:
        mask = track.mask(crop) > 0
        labels = np.zeros(mask.shape, np.uint8)
        rows = np.flatnonzero(mask.any(axis=1))
        for name, low, high in (("hair", 0, 0.15), ("upper clothes", 0.15, 0.5), ("trousers", 0.5, 0.95)):
            first, last = (rows[0] + int(share * len(rows)) for share in (low, high))
            labels[first:last][mask[first:last]] = LIP.index(name)
        cv2.imwrite(str(folder / f"{crop.number:06d}.png"), labels)


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".part"
    }


def test_the_chain_makes_a_data_set(world: World) -> None:
    data = DataSet.open(world.whole)
    assert [str(entry) for entry in data.entries if is_variant(entry)] == [
        "p0/walk/walk+diffusion00",
        "p1/walk/walk+diffusion00",
    ]
    lines = [json.loads(line) for line in (world.whole / LEDGER).read_text().splitlines()]
    assert [line["from"] for line in lines] == ["p0/walk/walk", "p1/walk/walk"]
    assert all(line["wearing"]["outfit"] for line in lines)
    # One of the two was made a second time.
    judged = sorted((world.whole / "work/filter").glob("p*.json"))
    assert sorted(len(json.loads(path.read_text())["scores"]) for path in judged) == [1, 2]


def test_a_prompt_is_another_persons_outfit(world: World) -> None:
    outfits = {
        path.name[:2]: json.loads(path.read_text())["outfit"]
        for path in (world.whole / "work/refine").glob("p*")
    }
    worn = {path.name[:2]: path.read_text() for path in (world.whole / "work/inpaint/first").glob("*.done")}
    assert worn == {"p0": outfits["p1"], "p1": outfits["p0"]}


def test_only_what_is_masked_changes(world: World) -> None:
    track = Looked.open(world.whole / "work/look/p0~walk~walk")
    crop = track.file.crops[5]
    made = cv2.imread(str(world.whole / f"work/inpaint/first/p0~walk~walk+diffusion00/{crop.number:06d}.png"))
    changed = (made != track.image(crop)).any(axis=2)
    near = cv2.dilate(track.mask(crop), np.ones((15, 15), np.uint8)) > 0
    assert changed.sum() > 100
    assert not (changed & ~near).any()


@pytest.mark.parametrize(
    ("stage", "left"),
    [
        pytest.param("describe", 3, marks=pytest.mark.slow),
        pytest.param("refine", 2, marks=pytest.mark.slow),
        pytest.param("parse", 9, marks=pytest.mark.slow),
        ("inpaint", 12),
        pytest.param("filter", 2, marks=pytest.mark.slow),
        ("derive", 20),
    ],
)
def test_a_stage_killed_and_started_again_ends_with_the_same_files(
    world: World, tmp_path: Path, stage: str, left: int
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(world.whole, folder)
    for later in STAGES[STAGES.index(stage) :]:
        shutil.rmtree(folder / "work" / later, ignore_errors=True)
    if stage == "derive":
        shutil.rmtree(folder / "frames")
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
    (tmp_path / "rendering").write_bytes(pickle.dumps(world.rendering))
    (tmp_path / "settings").write_bytes(msgspec.json.encode(world.settings))
    command = [
        sys.executable,
        "-c",
        KILLER,
        *map(str, (tmp_path / "rendering", tmp_path / "settings", folder)),
        stage,
        str(left),
    ]
    ended = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=115)
    assert ended.returncode == -signal.SIGKILL
    world.run(folder, stage)
    own = "" if stage == "derive" else f"work/{stage}/"
    # The second round is the filter's.
    passed = "second" if stage == "inpaint" else "nothing"
    wanted, found = (
        {name: value for name, value in contents(root).items() if name.startswith(own) and passed not in name}
        for root in (world.whole, folder)
    )
    if stage == "parse":
        # The whole run's labels were put in their place; the names are what a stage promises here.
        assert found.keys() == wanted.keys()
    else:
        assert found == wanted


def test_what_is_there_is_not_made_again(world: World) -> None:
    before = {path: path.stat().st_mtime_ns for path in (world.whole / "work").rglob("*") if path.is_file()}
    world.run(world.whole)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("stage", ["describe", "refine", "parse", "inpaint"])
def test_without_weights_a_stage_says_what_to_fetch(world: World, tmp_path: Path, stage: str) -> None:
    with pytest.raises(ResourceError) as told:
        world.run(tmp_path, stage, **{f"{stage}_model": ""})
    for word in (f"--{stage}-model", KNOWN[stage].name, KNOWN[stage].download, KNOWN[stage].licence):
        assert word in str(told.value)


@pytest.mark.parametrize("stage", ["describe", "refine", "parse", "inpaint"])
def test_a_file_that_is_no_model_is_one_line(world: World, tmp_path: Path, stage: str) -> None:
    folder = tmp_path / "out"
    shutil.copytree(world.whole / "work/look", folder / "work/look")
    shutil.copytree(world.whole / "work/refine", folder / "work/refine")
    if stage == "refine":
        shutil.rmtree(folder / "work/refine")
    path = tmp_path / "model.pth"
    path.write_bytes(b"these are words")
    with pytest.raises(WeightsError) as told:
        world.run(folder, stage, **{f"{stage}_model": str(path)})
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    # torch advises on its own arguments, which the user of a verb has no use for.
    assert "weights_only" not in str(told.value)
    # Nothing was made, so another model may be tried in its place.
    other = path.rename(tmp_path / "other.pth")
    with pytest.raises(WeightsError):
        world.run(folder, stage, **{f"{stage}_model": str(other)})


def test_a_stage_without_the_one_before_says_so(world: World, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Run --stage look before"):
        world.run(tmp_path, "describe")


def test_bad_labels_of_one_track_do_not_end_the_other(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(world.whole, folder)
    for later in ("inpaint", "filter", "derive"):
        shutil.rmtree(folder / "work" / later, ignore_errors=True)
    cv2.imwrite(str(folder / "work/parse/p0~walk~walk/000003.png"), np.zeros((4, 4), np.uint8))
    outcome = world.run(folder, "inpaint")
    assert [dropped.reason for dropped in outcome.dropped] == [
        f"a parse of 4x4; wanted {_size(world)}, as its crop"
    ]
    assert len(list((folder / "work/inpaint/first").glob("*.done"))) == 1


def _size(world: World) -> str:
    crop = Looked.open(world.whole / "work/look/p0~walk~walk").file.crops[3]
    return f"{crop.width}x{crop.height}"


def test_outfits_of_a_file_need_no_description(world: World, tmp_path: Path) -> None:
    prompts = tmp_path / "outfits.txt"
    prompts.write_text("a long red coat, black trousers\n")
    folder = tmp_path / "out"
    for stage in ("look", "parse"):
        shutil.copytree(world.whole / "work" / stage, folder / "work" / stage)
    world.run(folder, "describe", "inpaint", prompts=str(prompts), describe_model="")
    assert {path.read_text() for path in (folder / "work/inpaint/first").glob("*.done")} == {
        "a long red coat, black trousers"
    }
    # A coat needs room: more changes than in trousers and a shirt.
    assert (folder / "work/inpaint/first/p0~walk~walk+diffusion00/000005.png").exists()
    assert not (folder / "work/describe/p0~walk~walk").exists()


def test_the_same_seed_paints_the_same_and_keeps_what_is_not_masked(world: World) -> None:
    painter = Painter.load(world.settings.inpaint_model, Machine())
    image = np.full((192, 64, 3), 90, np.uint8)
    mask = np.zeros((192, 64), np.uint8)
    mask[50:120] = 255
    once, twice, other = (painter(image, mask, "a red coat", seed, 1, 7.5) for seed in (5, 5, 6))
    np.testing.assert_array_equal(once, twice)
    assert (once != other).any()


def test_a_net_as_onnx_parses_as_the_checkpoint_does(world: World, tmp_path: Path) -> None:
    net = parser_of(torch.load(world.settings.parse_model, weights_only=True)["state_dict"])
    torch.onnx.export(net, (torch.zeros(1, 3, 96, 96),), str(tmp_path / "net.onnx"), dynamo=False)
    image = np.random.default_rng(0).integers(0, 255, (90, 40, 3), dtype=np.uint8)
    theirs = Parser.load(str(tmp_path / "net.onnx"), Machine())(image)
    ours = Parser.load(world.settings.parse_model, Machine(), 96)(image)
    assert (theirs == ours).mean() > 0.98


def test_the_data_set_is_not_touched_by_what_is_left_over(world: World) -> None:
    assert (world.whole / "work/look/p0~walk~walk" / TRACK).exists()
    DataSet.open(world.whole).verify()
