"""The sample that ships is what the generator makes, and can be prepared; so can its YAML's data section."""

from pathlib import Path

import numpy as np
import yaml

from gait.data.kinds import preparation_of
from gait.data.prepare import prepare
from gait.data.samples import FRAMES, write_sample
from gait.data.source import Options
from gait.data.store import DataSet
from gait.sample import sample_walk

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "configs/samples/silskeletongait"


def test_the_shipped_sample_is_the_generated_one(tmp_path: Path) -> None:
    count = write_sample(tmp_path)
    made = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    assert made == {p.relative_to(SAMPLE) for p in SAMPLE.rglob("*") if p.is_file()}
    assert len(made) == count + 1
    # Drawing may differ by a pixel's edge between machines, so arrays are compared, not bytes.
    for folder in (tmp_path, SAMPLE):
        prepare("silskeleton", preparation_of("silskeleton", folder), tmp_path / f"out-{folder.name}")
    one, two = (DataSet.open(tmp_path / f"out-{folder.name}") for folder in (tmp_path, SAMPLE))
    assert one.entries == two.entries
    for entry in one.entries:
        near = np.abs(one.read(entry).silhouettes.astype(int) - two.read(entry).silhouettes) < 40
        assert near.mean() > 0.99


def test_the_yaml_beside_it_describes_it(tmp_path: Path) -> None:
    section = yaml.safe_load((ROOT / "configs/samples/silskeletongait.yaml").read_text(encoding="utf-8"))[
        "data_cfg"
    ]
    options = Options(data_in_use=tuple(section["data_in_use"]))
    preparation = preparation_of("silskeleton", ROOT / section["dataset_root"], options)
    report = prepare("silskeleton", preparation, tmp_path, partition_file=ROOT / section["dataset_partition"])
    assert (report.sequences, report.frames, report.dropped) == (8, 8 * FRAMES, ())
    data = DataSet.open(tmp_path)
    assert (data.partition.train, data.partition.test) == (("001", "002"), ("003", "004"))
    joints = data.read(data.entries[0]).joints_3d
    assert joints is not None
    assert np.allclose(joints, sample_walk(0, FRAMES, width=64).joints_3d)
