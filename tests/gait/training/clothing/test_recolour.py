"""Re-dyed recordings: only clothes change, as steadily as they were; what cannot be used is told and passed over."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.data.preparations.videos import VideoFolders
from gait.data.source import Options
from gait.data.store import DataSet
from gait.training.clothing import rederived
from gait.training.clothing.body_parts import HEAD, parse
from gait.training.clothing.dyes import Cloth, Dye, draw_dye
from gait.training.clothing.looked import Looked, look_at
from gait.training.clothing.picture_sheets import write_picture_sheets
from gait.training.clothing.recolour import Dyer, garment_mask, to_lab
from gait.training.clothing.recoloured import METHOD, recolour
from gait.training.clothing.shares import LEDGER, Wanted, is_variant
from stream.errors import GaitwayError
from tests.gait.training.clothing.rendered import Rendering, scene_of

ROOT = Path(__file__).parents[4]
FRAMES = 18
WANTED = Wanted(0.5, 2, 1)

# Kills itself when picture ``left`` of the frames, or the data set's first block, is written.
KILLER = """
import os, pickle, signal, sys
from pathlib import Path
from gait.data import writer
from gait.data.preparations.videos import VideoFolders
from gait.data.source import Options
from gait.training.clothing import looked, rederived
from gait.training.clothing.recoloured import recolour
from gait.training.clothing.shares import Wanted

rendering = pickle.loads(Path(sys.argv[1]).read_bytes())
where, left = sys.argv[3], int(sys.argv[4])
owner = {"look": looked, "frames": rederived, "block": writer.DataSetWriter}[where]
name = "_write" if where == "block" else "write_picture"
real = getattr(owner, name)

def kills(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)

