"""What `evaluate` judges: a simple recogniser, a net or several, or a net trained on each gallery."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from commands.extras import needing_extra
from commands.train import live, read_config
from gait.data.store import Entry
from gait.evaluation.baselines import baseline, pca_lda
from gait.evaluation.embedding import Embedder, Subject, Taught
from gait.evaluation.teaching import GalleryAlone
from gait.evaluation.trials import Walks
from gait.inputs import InputSpec, Walk, prepare
from stream.errors import ConfigError, MessageError

# The test clip of the published protocols: the whole sequence, at most this long.
LONGEST: Final = 720


def subject_of(arguments: argparse.Namespace, walks: Walks) -> Subject | Taught:
    """As the arguments say; raises ConfigError where they contradict each other."""
    if arguments.baseline:
        if arguments.lda:
            raise ConfigError(
                "--lda is for nets", where="evaluate", fix="Take --baseline pca-lda, or leave --lda out"
            )
        return baseline(arguments.baseline)
    found = (
        _trained(arguments, walks) if arguments.train else nets_subject(arguments.weights, arguments.feature)
    )
    if not arguments.lda:
        return found
    return replace(found, name=f"{found.name} + PCA and LDA", learn=pca_lda)


def nets_subject(weights: Sequence[Path], feature: str = "embed_1") -> Subject:
    """One net as it is; several ``together``, so that their distances are averaged."""
    checkpoints = needing_extra("gait.models.checkpoints")
    nets = [checkpoints.load(path) for path in weights]
    if len(nets) == 1:
        return Subject(f"{nets[0].family} ({weights[0].name})", embedder_of(nets[0], feature))
    families = ", ".join(dict.fromkeys(net.family for net in nets))
    return Subject(f"{len(nets)} nets ({families})", together([embedder_of(net, feature) for net in nets]))


def together(embedders: Sequence[Embedder]) -> Embedder:
    """Each one's vector of unit length as a strip; zeros behind shorter ones change no distance."""

    def features(walk: Walk) -> NDArray[np.float32]:
        vectors = [_unit_vector(embedder(walk)) for embedder in embedders]
        longest = max(len(vector) for vector in vectors)
        return np.stack([np.pad(vector, (0, longest - len(vector))) for vector in vectors])

    return features


def _unit_vector(strips: NDArray[Any]) -> NDArray[np.float32]:
    """(P, C) -> (P * C,): each strip of unit length, divided by the root of P."""
    length = np.maximum(np.linalg.norm(strips, axis=1, keepdims=True), 1e-12)
    return np.asarray((strips / length / np.sqrt(len(strips))).ravel(), np.float32)


def embedder_of(net: Any, feature: str = "embed_1") -> Embedder:
    """A net's feature before the neck (``embed_2``: after it), strip by strip, in float32.

    A net of a fixed window looks at a longer walk window by window, half of one in the next, and gives the
    mean direction.
    """
    torch = needing_extra("torch")
    spec = needing_extra("gait.models.input_spec").spec_of(net)
    net.eval()
    window = net.config.frames if net.family == "siamesegait" else LONGEST

    def features(walk: Walk) -> NDArray[Any]:
        frames = _middle(prepare(spec, with_what_it_needs(spec, walk)), LONGEST)
        with torch.inference_mode():
            parts = [net(torch.from_numpy(part)[None]) for part in windows(frames, window)]
            found = [getattr(part, feature)[0].T.float() for part in parts]
            return np.asarray(torch.stack(found).mean(0).numpy())

    return features


def windows(frames: NDArray[np.float32], length: int) -> list[NDArray[np.float32]]:
    """Stretches of ``length``, each starting half of one after the last; the final one ends with the walk."""
    last = max(0, len(frames) - length)
    starts = [*range(0, last, max(1, length // 2)), last]
    return [np.ascontiguousarray(frames[start : start + length]) for start in starts]


def with_what_it_needs(spec: InputSpec, walk: Walk) -> Walk:
    """The walk as ``prepare`` takes it; raises MessageError for a part that the net needs and the data lacks.

    A data set gives a part that it lacks as an empty array; a net of silhouettes alone needs no joints.
    """
    if spec.kind not in ("joints", "branches", "maps") and not walk.silhouettes.size:
        raise MessageError("the walk has no silhouettes", wanted=f"silhouettes for a net of {spec.kind}")
    if spec.kind != "joints" and not walk.joints_2d.size:
        if spec.kind != "silhouette":
            raise MessageError("the walk has no 2D joints", wanted=f"joints_2d for a net of {spec.kind}")
        return replace(walk, joints_2d=np.zeros((*walk.joints_2d.shape[:2], 3), np.float32))
    return walk


def _middle(frames: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    start = max(0, (len(frames) - longest) // 2)
    return np.ascontiguousarray(frames[start : start + longest])


def _trained(arguments: argparse.Namespace, walks: Walks) -> Taught:
    """Nets trained by the configs on each gallery alone, each in a folder where a stop is taken up."""
    loop = needing_extra("gait.training.loop")
    checkpoints = needing_extra("gait.models.checkpoints")
    if "WORLD_SIZE" in os.environ:
        raise ConfigError("evaluate --train runs in one process", fix="Start it without torchrun")
    runs = list(_runs(arguments))

    def teach(entries: Sequence[Entry]) -> Embedder:
        gallery = GalleryAlone(walks, entries)
        made = []
        for folder, config in runs:
            out = folder / gallery.digest()[:12]
            with live(shown=not arguments.json) as watch:
                loop.train(config, gallery, out, resume=True, watch=watch)
            made.append(embedder_of(checkpoints.load(out / loop.MODEL), arguments.feature))
        return made[0] if len(made) == 1 else together(made)

    families = ", ".join(dict.fromkeys(config.model.family for _, config in runs))
    return Taught(f"{len(runs)} x {families}, trained on each gallery alone", teach)


def _runs(arguments: argparse.Namespace) -> Iterator[tuple[Path, Any]]:
    """(folder, config) of every net: of each file as many as --nets says, one seed after another."""
    for path in arguments.train:
        config = read_config(path, arguments.overrides).config
        for number in range(arguments.nets):
            seed = config.trainer.seed + number
            trainer = msgspec.structs.replace(config.trainer, seed=seed)
            folder = (arguments.runs or Path("runs")) / f"evaluate-{path.stem}" / f"seed-{seed}"
            yield folder, msgspec.structs.replace(config, trainer=trainer)
