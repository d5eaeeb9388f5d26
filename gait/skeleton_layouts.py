"""The skeleton layouts we know, and how another sensor's is read from a file.

A layout is names, edges and nothing else; left and right are told apart by the names' prefixes. The names
are shared by all layouts: ``neck`` is the point between the shoulders (Kinect v2: SpineShoulder), ``pelvis``
the point between the hips, ``upper_neck`` Kinect's own neck joint, ``head`` the centre of the head.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from stream.errors import ConfigError

MAX_JOINTS = 512
_LEFT, _RIGHT = "left_", "right_"
_OTHER_SIDE = {_LEFT: _RIGHT, _RIGHT: _LEFT}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which joints a skeleton has, in order, and which of them bones connect (parent first)."""

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.joints) <= MAX_JOINTS:
            raise ValueError(f"{len(self.joints)} joints; wanted 1 to {MAX_JOINTS}")
        if len(set(self.joints)) != len(self.joints):
            raise ValueError("a joint is named twice")
        for a, b in self.edges:
            if a == b or not (0 <= a < len(self.joints) and 0 <= b < len(self.joints)):
                raise ValueError(f"edge ({a}, {b}) does not join two of joints 0 to {len(self.joints) - 1}")
        for joint in self.joints:
            if self._opposite(joint) not in self.joints:
                raise ValueError(f"joint {joint} has no counterpart on the other side")

    @property
    def size(self) -> int:
        """How many joints."""
        return len(self.joints)

    @property
    def swap(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side (itself for a central joint)."""
        return tuple(self.index(self._opposite(joint)) for joint in self.joints)

    def index(self, joint: str) -> int:
        """The index of a joint; raises ConfigError for a name this layout does not have."""
        if joint not in self.joints:
            raise ConfigError(f"no joint {joint} in layout {self.name}", wanted=", ".join(self.joints))
        return self.joints.index(joint)

    def indices(self, *joints: str) -> list[int]:
        """The indices of several joints."""
        return [self.index(joint) for joint in joints]

    @staticmethod
    def _opposite(joint: str) -> str:
        for side, other in _OTHER_SIDE.items():
            if joint.startswith(side):
                return other + joint.removeprefix(side)
        return joint


def load_layout(path: str | Path) -> Layout:
    """A layout from a YAML or JSON file: ``name``, ``joints``, ``edges`` as index or name pairs.

    Raises ConfigError, naming the file, for anything else.
    """
    where = str(path)
    wanted = "a file with name, joints (a list of names) and edges (a list of pairs)"
    try:
        fields = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the layout ({error})", where=where, wanted=wanted) from error
    try:
        return msgspec.convert(_with_indices(fields), Layout)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"not a skeleton layout ({error})", where=where, wanted=wanted) from error


def _with_indices(fields: Any) -> Any:
    """Edges may be written with joint names; everything else is left to the validator."""
    if not isinstance(fields, dict) or not isinstance(fields.get("edges"), list):
        return fields
    names = fields.get("joints")
    order = {str(name): i for i, name in enumerate(names)} if isinstance(names, list) else {}
    edges = [
        [order.get(end, end) if isinstance(end, str) else end for end in edge]
        if isinstance(edge, list)
        else edge
        for edge in fields["edges"]
    ]
    return {**fields, "edges": edges}


def _sided(side: str, names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names.split())


def _pairs(names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names.split() for side in ("left", "right"))


def _chain(*joints: int) -> tuple[tuple[int, int], ...]:
    return tuple(itertools.pairwise(joints))


BLAZEPOSE33: Final = Layout(
    "blazepose33",
    (
        "nose",
        *_sided("left", "eye_inner eye eye_outer"),
        *_sided("right", "eye_inner eye eye_outer"),
        *_pairs("ear mouth shoulder elbow wrist pinky index thumb hip knee ankle heel foot_index"),
    ),
    (
        *_chain(0, 1, 2, 3, 7),
        *_chain(0, 4, 5, 6, 8),
        (9, 10),
        (11, 12),
        (23, 24),
        *_chain(11, 13, 15, 17, 19, 15, 21),
        *_chain(12, 14, 16, 18, 20, 16, 22),
        *_chain(11, 23, 25, 27, 29, 31, 27),
        *_chain(12, 24, 26, 28, 30, 32, 28),
    ),
)

COCO17: Final = Layout(
    "coco17",
    ("nose", *_pairs("eye ear shoulder elbow wrist hip knee ankle")),
    (
        *_chain(0, 1, 3, 5, 7, 9),
        *_chain(0, 2, 4, 6, 8, 10),
        (5, 6),
        (11, 12),
        *_chain(5, 11, 13, 15),
        *_chain(6, 12, 14, 16),
    ),
)
"""Edges as GaitGraph's graph has them: the head hangs on the shoulders by the ears."""

COCO18: Final = Layout(
    "coco18",
    (
        *("nose", "neck"),
        *_sided("right", "shoulder elbow wrist"),
        *_sided("left", "shoulder elbow wrist"),
        *_sided("right", "hip knee ankle"),
        *_sided("left", "hip knee ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    (
        *_chain(1, 2, 3, 4),
        *_chain(1, 5, 6, 7),
        *_chain(1, 8, 9, 10),
        *_chain(1, 11, 12, 13),
        *_chain(1, 0, 14, 16),
        *_chain(0, 15, 17),
    ),
)

GAITWAY16: Final = Layout(
    "gaitway16",
    (
        "pelvis",
        *_sided("right", "hip knee ankle"),
        *_sided("left", "hip knee ankle"),
        *("spine", "neck", "head"),
        *_sided("left", "shoulder elbow wrist"),
        *_sided("right", "shoulder elbow wrist"),
    ),
    (
        *_chain(0, 1, 2, 3),
        *_chain(0, 4, 5, 6),
        *_chain(0, 7, 8, 9),
        *_chain(8, 10, 11, 12),
        *_chain(8, 13, 14, 15),
    ),
)

KINECT25: Final = Layout(
    "kinect25",
    (
        *("pelvis", "spine", "upper_neck", "head"),
        *_sided("left", "shoulder elbow wrist hand"),
        *_sided("right", "shoulder elbow wrist hand"),
        *_sided("left", "hip knee ankle foot"),
        *_sided("right", "hip knee ankle foot"),
        "neck",
        *_sided("left", "hand_tip thumb"),
        *_sided("right", "hand_tip thumb"),
    ),
    (
        *_chain(0, 1, 20, 2, 3),
        *_chain(20, 4, 5, 6, 7, 21),
        (6, 22),
        *_chain(20, 8, 9, 10, 11, 23),
        (10, 24),
        *_chain(0, 12, 13, 14, 15),
        *_chain(0, 16, 17, 18, 19),
    ),
)

KINECT18: Final = Layout(
    "kinect18",
    (
        *_sided("left", "foot ankle knee hip"),
        *_sided("right", "foot ankle knee hip"),
        *("pelvis", "spine", "upper_neck", "head"),
        *_pairs("shoulder wrist elbow"),
    ),
    (
        *_chain(8, 3, 2, 1, 0),
        *_chain(8, 7, 6, 5, 4),
        *_chain(8, 9, 10, 11),
        *_chain(10, 12, 16, 14),
        *_chain(10, 13, 17, 15),
    ),
)
"""The 18 joints of Kinect v2 recordings kept as CSV files, in the order of their header line."""

BUILT_IN: Final = {
    layout.name: layout for layout in (BLAZEPOSE33, COCO17, COCO18, GAITWAY16, KINECT25, KINECT18)
}


def layout_named(name: str) -> Layout:
    """A built-in layout; raises ConfigError naming those there are."""
    if name not in BUILT_IN:
        raise ConfigError(
            f"no skeleton layout {name}",
            wanted=", ".join(BUILT_IN),
            fix="Another sensor's layout can be read from a file",
        )
    return BUILT_IN[name]
