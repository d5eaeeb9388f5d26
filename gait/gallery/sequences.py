"""Walks kept beside templates, where consent allows, so that another model can make its own of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from gait.embedder import Embedder
from gait.gallery.enrol import EnrolConfig, window_templates
from gait.gallery.records import Enrolment, NewTemplate
from gait.gallery.store import Gallery
from stream.errors import FOREIGN, GalleryError
from stream.messages import Array, Embedding, Sample

MAX_SAMPLES: Final = 25 * 60
"""A minute of the 25 Hz grid: more than any enrolment needs."""
MAX_WALK_BYTES: Final = 8_192 * MAX_SAMPLES
"""A silhouette of 2816 bytes, 16 joints in two and three dimensions, and room for what goes round them."""
WINDOW_NS: Final = 4_000_000_000
"""As far back as an answer looks unless told otherwise."""
NOWHERE: Final = (0.0, 0.0, 0.0, 0.0)

Samples = Annotated[tuple[Sample, ...], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Samples)


@dataclass(frozen=True)
class ReEmbedded:
    """Who has templates of the model now, and who has no stored walk that any could be made of."""

    people: tuple[str, ...]
    templates: int
    without: tuple[str, ...]


def pack_walk(samples: Sequence[Sample]) -> bytes:
    """One person's samples, the last minute of them, as they are kept."""
    return zlib.compress(_encoder.encode(tuple(samples[-MAX_SAMPLES:])))


def unpack_walk(data: bytes) -> tuple[Sample, ...]:
    """The samples of a kept walk; raises GalleryError for what is none, or unpacks to more than may be."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, MAX_WALK_BYTES)
        if not unpacker.eof:
            raise GalleryError(
                "a stored walk is cut short or too long", wanted=f"{MAX_SAMPLES} samples at most"
            )
        return _decoder.decode(plain)
    except (zlib.error, *FOREIGN) as error:
        raise GalleryError(f"a stored walk is damaged ({error})") from error


def re_embed(gallery: Gallery, embedder: Embedder, config: EnrolConfig | None = None) -> ReEmbedded:
    """Make templates of the embedder's model for everybody who has none, in one change."""
    limit = (config or EnrolConfig()).max_templates
    model = embedder.model.digest
    made: list[Enrolment] = []
    without: list[str] = []
    for person in gallery.people():
        if any(template.model == model for template in person.templates):
            continue
        found = [
            template
            for origin, walk in gallery.walks(person.id)
            for template in walk_templates(unpack_walk(walk), embedder, origin.source, limit)
        ]
        if found:
            made.append(Enrolment(person.name, tuple(found), person.consent))
        else:
            without.append(person.name)
    if made:
        gallery.enrol_many(made, "re-embed")
    count = sum(len(one.templates) for one in made)
    return ReEmbedded(tuple(one.name for one in made), count, tuple(without))


def walk_templates(
    samples: Sequence[Sample], embedder: Embedder, source: str, limit: int
) -> tuple[NewTemplate, ...]:
    """What ``embedder`` makes of a walk: all of it as one, then its best windows."""
    windows = list(_windows(samples, embedder))
    return window_templates(windows, source, limit) if windows else ()


def _windows(samples: Sequence[Sample], embedder: Embedder) -> Iterator[Embedding]:
    """One embedding for each stretch of four seconds."""
    memory, model = embedder.open(), embedder.model.digest
    start_ns = samples[0].captured_ns
    for number, sample in enumerate(samples):
        embedder.extend([memory], [sample])
        last = number == len(samples) - 1
        if not last and samples[number + 1].captured_ns - start_ns < WINDOW_NS:
            continue
        answer = embedder.embed(memory, start_ns, sample.captured_ns)
        if answer is not None:
            yield Embedding(
                *(sample.tracklet, start_ns, sample.captured_ns, Array.of(answer.vector), answer.samples),
                *(answer.quality, model, NOWHERE),
            )
        start_ns = sample.captured_ns + 1
