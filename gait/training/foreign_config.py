"""Configs of the known gait framework, section by section, as ours; what found no place is named.

    data_cfg, loss_cfg, model_cfg, optimizer_cfg, scheduler_cfg, trainer_cfg, evaluator_cfg

Written from what such files say, not from the framework. A key that only names files, logs or restarts says
nothing about the training and is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gait.models.registry import family
from gait.training.config import TrainingConfig
from stream.errors import ConfigError

SECTIONS: Final = (
    "data_cfg",
    "loss_cfg",
    "model_cfg",
    "optimizer_cfg",
    "scheduler_cfg",
    "trainer_cfg",
    "evaluator_cfg",
)
FAMILIES: Final = {
    "deepgaitv2": "deepgaitv2",
    "skeletongait": "skeletongait",
    "skeletongaitpp": "skeletongait++",
    "skeletongait++": "skeletongait++",
    "silskeletongait": "silskeletongait",
    "hybridgait": "hybridgait",
    "gaitgraph2": "gaitgraph2",
}
# Names, logs, restarts and restrictions of theirs: nothing here depends on them.
_PASSED_OVER: Final = {
    "data_cfg": {"dataset_name", "test_dataset_name", "remove_no_gallery", "cache"},
    "loss_cfg": {"log_prefix", "log_accuracy"},
    "model_cfg": {"use_emb2", "SeparateFCs", "bin_num"},
    "trainer_cfg": {
        *("restore_ckpt_strict", "restore_hint", "optimizer_reset", "scheduler_reset", "save_name"),
        *("sync_BN", "with_test"),
    },
    "evaluator_cfg": {
        *("enable_float16", "restore_ckpt_strict", "restore_hint", "save_name", "eval_func"),
        *("cross_view_gallery", "transform", "metric"),
    },
}
# What their transforms are called -> the chance it sets here.
_TRANSFORMS: Final = {
    "RandomHorizontalFlip": "mirror",
    "RandomRotate": "rotation",
    "RandomPerspective": "perspective",
    "RandomErasing": "erasing",
}
# Scaling to [0, 1] and cutting to 44 columns happen to every input here.
_ALWAYS_DONE: Final = {"BaseSilCuttingTransform", "BaseSilTransform", "BaseSilSkeletonTransform", "Compose"}


@dataclass(frozen=True)
class Translated:
    """Our config; ``unknown`` names each key without a counterpart here.

    ``partition``: their JSON file; ``data_in_use``: which files of a sequence are read, in order.
    """

    config: TrainingConfig
    unknown: tuple[str, ...] = ()
    partition: str = ""
    data_in_use: tuple[bool, ...] = ()


class _Section:
    """One mapping, whose keys are ticked off as they are taken."""

    def __init__(self, name: str, values: Any) -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"{name} is {values!r}", wanted="a mapping")
        self.name = name
        self._left = dict(values)

    def take(self, key: str, default: Any = None) -> Any:
        return self._left.pop(key, default)

    def below(self, key: str) -> _Section:
        return _Section(f"{self.name}.{key}", self._left.pop(key, None) or {})

    def rest(self, passed_over: set[str]) -> list[str]:
        return [f"{self.name}.{key}" for key in self._left if key not in passed_over]


def is_foreign(settings: Mapping[str, Any]) -> bool:
    """Whether a file's top level is that of the known framework."""
    return any(key in settings for key in SECTIONS)


def translate(settings: Mapping[str, Any]) -> Translated:
    """The whole file; raises ConfigError for a model that is none of ours or a value that cannot be."""
    unknown = [key for key in settings if key not in SECTIONS]
    sections = {name: _Section(name, settings.get(name) or {}) for name in SECTIONS if name != "loss_cfg"}
    losses, strange = _losses(settings.get("loss_cfg") or [])
    model, odd = _model(sections["model_cfg"])
    data, partition, in_use = _data(sections["data_cfg"])
    trainer, sampler, augment, more = _trainer(sections["trainer_cfg"])
    fields: dict[str, Any] = {
        "model": model,
        "data": data,
        "losses": losses,
        "optimizer": _optimizer(sections["optimizer_cfg"]),
        "schedule": _schedule(sections["scheduler_cfg"]),
        "sampler": sampler,
        "augment": augment,
        "trainer": trainer | _evaluator(sections["evaluator_cfg"]),
    }
    unknown += strange + odd + more
    for name, section in sections.items():
        unknown += section.rest(_PASSED_OVER.get(name, set()))
    given = {name: value for name, value in fields.items() if value}
    try:
        return Translated(msgspec.convert(given, TrainingConfig), tuple(unknown), partition, in_use)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"cannot be translated ({error})", wanted="a config of the known framework"
        ) from error


def _data(section: _Section) -> tuple[dict[str, Any], str, tuple[bool, ...]]:
    root, workers = section.take("dataset_root", ""), section.take("num_workers", 0)
    in_use = section.take("data_in_use") or []
    used = tuple(bool(one) for one in in_use) if isinstance(in_use, list) else ()
    return {"root": str(root), "workers": workers}, str(section.take("dataset_partition", "")), used


