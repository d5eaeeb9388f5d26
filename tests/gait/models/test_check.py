"""The check sees what it says: it draws, fuses, learns, and notices when a part does not."""

import numpy as np
import pytest

from gait.inputs import InputSpec, Walk, prepare
from gait.models import registry
from gait.models.check import check
from gait.models.input_spec import spec_of
from gait.sample import sample_walk
from stream.errors import MessageError


@pytest.mark.parametrize("name", registry.names())
def test_every_family_learns_one_step_from_generated_walks(name) -> None:
    """A finite loss, a gradient for every weight, weights that moved, inputs that are not constant."""
    found = check(name, frames=6)
    assert found.ok, found
    assert found.gradient > 0
    assert found.silhouettes == (6, 64, 44)
    assert found.batch[:2] == (6, 6)
    varying = sum(low < high for low, _, high in found.channels)
    assert varying == len(found.channels)


@pytest.mark.parametrize("name", registry.names())
def test_a_walk_becomes_the_frames_its_net_wants(name) -> None:
    """The spec told from the config prepares exactly the net's frame shape, in float32."""
    net = registry.build(name, "tiny").eval()
    frames = prepare(spec_of(net), sample_walk(1, 5))
    assert frames.shape == (5, *net.frame_shape)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()


def test_every_switch_reaches_the_input() -> None:
    """Motion off, reference maps, single pixels, raw joints, views: each changes what is prepared."""
    walk = sample_walk(1, 5)
    changes = [
        ("hybridgait", {"delta_joint": False}, (5, 3, 64, 44)),
        ("skeletongait++", {"reference_maps": True}, (5, 3, 64, 44)),
        ("silskeletongait", {"rasteriser": "single_pixel"}, (5, 3, 64, 44)),
        ("silskeletongait", {"limbs": False}, (5, 3, 64, 44)),
        ("siamesegait", {"normalise": False}, (5, 25, 3)),
        ("gaitgraph2", {"test_time_augmentation": True}, (5, 3, 17, 3, 5)),
    ]
    for name, change, shape in changes:
        changed = prepare(spec_of(registry.build(name, "tiny", **change).eval()), walk)
        plain = prepare(spec_of(registry.build(name, "tiny").eval()), walk)
        assert changed.shape == shape
        assert changed.shape != plain.shape or not np.allclose(changed, plain)


@pytest.mark.parametrize(
    "kind", ["silhouette", "maps", "silhouette+maps", "silhouette+depth", "silhouette+maps+motion"]
)
def test_wider_silhouettes_and_their_joints_are_cut_together(kind) -> None:
    """A walk 64 wide gives the very frames of the same walk 44 wide: joints move with their pixels."""
    narrow = sample_walk(1, 4)
    wide = Walk(
        np.pad(narrow.silhouettes, ((0, 0), (0, 0), (10, 10))),
        narrow.joints_2d + np.float32([10, 0, 0]),
        narrow.joints_3d,
    )
    spec = InputSpec(kind=kind)
    np.testing.assert_allclose(prepare(spec, wide), prepare(spec, narrow), atol=1e-5)


def test_three_dimensions_are_asked_for_by_name() -> None:
    walk = sample_walk(1, 4)
    flat = Walk(walk.silhouettes, walk.joints_2d)
    for kind in ("silhouette+depth", "joints"):
        with pytest.raises(MessageError, match="no 3D joints"):
            prepare(InputSpec(kind=kind, graph="kinect25"), flat)
    assert prepare(InputSpec(kind="silhouette+maps"), flat).shape == (4, 3, 64, 44)


def test_walkers_differ_and_are_themselves_again() -> None:
    """The same seed walks the same way; another seed does not; the silhouette is 64 x 44 and filled."""
    one, again, other = (sample_walk(seed, 4) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.silhouettes, again.silhouettes)
    assert (one.silhouettes != other.silhouettes).mean() > 0.01
    assert one.silhouettes.shape == (4, 64, 44)
    assert 0.1 < (one.silhouettes > 127).mean() < 0.5
