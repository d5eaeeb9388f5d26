"""Templates that do not fit, found before they are kept: unlike their own, or more like somebody else."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from gait.gallery.enrol import EnrolConfig
from gait.gallery.reader import GalleryReader
from gait.gallery.records import NewTemplate
from gait.gallery.search import TemplateIndex
from stream.errors import GalleryError


class Doubt(msgspec.Struct, frozen=True):
    """A template that may not be the person's: which, why, and the scores that say so.

    ``own``: the best inner product with the person's other templates, old and new; None where there is no
    other. ``other``: that with ``whose`` nearest template; None in an empty gallery.
    """

    place: int
    why: str
    own: float | None
    other: float | None = None
    whose: str | None = None


def doubts(
    index: TemplateIndex,
    gallery: GalleryReader,
    name: str,
    templates: Sequence[NewTemplate],
    config: EnrolConfig | None = None,
) -> tuple[Doubt, ...]:
    """Which of the templates to be kept for ``name`` do not fit; those of other models are not looked at."""
    config = config or EnrolConfig()
    places = [place for place, template in enumerate(templates) if template.model == index.model]
    if not places:
        return ()
    vectors = np.stack([templates[place].checked() for place in places])
    index.refresh()
    person = _id_of(gallery, name)
    people, scores = index.people, index.scores(vectors)
    among = vectors @ vectors.T
    np.fill_diagonal(among, -np.inf)
    own = among.max(axis=1)
    if person in people:
        mine = people.index(person)
        own = np.maximum(own, scores[:, mine])
        scores[:, mine] = -np.inf
    found = [_doubt(place, own[n], scores[n], people, index, config) for n, place in enumerate(places)]
    return tuple(doubt for doubt in found if doubt is not None)


def _doubt(
    place: int,
    own: np.floating,
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    people: Sequence[str],
    index: TemplateIndex,
    config: EnrolConfig,
) -> Doubt | None:
    """What is doubtful about one template, if anything."""
    mine = round(float(own), 3) if np.isfinite(own) else None
    nearest = int(scores.argmax()) if scores.size and np.isfinite(scores.max()) else None
    other = round(float(scores[nearest]), 3) if nearest is not None else None
    whose = index.name(people[nearest]) if nearest is not None else None
    if other is not None and other >= config.same_person and (mine is None or other > mine):
        return Doubt(place, f"more like {whose}", mine, other, whose)
    if mine is not None and mine < config.unlike:
        return Doubt(place, "unlike their other templates", mine, other, whose)
    return None


def _id_of(gallery: GalleryReader, name: str) -> str:
    try:
        return gallery.person(name).id
    except GalleryError:
        return ""
