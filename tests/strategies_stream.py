"""Hypothesis strategies for the stream room's values."""

from __future__ import annotations

from hypothesis import strategies as st

from stream.messages import Continuation, Event, Evidence, Identity

names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
cameras = st.from_regex(r"[a-z][a-z0-9_-]{0,11}", fullmatch=True)
times_ns = st.integers(0, 2**63 - 1)
shares = st.floats(0, 1)
reals = st.floats(-1e9, 1e9)

identities = st.builds(
    Identity,
    answer=st.sampled_from(["person", "unknown", "insufficient_evidence"]),
    person=st.none() | names,
    name=st.none() | names,
    probability=st.none() | shares,
    margin=st.none() | reals,
    missing=st.none() | names,
    cluster=st.none() | names,
)
evidences = st.builds(
    Evidence,
    start_ns=times_ns,
    end_ns=times_ns,
    samples=st.integers(0, 10_000),
    quality=shares,
    box=st.none() | st.tuples(reals, reals, reals, reals),
)
continuations = st.builds(
    Continuation,
    earlier=names,
    gap_s=reals,
    distance=st.none() | st.floats(0, 2),
    confidence=shares,
    reason=st.none() | names,
)
any_tracklet = {
    "kind": st.sampled_from(["start", "new", "update", "end", "stop"]),
    "tracklet": st.none() | names,
}
linked = {"kind": st.sampled_from(["link", "retract"]), "tracklet": names, "link": continuations}
_common = {
    "id": st.just(""),
    "camera": cameras,
    "run": names,
    "sequence": st.integers(1, 2**31),
    "captured_ns": times_ns,
    "identity": st.none() | identities,
    "evidence": st.none() | evidences,
    "model": st.none() | names,
    "gallery_epoch": st.none() | st.integers(0, 2**31),
    "config": st.none() | names,
    "expires_ns": st.none() | times_ns,
    "details": st.dictionaries(names, names | st.integers(-(2**53), 2**53) | reals, max_size=4),
    "version": st.just(1),
}
events = st.builds(Event, **_common, **any_tracklet) | st.builds(Event, **_common, **linked)
"""Events as the pipeline makes them, not yet sealed."""
