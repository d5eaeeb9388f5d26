"""Every change to a gallery keeps what it should, can be undone unless it is a removal, and reaches the index."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gait.gallery.records import MAX_TEMPLATES, Enrolment, PersonRecord
from gait.gallery.store import Expired, Gallery
from stream.errors import GalleryError
from tests.strategies_gallery import MODEL, template, unit

KEY = bytes(range(32))
YEAR_NS = 365 * 24 * 3600 * 10**9


@pytest.fixture(params=[None, KEY], ids=["plain", "sealed"])
def gallery(request, tmp_path: Path):
    with Gallery(tmp_path / "g.db", key=request.param) as opened:
        yield opened


def filled(gallery: Gallery) -> tuple[PersonRecord, PersonRecord]:
    ada = gallery.enrol("Ada", [template(1), template(2)], consent="signed", walks=[b"a walk"])
    return ada, gallery.enrol("Ben", [template(3), template(4)])


def state(gallery: Gallery) -> tuple:
    """All that a user can see and all that is compared, but for the audit."""
    return gallery.people(), [(r.person, r.template, v.tobytes()) for r, v in gallery.vectors(MODEL)]


def test_a_merge_makes_two_people_one_and_is_undone(gallery: Gallery) -> None:
    ada, ben = filled(gallery)
    before = state(gallery)
    merged = gallery.merge("Ada", "Ben")
    assert (merged.id, merged.name, merged.aliases) == (ada.id, "Ada", ("Ben",))
    assert [t.id for t in merged.templates] == [t.id for t in (*ada.templates, *ben.templates)]
    assert gallery.person("Ben").id == ada.id
    assert gallery.verify() == ()
    assert gallery.undo() == "merge"
    assert state(gallery) == before
    assert gallery.verify() == ()


def test_a_split_gives_some_templates_to_somebody_new_and_is_undone(gallery: Gallery) -> None:
    ada, _ = filled(gallery)
    before = state(gallery)
    zoe = gallery.split("Ada", [ada.templates[1].id], "Zoë")
    assert [t.id for t in zoe.templates] == [ada.templates[1].id]
    assert len(gallery.person("Ada").templates) == 1
    assert gallery.verify() == ()
    gallery.undo()
    assert state(gallery) == before


def test_a_split_leaves_nobody_empty(gallery: Gallery) -> None:
    ada, ben = filled(gallery)
    for wrong in ([], [t.id for t in ada.templates], [ben.templates[0].id], [999]):
        with pytest.raises(GalleryError, match="not all"):
            gallery.split("Ada", wrong, "Zoë")
    with pytest.raises(GalleryError, match="called Ben already"):
        gallery.split("Ada", [ada.templates[0].id], "Ben")


def test_nobody_is_merged_with_themselves(gallery: Gallery) -> None:
    ada, _ = filled(gallery)
    with pytest.raises(GalleryError, match="two people"):
        gallery.merge("Ada", ada.id)


def test_a_merge_beyond_the_limit_changes_nothing(gallery: Gallery) -> None:
    gallery.enrol("Ada", [template(n) for n in range(MAX_TEMPLATES)])
    gallery.enrol("Ben", [template(99)])
    before = state(gallery)
    with pytest.raises(GalleryError, match="more than"):
        gallery.merge("Ada", "Ben")
    assert state(gallery) == before


def test_people_are_found_by_alias_and_note(gallery: Gallery) -> None:
    filled(gallery)
    gallery.alias("Ada", "Countess")
    assert gallery.annotate("Countess", "walks with a stick").note == "walks with a stick"
    with pytest.raises(GalleryError, match="called Countess already"):
        gallery.alias("Ben", "Countess")
    with pytest.raises(GalleryError, match="called Countess already"):
        gallery.rename("Ben", "Countess")
    assert gallery.alias("Ada", "Countess", drop=True).aliases == ()
    with pytest.raises(GalleryError, match="no alias"):
        gallery.alias("Ada", "Countess", drop=True)
    with pytest.raises(GalleryError, match="nobody is called"):
        gallery.person("Countess")
    assert gallery.verify() == ()


def test_enrolments_are_undone_whole(gallery: Gallery) -> None:
    filled(gallery)
    before = state(gallery)
    gallery.enrol_many(
        [Enrolment("Ada", (template(8),), "another consent"), Enrolment("Carl", (template(9),))]
    )
    assert gallery.person("Ada").consent == "another consent"
    gallery.undo()
    assert state(gallery) == before


def test_undone_templates_leave_no_bytes(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1, dimension=512)])
        gallery.enrol("Ben Somebody", [template(2, dimension=512)])
        gallery.undo()
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert unit(2, 512).tobytes()[:64] not in left
        assert b"Somebody" not in left
        assert unit(1, 512).tobytes()[:64] in left


def test_removal_and_what_it_was_about_cannot_be_undone(gallery: Gallery) -> None:
    filled(gallery)
    gallery.rename("Ada", "Countess")
    gallery.remove("Countess")
    for epoch in (1, 3, 4):
        with pytest.raises(GalleryError, match="cannot be undone"):
            gallery.undo(epoch)
    assert gallery.undo() == "enrol"
    assert gallery.people() == ()


def test_changes_are_undone_in_order(gallery: Gallery) -> None:
    filled(gallery)
    gallery.rename("Ada", "Countess")
    with pytest.raises(GalleryError, match=r"change 3 came after change 1 .* gallery undo --epoch 3"):
        gallery.undo(1)
    gallery.undo(2)
    gallery.undo(3)
    gallery.undo(1)
    assert gallery.people() == ()
    with pytest.raises(GalleryError, match="nothing to undo"):
        gallery.undo()


def test_a_name_taken_since_stops_an_undo(gallery: Gallery) -> None:
    filled(gallery)
    gallery.rename("Ada", "Countess")
    gallery.rename("Ben", "Ada")
    before = state(gallery)
    with pytest.raises(GalleryError, match="called Ada already"):
        gallery.undo(3)
    assert state(gallery) == before


def test_single_templates_are_dropped_for_good(gallery: Gallery) -> None:
    ada, _ = filled(gallery)
    assert len(gallery.drop("Ada", [ada.templates[0].id]).templates) == 1
    with pytest.raises(GalleryError, match="cannot be undone"):
        gallery.undo(gallery.epoch)


def test_people_and_templates_expire(tmp_path: Path) -> None:
    now = 1_000
    with Gallery(tmp_path / "g.db", clock=lambda: now) as gallery:
        gallery.enrol("Ada", [template(1)], expires_ns=2_000)
        gallery.enrol("Ben", [template(2), msgspec.structs.replace(template(3), expires_ns=2_500)])
        gallery.enrol("Carl", [msgspec.structs.replace(template(4), expires_ns=2_500)])
        gallery.set_expiry("Ben", 3_000)
        assert gallery.expire() == Expired(0, 0, 0, 0)
        now = 2_500
        assert gallery.expire() == Expired(people=2, templates=2, sequences=0, tracks=0)
        assert [(p.name, len(p.templates)) for p in gallery.people()] == [("Ben", 1)]
        gallery.set_expiry("Ben", None)
        now = 9_000
        assert not gallery.expire().any
        assert gallery.verify() == ()
        assert gallery.audit()[-2].why == "expired"


def test_walks_are_not_kept_without_consent(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="without consent"):
        gallery.enrol("Ada", [template(1)], walks=[b"a walk"])


def test_a_reason_is_one_of_a_few(gallery: Gallery) -> None:
    filled(gallery)
    gallery.remove("Ben", why="consent-withdrawn")
    assert gallery.audit()[-1].why == "consent-withdrawn"
    with pytest.raises(GalleryError, match="consent-withdrawn"):
        gallery.remove("Ada", why="Ada asked me to")


def test_the_audit_names_people_by_tags_that_lead_nowhere_after_removal(gallery: Gallery) -> None:
    ada, _ = filled(gallery)
    gallery.remove("Ada")
    rows = [row for row in gallery.audit() if row.person == ada.tag]
    assert [row.action for row in rows] == ["enrol", "remove"]
    assert not any(ada.id in str(row) for row in gallery.audit())


def test_an_index_is_told_whom_a_change_was_about(gallery: Gallery) -> None:
    ada, ben = filled(gallery)
    assert gallery.touched_since(0) == (ada.id, ben.id)
    assert gallery.touched_since(2) == ()
    gallery.merge("Ada", "Ben")
    assert gallery.touched_since(2) == (ada.id, ben.id)
    gallery.undo()
    assert gallery.touched_since(3) == (ada.id, ben.id)
    assert gallery.touched_since(99) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["enrol", "rename", "merge", "split", "alias", "expiry"]), st.integers(0, 5)),
    max_size=8,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_undoing_everything_restores_the_first_state(gallery: Gallery, steps: list[tuple[str, int]]) -> None:
    for person in gallery.people():
        gallery.remove(person.id)
    filled(gallery)
    states = [state(gallery)]
    for number, (step, seed) in enumerate(steps):
        people = gallery.people()
        one, other = people[seed % len(people)], people[(seed + 1) % len(people)]
        if step == "enrol":
            gallery.enrol(f"Person {seed}", [template(seed + 20)])
        elif step == "rename":
            gallery.rename(one.id, f"Name {number}")
        elif step == "merge" and one != other:
            gallery.merge(one.id, other.id)
        elif step == "split" and len(one.templates) > 1:
            gallery.split(one.id, [one.templates[0].id], f"Split {number}")
        elif step == "alias":
            gallery.alias(one.id, f"Alias {number}")
        elif step == "expiry":
            gallery.set_expiry(one.id, YEAR_NS + seed)
        else:
            continue
        states.append(state(gallery))
    assert gallery.verify() == ()
    for before in states[-2::-1]:
        gallery.undo()
        assert state(gallery) == before
    assert gallery.verify() == ()
