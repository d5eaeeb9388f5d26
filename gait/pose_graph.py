"""A skeleton as a graph, read from a file: another sensor's skeleton is a YAML file, not code.

The adjacency is partitioned by hops, as in ST-GCN (Yan et al. 2018, section 3.3, "distance partitioning"):
slice ``k`` holds the joint pairs exactly ``k`` bones apart; the columns of all slices together sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from gait.skeleton_layouts import BUILT_IN, Layout, layout_named, load_layout
from stream.errors import FOREIGN, ConfigError

Adjacency = NDArray[np.float32]

GRAPHS_FOLDER = Path(__file__).parent / "models" / "graphs"


class GraphFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A graph as its YAML file says it, by joint names.

    ``layout``: a built-in layout, or the path of a layout file as seen from this one. ``centre``: the joint
    that relative positions are measured from, and the root of the tree of bones. ``root``: joints whose mean
    is the body's origin; ``torso``: joints whose mean, seen from there, gives the body's scale. ``parents``:
    bones that start elsewhere than at the next joint on the way to the centre.
    """

    layout: str
    centre: str
    root: tuple[str, ...]
    torso: tuple[str, ...]
    parents: dict[str, str] = {}


@dataclass(frozen=True)
class PoseGraph:
    """A layout's joints as a graph; numbers are indices into ``layout.joints``.

    ``parents``: the joint where each joint's bone starts (the centre, or a joint nothing leads to: itself).
    """

    layout: Layout
    centre: int
    root: tuple[int, ...]
    torso: tuple[int, ...]
    parents: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of joints."""
        return self.layout.size

    @property
    def swap(self) -> list[int]:
        """Indices that exchange left and right: ``joints[..., swap, :]``."""
        return list(self.layout.swap)

    def hops(self) -> NDArray[np.int64]:
        """Bones on the shortest way between two joints, (V, V); -1 where there is none."""
        return np.stack([_walk(self.layout, start)[0] for start in range(self.size)])

    def adjacency(self, farthest_hop: int) -> Adjacency:
        """Column-normalised hop partitions, (farthest_hop + 1, V, V) float32."""
        hops = self.hops()
        reach = ((hops >= 0) & (hops <= farthest_hop)).astype(np.float64)
        weights = reach / reach.sum(axis=0, keepdims=True)
        slices = [np.where(hops == hop, weights, 0.0) for hop in range(farthest_hop + 1)]
        return np.stack(slices).astype(np.float32)


def _walk(layout: Layout, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Breadth first from one joint: hops to every joint (-1: out of reach), and where its bone starts."""
    near: list[list[int]] = [[] for _ in layout.joints]
    for a, b in layout.edges:
        near[a].append(b)
        near[b].append(a)
    hops = np.full(layout.size, -1, dtype=np.int64)
    parents = np.arange(layout.size)
    hops[start] = 0
    reached = [start]
    for joint in reached:  # grows while it is walked
        for other in near[joint]:
            if hops[other] < 0:
                hops[other], parents[other] = hops[joint] + 1, joint
                reached.append(other)
    return hops, parents


@lru_cache(maxsize=32)
def load_graph(name_or_path: str) -> PoseGraph:
    """The graph shipped under this name, or the one in this YAML file; raises ConfigError."""
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = GRAPHS_FOLDER / f"{name_or_path}.yaml"
    try:
        described = msgspec.yaml.decode(path.read_bytes(), type=GraphFile)
    except OSError as error:
        raise ConfigError(
            f"skeleton graph {name_or_path!r} cannot be read ({error.strerror})",
            where=str(path),
            wanted=f"one of {', '.join(shipped_graphs())} or the path of a .yaml file",
        ) from error
    except (*FOREIGN, yaml.YAMLError) as error:
        raise ConfigError(f"not a skeleton graph: {error}", where=str(path)) from error
    return build_graph(described, path.parent)


def build_graph(described: GraphFile, folder: Path) -> PoseGraph:
    """Joint names looked up and the tree of bones grown; raises ConfigError for an unknown name."""
    by_name = described.layout in BUILT_IN
    layout = layout_named(described.layout) if by_name else load_layout(folder / described.layout)
    if not described.root or not described.torso:
        raise ConfigError("root and torso need at least one joint each", where=f"graph of {layout.name}")
    centre = layout.index(described.centre)
    parents = _walk(layout, centre)[1]
    for joint, parent in described.parents.items():
        parents[layout.index(joint)] = layout.index(parent)
    return PoseGraph(
        layout,
        centre,
        root=tuple(layout.indices(*described.root)),
        torso=tuple(layout.indices(*described.torso)),
        parents=tuple(int(parent) for parent in parents),
    )


def shipped_graphs() -> tuple[str, ...]:
    """Names of the graphs that come with the project."""
    return tuple(sorted(path.stem for path in GRAPHS_FOLDER.glob("*.yaml")))
