"""``run_pipeline.py bench NAME``: run one benchmark and print its figures beside its goals."""

from __future__ import annotations

import argparse

from rich.table import Table

from benchmarks.report import BenchResult
from commands.cli import add_json_argument, out, print_json
from commands.extras import needing_extra

# Name -> what it measures; each is benchmarks/NAME.py with ``configure(parser)`` and ``run(arguments)``.
BENCHES = {
    "perception": "people found, masks and joints against rendered truth; --clips shows real ones",
    "mediapipe": "one person, and four, against mediapipe's own Pose",
    "endtoend": "the whole pipeline against the floor: decoding and net time alone",
    "engines": "a gait net's window in each runtime and precision, beside torch eager",
    "embedding": "what a new answer at every hop costs, and whether it is exact",
    "replay": "the same clip twice, and threads against processes: are the logs the same bytes?",
    "transport": "1080p frames and tokens over one hop: ours, memcpy, pyzmq, imagezmq",
    "fuzz": "every parser fed what is nearly right: no crash, no hang, no growth",
    "subscribers": "one that sleeps a minute and one that joins late: every event, and the pipeline's rate",
    "soak": "cameras switched off and on for an hour (a minute unless told): does anything grow?",
    "chaos": "kill and stop every process at random: is the log that of an undisturbed run?",
    "tracking": "windows, ids and switches against a known tracker",
    "gallery": "enrolling, starting and searching up to a million templates, beside plain FAISS",
    "calibration": "do told probabilities come true on people the map has never seen? --usf for real ones",
    "traffic": "a day of passers-by, time compressed: is memory flat, are strangers known again?",
    "training": "clips a second of the loader and of a training step, beside the floor",
    "walkers": "masks and joints of rendered people: what a frame costs, and whether it is exact",
    "ablations": "what each part of the net and its data gives: nets with one thing taken away or added",
    "families": "every family's small net by one short recipe on the same walkers: one table",
    "recognition": "the net in the box on walkers it never saw: rank-1 by clothes, misses, controls",
    "clips": "real people in your own recordings: is the same one nearest to themselves?",
    "clothing": "trained without coats and bags, tested with them: what `augment` gains; does it flicker?",
    "models": "sequences a second for each gait family in each runtime",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """A name; what follows belongs to that bench, whose module is imported only when it is asked for."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    listed = "\n".join(f"  {name:<12}{text}" for name, text in BENCHES.items())
    parser.description = f"{parser.description}\n\nbenches:\n{listed}"
    parser.add_argument(
        "bench", choices=BENCHES, metavar="NAME", help="which; `bench NAME --help` has its flags"
    )
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="--json, and the bench's own")


def run(arguments: argparse.Namespace) -> int:
    """Run it and print the result; 0 even where a bar is missed: the figure is the answer."""
    module = needing_extra(f"benchmarks.{arguments.bench}")
    parser = argparse.ArgumentParser(
        prog=f"run_pipeline.py bench {arguments.bench}", description=BENCHES[arguments.bench]
    )
    add_json_argument(parser)
    module.configure(parser)
    flags = parser.parse_args(arguments.flags)
    result: BenchResult = module.run(flags)
    if flags.json:
        print_json(result.as_dict())
        return 0
    show(result)
    return 0


def show(result: BenchResult) -> None:
    """The result for people."""
    figures = Table(title=f"{result.bench}: figures", box=None, title_justify="left")
    figures.add_column("figure")
    figures.add_column("value", justify="right")
    for name, value in result.figures.items():
        figures.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    bars = Table(title="bars", box=None, title_justify="left")
    for heading in ("bar", "value", "goal", ""):
        bars.add_column(heading)
    for bar in result.bars:
        sign = ">=" if bar.better == "higher" else "<="
        verdict = "[green]reached[/]" if bar.ok else "[red]missed[/]"
        bars.add_row(bar.name, f"{bar.value:.4g}", f"{sign} {bar.goal:g}", verdict)
    out.print(figures)
    if result.bars:
        out.print(bars)
