"""The flags of ``augment --method diffusion``, and what runs it."""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from commands.cli import progress, say
from commands.extras import needing_extra
from gait.data.errors import DataError
from gait.data.prepare import Progress, Report
from gait.data.source import Perceive, Preparation
from gait.training.clothing.looked import Look
from gait.training.clothing.shares import Wanted

STAGES: Final = ("look", "describe", "refine", "parse", "inpaint", "filter", "derive")
_TOLD: Final = 10


def add_chain_arguments(parser: argparse.ArgumentParser) -> None:
    """What only the chain is told."""
    group = parser.add_argument_group("diffusion", "a chain of published models; needs the extra `clothing`")
    group.add_argument(
        "--stage",
        choices=(*STAGES, "all"),
        default="all",
        help="only this one: files lie between them (default all)",
    )
    for stage, kind in (
        ("describe", "a LLaVA"),
        ("refine", "a LLaMA that chats"),
        ("parse", "an SCHP checkpoint or .onnx"),
        ("inpaint", "a diffusers pipeline that inpaints"),
    ):
        group.add_argument(
            f"--{stage}-model",
            default="",
            metavar="PATH",
            help=f"{kind}: a folder or file; a name is fetched",
        )
    group.add_argument(
        "--prompts", default="", metavar="FILE", help="outfits, a line each, instead of describing"
    )
    group.add_argument("--size", default="768x256", metavar="HxW", help="of the inpainted picture (768x256)")
    group.add_argument("--diffusion-steps", type=int, default=30, metavar="N", help="default 30")
    group.add_argument("--guidance", type=float, default=7.5, help="default 7.5")
    group.add_argument(
        "--again", type=float, default=0.2, metavar="SHARE", help="the worst, made twice (default 0.2)"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda (default auto)")
    group.add_argument("--precision", choices=("auto", "float32", "float16", "bfloat16"), default="auto")
    group.add_argument(
        "--offload",
        choices=("none", "model", "sequential"),
        default="none",
        help="what waits in main memory until it is needed (default none)",
    )


def diffusion(
    arguments: argparse.Namespace, wanted: Wanted, recordings: Preparation, look: Look, perceive: Perceive
) -> Report | None:
    """Run the stages asked for; the report where a data set was made."""
    finish: Any = needing_extra("gait.training.clothing.chain.finish")
    stages = STAGES if arguments.stage == "all" else (arguments.stage,)
    with ExitStack() as shown:

        def bar(stage: str) -> Progress:
            step = shown.enter_context(progress(stage, None))
            return step.set

        outcome = finish.diffuse(
            recordings,
            arguments.folder,
            wanted,
            _settings(arguments),
            finish.Eyes(look, perceive),
            stages=stages,
            say=say,
            bar=bar,
        )
    if outcome.report is None:
        for dropped in outcome.dropped[:_TOLD]:
            say(f"left out {dropped.where}: {dropped.reason}")
        say(f"{arguments.stage}: done, {len(outcome.dropped)} left out")
    report: Report | None = outcome.report
    return report


def _settings(arguments: argparse.Namespace) -> Any:
    chain: Any = needing_extra("gait.training.clothing.chain.chain")
    weights: Any = needing_extra("gait.training.clothing.chain.weights")
    told = re.fullmatch(r"(\d{1,4})x(\d{1,4})", arguments.size)
    if told is None:
        raise DataError(f"--size {arguments.size}", wanted="HEIGHTxWIDTH, such as 768x256")
    if arguments.prompts and not Path(arguments.prompts).is_file():
        raise DataError("no such file", where=arguments.prompts, wanted="an outfit a line")
    return chain.Settings(
        describe_model=arguments.describe_model,
        refine_model=arguments.refine_model,
        parse_model=arguments.parse_model,
        inpaint_model=arguments.inpaint_model,
        prompts=arguments.prompts,
        machine=weights.Machine(arguments.device, arguments.precision, arguments.offload),
        height=int(told[1]),
        width=int(told[2]),
        steps=arguments.diffusion_steps,
        guidance=arguments.guidance,
        again=arguments.again,
    )
