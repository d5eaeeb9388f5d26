"""The README tells the truth: its commands parse, its examples are the files that are tested, its links lead somewhere."""

import argparse
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from run_pipeline import VERBS, VERSION, build_parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def commands(text: str) -> list[str]:
    whole = re.sub(r"\\\n\s*", "", text)  # a shell reads on after a backslash
    lines = re.findall(r"^python run_pipeline\.py (.+)$", whole, flags=re.M)
    return [line.split("#")[0].strip() for line in lines]


@pytest.mark.parametrize("command", [c for doc in DOCS for c in commands(doc.read_text(encoding="utf-8"))])
def test_every_command_shown_is_one_we_take(command: str) -> None:
    words = shlex.split(command)
    build_parser(only=words[0]).parse_args(words)


@pytest.mark.parametrize("name", VERBS)
def test_every_verbs_example_is_one_we_take(name: str) -> None:
    words = shlex.split(VERBS[name].example)
    if name == "stage":
        words += ["--plan", "plan.json"]
    assert words[0] == name
    build_parser(only=name).parse_args(words)


def actions(verb: str) -> dict[str, argparse.ArgumentParser]:
    """The sub-commands of a verb."""
    (verbs,) = (
        one for one in build_parser(only=verb)._actions if isinstance(one, argparse._SubParsersAction)
    )
    nested = (one for one in verbs.choices[verb]._actions if isinstance(one, argparse._SubParsersAction))
    return {name: parser for one in nested for name, parser in one.choices.items()}


@pytest.mark.parametrize("verb", VERBS)
def test_every_action_of_a_verb_has_an_example_that_we_take(verb: str) -> None:
    for action, parser in actions(verb).items():
        (example,) = commands(re.sub(r"^ +", "", parser.format_help(), flags=re.M))
        words = shlex.split(example)
        assert words[:2] == [verb, action]
        build_parser(only=verb).parse_args(words)


@pytest.mark.parametrize("name", ["subscriber.py", "subscriber.mjs"])
def test_the_subscribers_shown_are_the_ones_tested(name: str) -> None:
    shown = re.findall(r"^```(?:python|js)\n(.*?)^```", README, flags=re.M | re.S)
    code = (ROOT / "stream" / "examples" / name).read_text(encoding="utf-8")
    code = re.sub(r"  # noqa.*", "", code).split('"""\n\n')[-1].strip()
    assert code in [block.strip() for block in shown]


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(doc: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", doc.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (doc.parent / target).exists(), f"{doc.name} links to {target}"


def test_the_version_is_the_changelogs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert newest is not None
    assert newest.group(1) == project["version"] == VERSION


def test_nothing_unfinished_is_shown() -> None:
    for doc in DOCS:
        assert not re.findall(
            r"\b(TODO|DEMO_TABLE|FEATURE_TABLE|FIGURES|SUBSCRIBER_PY|SUBSCRIBER_JS)\b", doc.read_text()
        )
