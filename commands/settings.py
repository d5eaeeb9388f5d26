"""YAML to typed values, with errors that name the line and the nearest real key.

msgspec checks types and ranges; PyYAML keeps the line of every node. Neither alone can say
``pipeline.yaml, line 12: unknown key 'max_pepole'; did you mean 'max_people'?``
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

import msgspec
import yaml

from stream.errors import ConfigError

T = TypeVar("T")
Adapt = Callable[[dict[str, Any], list[str], str], dict[str, Any]]
"""Changes a file's plain settings before the overrides, which it is shown with the file's name."""

MOST_VALUES: Final = 100_000
_PATH = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_settings(path: Path, kind: type[T], overrides: list[str], adapt: Adapt | None = None) -> T:
    """The file at ``path`` as a ``kind``, after ``KEY=VALUE`` overrides; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({error.strerror})",
            where=str(path),
            fix="Name a readable file with --config, or start from the pipeline.yaml of the repository",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", where=str(path), wanted="a YAML file") from error
    return parse_settings(text, str(path), kind, overrides, adapt)


def parse_settings(
    text: str, name: str, kind: type[T], overrides: list[str], adapt: Adapt | None = None
) -> T:
    """``text`` as a ``kind``; ``name`` stands in messages."""
    try:
        root = _compose(text, name)
        _check_size(root, name)
        _check_keys(root, kind, name)
        value = _plain(root, name)
        if adapt is not None:
            value = adapt(value, overrides, name)
        for override in overrides:
            _override(value, override, kind)
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), root, value, kind, name, overrides) from error
    except RecursionError as error:
        raise ConfigError("settings within settings without end", where=name) from error


def _check_size(root: yaml.Node, name: str) -> None:
    """Aliases of aliases (``*a``) make much of little, and one within itself makes what has no end."""
    waiting, met = [root], 0
    while waiting:
        node = waiting.pop()
        met += 1
        if met > MOST_VALUES:
            raise ConfigError(
                f"holds more than {MOST_VALUES} values", where=name, fix="Use fewer aliases (*)"
            )
        for child in node.value if isinstance(node, yaml.CollectionNode) else ():
            waiting.extend(child if isinstance(child, tuple) else (child,))


def _compose(text: str, name: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"is not YAML ({error.problem})", where=f"{name}, line {line}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"is not YAML ({error})", where=name) from error
    if root is None:
        return yaml.MappingNode("tag:yaml.org,2002:map", [])
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("holds no settings", where=name, wanted="a mapping such as 'cameras:' at the top")
    return root


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1 if node.start_mark else 1


def _check_keys(node: yaml.Node, kind: Any, name: str) -> None:
    """Every key of every mapping must be a field of the struct it fills, and stand there once."""
    struct = _struct_in(kind)
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, _item_type(kind), name)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)} if struct else None
    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError("a key is not a word", where=f"{name}, line {_line(key)}", wanted="name: value")
        if key.value in seen:
            raise ConfigError(f"key {key.value!r} stands there twice", where=f"{name}, line {_line(key)}")
        seen.add(key.value)
        if fields is not None and key.value not in fields:
            raise _unknown(key.value, list(fields), f"{name}, line {_line(key)}")
        _check_keys(child, fields[key.value] if fields is not None else _item_type(kind), name)


def _unknown(key: str, known: list[str], where: str) -> ConfigError:
    return ConfigError(f"unknown key {key!r}", where=where, fix=_nearest(key, known))


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(sorted(known))}"


def _options(kind: Any) -> Iterator[Any]:
    """``kind`` itself, or the members of a union."""
    arguments = get_args(kind)
    if get_origin(kind) is None or get_origin(kind) in (tuple, list, dict):
        yield kind
    else:
        for argument in arguments:
            yield from _options(argument)


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _item_type(kind: Any) -> Any:
    for option in _options(kind):
        if get_origin(option) is dict:
            return get_args(option)[1]
        if get_origin(option) in (tuple, list):
            return get_args(option)[0]
    return Any


