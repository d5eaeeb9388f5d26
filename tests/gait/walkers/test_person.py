"""People are themselves from a seed, and differ as people do."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gait.walkers.body import Body, Clothes, sample_clothes
from gait.walkers.gait import Gait
from gait.walkers.person import Person, sample_person
from gait.walkers.population import PLAIN, STREET, Spread
from gait.walkers.seeds import bounded, stream

PEOPLE = [sample_person(seed) for seed in range(200)]


def numbers(value: msgspec.Struct) -> dict[str, float]:
    """Every number of a nested struct, by path."""
    found: dict[str, float] = {}
    for key, item in msgspec.structs.asdict(value).items():
        if isinstance(item, msgspec.Struct):
            found |= {f"{key}.{name}": number for name, number in numbers(item).items()}
        elif isinstance(item, float):
            found[key] = item
    return found


def test_the_same_seed_is_the_same_person_whatever_was_drawn_before() -> None:
    first = sample_person(7)
    for seed in (1, 99, 7, 3):
        sample_person(seed)
    assert sample_person(7) == first
    assert sample_person(8) != first


def test_streams_with_different_names_do_not_follow_each_other() -> None:
    a, b = stream(5, "body").random(1000), stream(5, "gait").random(1000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


@given(st.integers(0, 2**63 - 1), st.integers(0, 10))
def test_any_seed_gives_a_possible_person(seed: int, outfit: int) -> None:
    person = sample_person(seed, outfit=outfit)
    body, gait = person.body, person.gait
    assert 1.48 <= body.stature <= 2.0
    assert 0.8 < gait.speed < 2.0
    assert 0.55 < gait.stance < 0.66
    assert all(np.isfinite(value) for part in (body, gait) for value in numbers(part).values())
    # Ankle, leg, trunk and head add up to the stature within what proportions vary.
    tall = body.ankle_height + body.leg + body.trunk + body.head_height + body.head_size / 2
    assert abs(tall / body.stature - 0.99) < 0.06


def test_every_parameter_of_body_and_gait_differs_between_people_of_the_street() -> None:
    people = [sample_person(seed, population=STREET) for seed in range(200)]
    for part in ("body", "gait"):
        table = [numbers(getattr(person, part)) for person in people]
        for name in table[0]:
            if name.endswith(".hold"):
                continue  # what a hand does is a condition, nobody's own
            values = np.array([row[name] for row in table])
            assert len(set(values.tolist())) > 150, f"{part}.{name}"
            assert values.std() > 1e-4, f"{part}.{name}"


def test_population_means_are_those_of_the_literature() -> None:
    mean = {
        name: np.mean([numbers(person.gait)[name] for person in PEOPLE]) for name in numbers(PEOPLE[0].gait)
    }
    assert 100 < 120 * mean["cadence"] < 122  # steps a minute
    assert 1.2 < mean["stride"] < 1.55
    assert 0.59 < mean["stance"] < 0.63
    assert 0.07 < mean["step_width"] < 0.13
    assert 1.64 < np.mean([person.body.stature for person in PEOPLE]) < 1.78


def test_populations_share_their_means_and_the_street_differs_more() -> None:
    plain, street = (
        [sample_person(seed, population=population) for seed in range(200)] for population in (PLAIN, STREET)
    )
    assert plain == PEOPLE
    for part, name, by in (("gait", "stride", 0.02), ("gait", "cadence", 0.02), ("body", "stature", 0.01)):
        means = [np.mean([getattr(getattr(p, part), name) for p in people]) for people in (plain, street)]
        assert abs(means[1] / means[0] - 1) < by
    for part, name in (("gait", "slouch"), ("gait", "lean"), ("body", "belly"), ("body", "hair_volume")):
        spread = [np.std([getattr(getattr(p, part), name) for p in people]) for people in (plain, street)]
        assert spread[1] > spread[0]


def test_nothing_is_drawn_where_all_are_alike() -> None:
    rng = np.random.default_rng(0)
    assert Spread(2.0, 0.0, 2.0, 2.0).draw(rng) == 2.0
    assert rng.random() == np.random.default_rng(0).random()


def test_other_clothes_leave_body_and_gait_alone() -> None:
    monday, friday = sample_person(3, outfit=0), sample_person(3, outfit=1)
    assert (monday.body, monday.gait) == (friday.body, friday.gait)
    assert len({msgspec.json.encode(sample_clothes(3, outfit)) for outfit in range(20)}) > 15


def test_left_and_right_differ_a_little() -> None:
    legs = [(person.gait.right_leg, person.gait.left_leg) for person in PEOPLE]
    apart = np.array([right.toe_out - left.toe_out for right, left in legs])
    across = np.array([right.toe_out for right, _ in legs])
    assert 0 < apart.std() < across.std()


def test_a_person_survives_json() -> None:
    person = PEOPLE[11]
    assert msgspec.json.decode(msgspec.json.encode(person), type=Person) == person
    assert {Body, Gait, Clothes} == {type(person.body), type(person.gait), type(person.clothes)}


@given(st.floats(-5, 5), st.floats(0.01, 3), st.integers(0, 2**31))
def test_bounded_stays_inside(mean: float, sd: float, seed: int) -> None:
    assert -1.0 <= bounded(np.random.default_rng(seed), mean, sd, -1.0, 1.0) <= 1.0
