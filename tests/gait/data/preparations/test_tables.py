"""Recordings in tables and tensors: UCalgary's CSV files and USF's MATLAB files."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from gait.data.errors import DataError
from gait.data.preparations.ucalgary import UCalgary
from gait.data.preparations.usf import UsfHumanId
from gait.data.prepare import prepare
from gait.data.store import DataSet

HEADER = "Foot Left X, Y, Z, Ankle Left X, Y, Z, ...,SholdD"


def table(path: Path, rows: np.ndarray, separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *(separator.join(f"{v:.6g}" for v in row) for row in rows)]) + "\n")
    return path


def test_kinect_tables_become_joints_with_y_down(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((4, 62)).round(4)
    table(tmp_path / "in/sub3/subject3_Seq_1_Gen_F_GeometricPositions_N.csv", rows)
    table(tmp_path / "in/sub3/subject3_Seq_4_Gen_F_GeometricPositions_AR.txt", rows, " ")
    report = prepare("ucalgary", UCalgary(tmp_path / "in"), tmp_path / "out")
    data = DataSet.open(tmp_path / "out")
    assert [str(entry) for entry in data.entries] == ["003/AR/04", "003/N/01"]
    joints = data.read(data.entries[1]).joints_3d
    assert joints is not None
    assert np.allclose(joints, rows[:, :54].reshape(4, 18, 3) * (1, -1, 1))
    assert data.read(data.entries[1]).layout.name == "kinect18"
    seen = data.read(data.entries[1]).joints_2d
    assert seen.shape == (4, 18, 3), "nets of 2D joints take these walks too"
    assert np.allclose(
        np.diff(seen[..., 0]) / np.diff(joints[..., 0]), np.diff(seen[0, :2, 0]) / np.diff(joints[0, :2, 0])
    )
    assert report.dropped == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no row of numbers"),
        (HEADER, "no row of numbers"),
        (HEADER + "\n1,2,3\n", "row 2 has 3 numbers"),
        (HEADER + "\n" + ",".join(["1"] * 53 + ["x"]), "row 2 has 53 numbers"),
        (",".join(["nan"] * 54), "joints_3d hold NaN"),
    ],
)
def test_a_bad_table_is_dropped_with_its_reason(tmp_path: Path, content: str, told: str) -> None:
    good = np.ones((2, 54))
    table(tmp_path / "in/subject1_Seq_1_Gen_F_x_N.csv", good)
    bad = tmp_path / "in/subject2_Seq_1_Gen_F_x_N.csv"
    bad.write_text(content)
    report = prepare("ucalgary", UCalgary(tmp_path / "in"), tmp_path / "out")
    assert [(d.where, told in d.reason) for d in report.dropped] == [(str(bad), True)]


def tensors(folder: Path, ground: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """As published, the ground is 1; the gallery comes back with the body as 1."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    gallery, probe = ((rng.random((32, 22, 10, n)) > 0.5).astype(np.uint8) for n in (4, 3))
    gallery[:, [0, -1]] = probe[:, [0, -1]] = ground
    scipy.io.savemat(
        folder / "Gal.mat", {"fea3Dg": gallery, "gndg": np.array([[1], [1], [2], [3]], np.uint8)}
    )
    scipy.io.savemat(folder / "PrbA.mat", {"fea3D": probe, "gnd": np.array([[1], [0], [3]], np.uint8)})
    return (1 - gallery, 1 - probe) if ground else (gallery, probe)


@pytest.mark.parametrize("ground", [0, 1])
def test_usf_tensors_become_a_gallery_and_probes(tmp_path: Path, ground: int) -> None:
    gallery, _ = tensors(tmp_path / "in", ground)
    prepare("usf", UsfHumanId(tmp_path / "in"), tmp_path / "out")
    data = DataSet.open(tmp_path / "out")
    assert [(e.person, e.role) for e in data.entries if e.condition == "A"] == [
        ("001", "probe"),
        ("003", "probe"),
        ("unknown", "probe"),
    ]
    entry = next(e for e in data.entries if e.condition == "gallery" and e.person == "002")
    assert np.array_equal(data.read(entry).silhouettes, gallery[..., 2].transpose(2, 0, 1) * 255)
    assert entry.role == "gallery"


@pytest.mark.parametrize("content", [b"", b"not matlab", b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_a_damaged_matlab_file_is_named(tmp_path: Path, content: bytes) -> None:
    tensors(tmp_path / "in")
    (tmp_path / "in/PrbB.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"PrbB\.mat: cannot be read|PrbB\.mat: holds other"):
        prepare("usf", UsfHumanId(tmp_path / "in"), tmp_path / "out")


def test_the_real_recordings_are_read_whole(tmp_path: Path) -> None:
    root = os.environ.get("GAITWAY_DATA")
    if not root:
        pytest.skip("GAITWAY_DATA is not set")
    report = prepare("ucalgary", UCalgary(Path(root) / "ucalgary_kinect"), tmp_path / "kinect", workers=1)
    assert (report.sequences, report.people, report.dropped) == (60, 10, ())
    report = prepare("usf", UsfHumanId(Path(root) / "usf17"), tmp_path / "usf")
    assert (report.sequences, report.dropped) == (731 + 727, ())
    data = DataSet.open(tmp_path / "usf")
    mean = np.mean([data.read(entry).silhouettes for entry in data.entries[::50]], axis=(0, 1))
    assert mean[:, 9:13].mean() > 150
    assert mean[:, [0, -1]].mean() < 50
