"""Configs of the known framework become ours; what has no counterpart is named."""

import copy
from contextlib import suppress

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.training.foreign_config import SECTIONS, is_foreign, translate
from stream.errors import ConfigError

FOREIGN = yaml.safe_load("""
data_cfg:
  dataset_name: Somewhere
  dataset_root: /data/somewhere
  dataset_partition: somewhere.json
  num_workers: 1
  data_in_use: [True, True]
evaluator_cfg:
  enable_float16: true
  sampler: {batch_size: 4, sample_type: all_ordered, frames_all_limit: 720}
  metric: euc
loss_cfg:
  - {loss_term_weight: 1.0, margin: 0.3, type: TripletLoss, log_prefix: triplet}
  - {loss_term_weight: 0.5, scale: 16, type: CrossEntropyLoss, log_prefix: softmax, log_accuracy: true}
model_cfg:
  model: SkeletonGaitPP
  Backbone: {in_channels: 3, layers: [1, 1, 1, 1], channels: [32, 64, 128, 256]}
  SeparateBNNecks: {class_num: 100}
optimizer_cfg: {lr: 0.1, momentum: 0.9, solver: SGD, weight_decay: 0.0005}
scheduler_cfg: {gamma: 0.1, milestones: [20000, 40000], scheduler: MultiStepLR}
trainer_cfg:
  enable_float16: true
  log_iter: 100
  save_iter: 5000
  sync_BN: true
  total_iter: 60000
  sampler:
    batch_size: [8, 16]
    frames_num_fixed: 30
    frames_skip_num: 4
    sample_type: fixed_ordered
    type: TripletSampler
  transform:
    - type: Compose
      trf_cfg:
        - {type: RandomPerspective, prob: 0.2}
        - {type: BaseSilTransform}
        - {type: RandomRotate, prob: 0.3}
""")


def changed(**values):
    """``section__key=value``."""
    found = copy.deepcopy(FOREIGN)
    for path, value in values.items():
        *steps, last = path.split("__")
        target = found
        for step in steps:
            target = target[step]
        target[last] = value
    return found


def test_every_setting_finds_its_place() -> None:
    done = translate(FOREIGN)
    config = done.config
    assert done.unknown == ()
    assert done.partition == "somewhere.json"
    assert (config.model.family, config.model.size) == ("skeletongait++", "1441")
    assert config.model.config == {"blocks": [1, 1, 1, 1], "channels": [32, 64, 128, 256], "embedding": 128}
    assert config.losses.triplet is not None
    assert config.losses.cross_entropy is not None
    assert (config.losses.triplet.margin, config.losses.cross_entropy.weight) == (0.3, 0.5)
    assert (config.sampler.people, config.sampler.clips) == (8, 16)
    clip = config.sampler.clip
    assert (clip.kind, clip.frames, clip.dropped) == ("contiguous_with_drops", 30, 4)
    assert (config.augment.perspective, config.augment.rotation, config.augment.mirror) == (0.2, 0.3, 0.0)
    assert (config.trainer.precision, config.trainer.steps) == ("float16", 60000)
    assert config.schedule.milestones == (20000, 40000)
    assert is_foreign(FOREIGN)
    assert not is_foreign(msgspec.to_builtins(config))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"trainer_cfg__fix_BN": True}, "trainer_cfg.fix_BN: true"),
        ({"data_cfg__surprise": 1}, "data_cfg.surprise"),
        ({"model_cfg__Backbone__mode2": 1}, "model_cfg.Backbone.mode2"),
        ({"trainer_cfg__sampler__strange": 1}, "trainer_cfg.sampler.strange"),
        ({"trainer_cfg__transform": [{"type": "RandomPartBlur"}]}, "trainer_cfg.transform: RandomPartBlur"),
        ({"trainer_cfg__transform": [[[]]]}, "trainer_cfg.transform: [[]]"),
        ({"more_cfg": {}}, "more_cfg"),
    ],
)
def test_what_is_not_known_is_named(values, named) -> None:
    assert translate(changed(**values)).unknown == (named,)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_cfg__model": "GaitSet"}, "no family of ours is called GaitSet"),
        ({"optimizer_cfg__solver": "Lion"}, "no optimizer Lion"),
        ({"scheduler_cfg__scheduler": "StepLR"}, "no schedule StepLR"),
        ({"trainer_cfg__sampler__batch_size": 8}, "batches of 8"),
        ({"optimizer_cfg__lr": "fast"}, "cannot be translated"),
        ({"model_cfg": [1]}, "wanted a mapping"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(values, said) -> None:
    with pytest.raises(ConfigError, match=said):
        translate(changed(**values))


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
places = [
    f"{section}__{key}" for section in SECTIONS if section != "loss_cfg" for key in FOREIGN[section]
] + list(SECTIONS)


@given(st.sampled_from(places), junk)
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_is_taken_or_refused_by_name(place, value) -> None:
    with suppress(ConfigError):
        translate(changed(**{place: value}))