setattr(owner, name, kills)
source = VideoFolders(rendering.root, Options(perceive=rendering.perceive))
recolour(source, Path(sys.argv[2]), Wanted(0.5, 2, 1), rendering.look, rendering.perceive)
"""


@pytest.fixture(scope="module")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    """Two people alone, and one followed closely by another."""
    out = Rendering(tmp_path_factory.mktemp("recordings"))
    for number in range(2):
        out.add(f"p{number}", "walk", scene_of(40 + number, FRAMES), FRAMES)
    return out


def recordings(rendering: Rendering) -> VideoFolders:
    return VideoFolders(rendering.root, Options(perceive=rendering.perceive))


@pytest.fixture(scope="module")
def track(rendering: Rendering, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    return look_at(recordings(rendering).find().found[0], rendering.look, tmp_path_factory.mktemp("look"))


def test_only_clothes_change(track: Looked) -> None:
    dyer = Dyer(track)
    red = Dye(Cloth((45, 60, 40)), Cloth((45, 60, 40)))
    for number in (0, 9):
        crop = track.file.crops[number]
        before, after = track.image(crop), dyer.dyed(number, red)
        changed = np.abs(after.astype(int) - before).max(axis=2) > 6
        mask, regions = track.mask(crop), dyer.regions(number)
        assert not (changed & (mask == 0)).any()
        parts = parse(mask, dyer.joints[number], float(dyer.statures[number]))
        head = parts.of(HEAD)
        assert not changed[parts.rows[head], parts.columns[head]].any()
        clothes = garment_mask(mask.shape, regions) > 0
        assert changed[clothes].mean() > 0.8
        assert to_lab(after)[clothes][:, 1].mean() > 30


def test_one_garment_alone(track: Looked) -> None:
    dyer = Dyer(track)
    before, after = track.image(track.file.crops[3]), dyer.dyed(3, Dye(None, Cloth((80, 0, 0))))
    regions = dyer.regions(3)
    upper = regions.upper
    np.testing.assert_allclose(
        after[regions.rows[upper], regions.columns[upper]],
        before[regions.rows[upper], regions.columns[upper]],
        atol=2,
    )


def test_colours_are_as_steady_as_they_were(track: Looked) -> None:
    """Bar 2: the variance of each garment's mean colour over the track, over the original's."""
    dyer = Dyer(track)
    before = _spread(dyer, None)
    dyes = [draw_dye(np.random.default_rng(seed)) for seed in range(8)]
    dyes.append(Dye(Cloth((70, 5, 30), "hoops", (40, 0, -20), 0.08), Cloth((30, 10, 20))))
    assert {dye.upper.pattern for dye in dyes if dye.upper} > {"plain"}
    assert np.mean([_spread(dyer, dye) for dye in dyes]) <= 1.2 * before


def _spread(dyer: Dyer, dye: Dye | None) -> float:
    """Of upper and lower clothes, each by itself: how much of either shows changes as arms swing."""
    means = []
    for number, crop in enumerate(dyer.track.file.crops):
        lab = to_lab(dyer.track.image(crop) if dye is None else dyer.dyed(number, dye))
        regions = dyer.regions(number)
        pixels = lab[regions.rows, regions.columns]
        means.append([pixels[own].mean(axis=0) for own in (regions.upper, regions.lower)])
    return float(np.var(means, axis=0).sum())


def test_recordings_become_a_data_set_with_their_variants(rendering: Rendering, tmp_path: Path) -> None:
    report = recolour(recordings(rendering), tmp_path, WANTED, rendering.look, rendering.perceive)
    data = DataSet.open(tmp_path)
    made = [entry for entry in data.entries if is_variant(entry)]
    assert [entry.name for entry in made] == ["walk+recolour00", "walk+recolour01"]
    assert report.sequences == len(data) == 4
    lines = [json.loads(line) for line in (tmp_path / LEDGER).read_text().splitlines()]
    assert [line["from"] for line in lines] == [f"{made[0].person}/walk/walk"] * 2
    assert lines[0]["wearing"] != lines[1]["wearing"]
    assert write_picture_sheets(tmp_path) == 1


@pytest.mark.parametrize(
    ("where", "left"), [("look", 9), ("frames", 25), pytest.param("block", 3, marks=pytest.mark.slow)]
)
def test_killed_in_any_stage_it_ends_with_the_same_files(
    rendering: Rendering, tmp_path: Path, where: str, left: int
) -> None:
    recolour(recordings(rendering), tmp_path / "whole", WANTED, rendering.look, rendering.perceive)
    pickled = tmp_path / "rendering.pickle"
    pickled.write_bytes(pickle.dumps(rendering))
    command = [sys.executable, "-c", KILLER, str(pickled), str(tmp_path / "killed"), where, str(left)]
    ended = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=110)
    assert ended.returncode == -signal.SIGKILL
    recolour(recordings(rendering), tmp_path / "killed", WANTED, rendering.look, rendering.perceive)
    files = [
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "whole", tmp_path / "killed")
    ]
    for left_behind in [name for name in files[1] if name.endswith(".part")]:
        del files[1][left_behind]
    assert files[0] == files[1]


def test_what_is_there_already_is_not_made_again(rendering: Rendering, tmp_path: Path) -> None:
    recolour(recordings(rendering), tmp_path, WANTED, rendering.look, rendering.perceive)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").rglob("*")}
    rendering.looked.clear()
    recolour(recordings(rendering), tmp_path, WANTED, rendering.look, rendering.perceive)
    assert rendering.looked == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").rglob("*")} == times


def test_frames_without_one_person_alone_are_left_out_and_told(rendering: Rendering, tmp_path: Path) -> None:
    out = Rendering(tmp_path / "in")
    good = out.add("good", "walk", scene_of(40, FRAMES), FRAMES)
    out.add("two", "walk", scene_of(41, FRAMES, people=2), FRAMES)
    for number in (4, 5):
        out.truth[good][number] = out.truth[good][number].__class__(out.truth[good][number].frame, ())
    both = out.truth[good][7]
    out.truth[good][7] = both.__class__(both.frame, both.people * 2)
    (tmp_path / "in/broken/walk").mkdir(parents=True)
    (tmp_path / "in/broken/walk/000000.png").write_bytes(b"no picture")
    out.truth[tmp_path / "in/broken/walk"] = []
    report = recolour(recordings(out), tmp_path / "out", Wanted(1.0, 1, 0), out.look, out.perceive)
    told = {f"{one.where}: {one.reason}" for one in report.dropped}
    assert f"{good}, frames 4 to 5: nobody is seen" in told
    assert f"{good}, frame 7: 2 people are seen" in told
    # What is lost whole is told before single frames.
    assert "broken" in report.dropped[0].where
    assert any(
        str(tmp_path / "in/two/walk") in line and "0 of 18 frames show one person alone" in line
        for line in told
    )
    assert any("broken" in line for line in told)
    names = [str(entry) for entry in DataSet.open(tmp_path / "out").entries]
    assert names == ["good/walk/walk", "good/walk/walk+recolour00"]
    assert not (tmp_path / "out/frames/good~walk~walk+recolour00/000004.jpg").exists()


def test_a_mask_of_another_size_is_refused(track: Looked) -> None:
    crop = track.file.crops[2]
    path = track.folder / f"{crop.number:06d}.mask.png"
    kept = path.read_bytes()
    cv2.imwrite(str(path), np.zeros((10, 10), np.uint8))
    try:
        with pytest.raises(GaitwayError, match=r"a mask of 10x10; wanted \d+x\d+, as its crop"):
            track.mask(crop)
    finally:
        path.write_bytes(kept)


def test_other_settings_are_refused(rendering: Rendering, tmp_path: Path) -> None:
    rederived.check_same(tmp_path, "one")
    rederived.check_same(tmp_path, "one")
    with pytest.raises(GaitwayError, match="other settings"):
        rederived.check_same(tmp_path, "two")


def test_a_dye_always_changes_something() -> None:
    dyes = [draw_dye(np.random.default_rng(seed)) for seed in range(200)]
    assert all(dye.upper or dye.lower for dye in dyes)
    assert METHOD == "recolour"