def _plain(root: yaml.Node, name: str) -> dict[str, Any]:
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_document(root)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"is not plain YAML ({error})", where=name) from error
    finally:
        loader.dispose()
    expanded = _expand(value, name)
    return expanded if isinstance(expanded, dict) else {}


def _expand(value: Any, name: str) -> Any:
    """``${NAME}`` in any text is taken from the environment, so that passwords need not stand in the file."""
    if isinstance(value, dict):
        return {key: _expand(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, name) for item in value]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        found = os.environ.get(match.group(1))
        if found is None:
            raise ConfigError(
                f"environment variable {match.group(1)!r} is not set",
                where=name,
                fix=f"export {match.group(1)}=... or write the value in the file",
            )
        return found

    return _VARIABLE.sub(lookup, value)


def _override(settings: dict[str, Any], override: str, kind: Any) -> None:
    path, equals, text = override.partition("=")
    where = f"--set {override}"
    if not equals or not path:
        raise ConfigError("has no '='", where=where, wanted="KEY=VALUE, e.g. perceive.max_people=4")
    try:
        value = yaml.safe_load(text) if text else ""  # KEY= means empty text; null is written out
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError("the value is not YAML", where=where) from error
    target: dict[str, Any] = settings
    *parents, last = path.split(".")
    for step in parents:
        kind = _step_into(kind, step, where)
        if _struct_in(kind) is None and _item_type(kind) is Any:
            raise ConfigError(f"{step!r} holds a single value, not a group of settings", where=where)
        below = target.setdefault(step, {})
        if not isinstance(below, dict):
            raise ConfigError(f"{step!r} holds a single value, not a group of settings", where=where)
        target = below
    _step_into(kind, last, where)
    target[last] = value


def _step_into(kind: Any, step: str, where: str) -> Any:
    struct = _struct_in(kind)
    if struct is None:
        return _item_type(kind)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    if step not in fields:
        raise _unknown(step, list(fields), where)
    return fields[step]


def _explain(
    message: str, root: yaml.Node, value: Any, kind: Any, name: str, overrides: list[str]
) -> ConfigError:
    """msgspec's message with the line or override that it speaks of, the setting's whole name, and for one
    of a few words the nearest of them.
    """
    found = _PATH.search(message)
    node: yaml.Node = root
    setting = ""
    for key, index in _STEP.findall(found.group(1) if found else ""):
        step = key or index
        if step == "...":
            step = _failing_entry(value, kind)
        kind = _member(kind, step)
        value = value[int(step)] if isinstance(value, list) else value.get(step)
        setting += f"[{step}]" if index.isdigit() else f".{step}"
        node = _child(node, step)
    what = _PATH.sub("", message)
    what = what[0].lower() + what[1:]
    setting = setting.lstrip(".")
    words = [option for option in _options(kind) if isinstance(option, str)]
    fix = _nearest(value, words) if words and isinstance(value, str) else ""
    said = [override for override in overrides if override.partition("=")[0] == setting]
    where = f"--set {said[-1]}" if said else f"{name}, line {_line(node)}"
    return ConfigError(f"{setting}: {what}" if setting else what, where=where, fix=fix)


def _failing_entry(value: dict[str, Any], kind: Any) -> str:
    """msgspec writes ``[...]`` for a mapping's entry; find which one it means."""
    for key, item in value.items():
        try:
            msgspec.convert(item, _item_type(kind))
        except msgspec.ValidationError:
            return key
    return next(iter(value), "")


def _member(kind: Any, step: str) -> Any:
    struct = _struct_in(kind)
    if struct is None:
        return _item_type(kind)
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}.get(step, Any)


def _child(node: yaml.Node, step: str) -> yaml.Node:
    """The node below; the node itself where an override brought the value."""
    if isinstance(node, yaml.MappingNode):
        return next((v for k, v in node.value if k.value == step), node)
    if isinstance(node, yaml.SequenceNode) and int(step) < len(node.value):
        found: yaml.Node = node.value[int(step)]
        return found
    return node