def _model(section: _Section) -> tuple[dict[str, Any], list[str]]:
    name = str(section.take("model", "DeepGaitV2"))
    known = FAMILIES.get(name.lower())
    if known is None:
        raise ConfigError(
            f"no family of ours is called {name}",
            where="model_cfg.model",
            wanted=", ".join(sorted(set(FAMILIES.values()))),
        )
    config: dict[str, Any] = {}
    backbone, necks = section.below("Backbone"), section.below("SeparateBNNecks")
    if layers := backbone.take("layers"):
        config["blocks"] = layers
    if channels := backbone.take("channels"):
        config["channels"] = channels
        if isinstance(channels, list) and isinstance(channels[-1], int):
            config["embedding"] = channels[-1] // 2
    strange = backbone.rest({"in_channels", "mode"}) + necks.rest({"class_num", "in_channels", "parts_num"})
    sizes = family(known).sizes
    size = "1441" if "1441" in sizes else "published"
    return {"family": known, "size": size, "config": config}, strange


def _losses(terms: Any) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    strange: list[str] = []
    for number, term in enumerate(terms if isinstance(terms, list) else [terms]):
        section = _Section(f"loss_cfg[{number}]", term)
        kind, weight = section.take("type"), section.take("loss_term_weight", 1.0)
        if kind == "TripletLoss":
            found["triplet"] = {"weight": weight, "margin": section.take("margin", 0.2)}
        elif kind == "CrossEntropyLoss":
            smooth = section.take("label_smooth", True)
            found["cross_entropy"] = {
                "weight": weight,
                "scale": section.take("scale", 16),
                "smoothing": section.take("eps", 0.1) if smooth else 0.0,
            }
        elif kind in ("SupConLoss_Lp", "SupConLoss"):
            found["supervised_contrastive"] = {
                "weight": weight,
                "temperature": section.take("temperature", 0.01),
            }
        else:
            strange.append(f"loss_cfg[{number}].type: {kind}")
        strange += section.rest(_PASSED_OVER["loss_cfg"])
    return found, strange


def _optimizer(section: _Section) -> dict[str, Any]:
    solver = str(section.take("solver", "SGD"))
    if solver not in ("SGD", "AdamW"):
        raise ConfigError(f"no optimizer {solver}", where="optimizer_cfg.solver", wanted="SGD or AdamW")
    found = {"kind": solver.lower(), "rate": section.take("lr", 0.1)}
    for theirs in ("momentum", "weight_decay"):
        if (value := section.take(theirs)) is not None:
            found[theirs] = value
    return found


def _schedule(section: _Section) -> dict[str, Any]:
    kind = section.take("scheduler", "MultiStepLR")
    if kind == "MultiStepLR":
        return {
            "kind": "multi_step",
            "factor": section.take("gamma", 0.1),
            "milestones": section.take("milestones", []),
        }
    if kind == "OneCycleLR":
        section.take("max_lr"), section.take("total_steps")
        return {"kind": "one_cycle", "rise": section.take("pct_start", 0.3)}
    raise ConfigError(
        f"no schedule {kind}", where="scheduler_cfg.scheduler", wanted="MultiStepLR or OneCycleLR"
    )


def _trainer(section: _Section) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    trainer = {
        "steps": section.take("total_iter", 60_000),
        "log_every": section.take("log_iter", 100),
        "checkpoint_every": section.take("save_iter", 10_000),
        # Theirs is fp16 wherever it is mixed.
        "precision": "float16" if section.take("enable_float16", False) else "float32",
    }
    fixed = ["trainer_cfg.fix_BN: true"] if section.take("fix_BN", False) else []
    augment, strange = _transforms(section.take("transform") or [])
    sampler, more = _sampler(section.below("sampler"))
    return trainer, sampler, augment, fixed + strange + more


def _sampler(section: _Section) -> tuple[dict[str, Any], list[str]]:
    """``frames_skip_num: 4`` is 34 frames in a row, 4 of them left out."""
    size = section.take("batch_size", [32, 4])
    if not isinstance(size, list) or len(size) != 2:
        raise ConfigError(f"batches of {size!r}", where="trainer_cfg.sampler.batch_size", wanted="[P, K]")
    people, clips = size
    kind = str(section.take("sample_type", "fixed_ordered"))
    skipped = section.take("frames_skip_num", 0)
    clip: dict[str, Any] = {"frames": section.take("frames_num_fixed", 30)}
    if kind == "fixed_ordered":
        clip |= {"kind": "contiguous_with_drops", "dropped": skipped} if skipped else {"kind": "contiguous"}
    elif kind == "fixed_unordered":
        clip["kind"] = "unordered"
    else:
        raise ConfigError(
            f"clips of kind {kind}",
            where="trainer_cfg.sampler.sample_type",
            wanted="fixed_ordered or fixed_unordered",
        )
    strange = section.rest({"batch_shuffle", "type", "frames_num_min", "frames_num_max"})
    return {"people": people, "clips": clips, "clip": clip}, strange


def _transforms(found: Any) -> tuple[dict[str, Any], list[str]]:
    """The chances of ours that theirs set; all others are off."""
    chances: dict[str, Any] = dict.fromkeys(("mirror", "rotation", "perspective"), 0.0)
    strange: list[str] = []
    waiting = list(found) if isinstance(found, list) else [found]
    while waiting:
        transform = waiting.pop(0)
        kind = str(transform.get("type") if isinstance(transform, Mapping) else transform)
        inner = transform.get("trf_cfg") if isinstance(transform, Mapping) else None
        waiting += inner if isinstance(inner, list) else []
        if kind in _TRANSFORMS and isinstance(transform, Mapping):
            chances[_TRANSFORMS[kind]] = transform.get("prob", 0.5)
        elif kind not in _ALWAYS_DONE:
            strange.append(f"trainer_cfg.transform: {kind}")
    return chances, strange


def _evaluator(section: _Section) -> dict[str, Any]:
    sampler = section.below("sampler")
    longest = sampler.take("frames_all_limit")
    return {"longest_validated": longest} if longest else {}
