"""Every kind of data set that can be prepared, by the name it has on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gait.data.errors import DataError
from gait.data.opengait import OpenGaitTree, SilSkeletonTree
from gait.data.preparations.arrays import SkeletonArrays
from gait.data.preparations.poses import CasiaBPose, OumvlpPose, PoseText
from gait.data.preparations.prepared import Prepared
from gait.data.preparations.trees import NAMINGS, SilhouetteTree
from gait.data.preparations.ucalgary import UCalgary
from gait.data.preparations.usf import UsfHumanId
from gait.data.preparations.videos import CasiaBVideos, Ccvid, VideoFolders
from gait.data.source import Options, Preparation


@dataclass(frozen=True)
class Kind:
    """A kind of data set: what it is read from, and what makes its preparation."""

    reads: str
    make: Callable[[Path, Options], Preparation]
    perceives: bool = False


def _tree(kind: str) -> Kind:
    return Kind(f"silhouettes, {NAMINGS[kind].shown}", lambda root, _: SilhouetteTree(root, kind))


KINDS: Final[dict[str, Kind]] = {
    "opengait": Kind("id/type/view/*.pkl, partition.json", OpenGaitTree),
    "silskeleton": Kind("{sil,skeleton}/SEQ/NAME.pkl", SilSkeletonTree),
    "casia-b": _tree("casia-b"),
    "casia-b-videos": Kind("001-nm-01-090.avi", CasiaBVideos, perceives=True),
    "casia-b-pose": Kind("GaitGraph's pose CSV", lambda root, _: CasiaBPose(root)),
    "oumvlp": _tree("oumvlp"),
    "oumvlp-pose": Kind("00001/090_00/*.json, --keypoints", OumvlpPose),
    "grew": _tree("grew"),
    "gait3d": _tree("gait3d"),
    "grew-pose": Kind("train/00001/SEQ/*_2d_pose.txt and so on", lambda root, _: PoseText(root, "grew")),
    "gait3d-pose": Kind("2D_Poses/0000/camid0_videoid2/seq0/*.txt", lambda root, _: PoseText(root, "gait3d")),
    "ccpg": _tree("ccpg"),
    "sustech1k": _tree("sustech1k"),
    "ccvid": Kind("train.txt, query.txt, gallery.txt and their folders", Ccvid, perceives=True),
    "videos": Kind("PERSON/*.mp4", VideoFolders, perceives=True),
    "skeletons": Kind("PERSON/*.npy of (frames, joints, 3), --joints", SkeletonArrays),
    "ucalgary": Kind("subjectN_Seq_R_..._COND.csv, Kinect v2", lambda root, _: UCalgary(root)),
    "prepared": Kind("our own form: for another --layout, or to pair it with --poses", Prepared),
    "usf": Kind("Gal.mat, PrbA.mat to PrbG.mat", lambda root, _: UsfHumanId(root)),
}


def preparation_of(kind: str, root: Path, options: Options | None = None) -> Preparation:
    """The preparation of a kind; raises DataError naming those there are."""
    if kind not in KINDS:
        raise DataError(f"no kind of data set {kind}", wanted=", ".join(KINDS))
    return KINDS[kind].make(root, options or Options())
