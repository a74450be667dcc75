"""Checks values against declarations: from text and plain trees to typed values within their limits."""

import difflib
import functools
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from engine.errors import ConfigError

TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)


@dataclass(frozen=True)
class Setting:
    """The declaration of one leaf of the tree."""

    key: str
    type: Any  # int, float, bool, str, list[...] or one of them with None
    meta: dict[str, Any]

    @property
    def kind(self) -> Any:
        """The type without its None."""
        return _without_none(self.type)[0]

    @property
    def type_name(self) -> str:
        return self.type.__name__ if isinstance(self.type, type) and not get_args(self.type) else str(self.type)


def settings(section: Any, prefix: str = "") -> Iterator[Setting]:
    """Every declared leaf, in order of declaration."""
    hints = get_type_hints(section)
    for item in fields(section):
        key, kind = prefix + item.name, hints[item.name]
        nested = _dataclass_of(kind)
        if nested is not None:
            yield from settings(nested, key + ".")
        else:
            yield Setting(key, kind, dict(item.metadata))


def unknown(cause: str, name: str, near: Sequence[str], available: Sequence[str] = ()) -> ConfigError:
    """An error that names the likely names."""
    close = difflib.get_close_matches(name, near, n=3, cutoff=0.6)
    if not close:  # a right last name below a wrong section
        close = [other for other in near if other.rpartition(".")[2] == name.rpartition(".")[2]][:3]
    meant = f"Did you mean {' or '.join(close)}?" if close else ""
    listed = f"Available: {', '.join(available)}." if available else "`engine config` lists every setting."
    return ConfigError(cause, remedy=f"{meant} {listed}".strip())


def parse(item: Setting, text: str) -> Any:
    """The typed value of a text from a command line or a form. Raises ConfigError."""
    kind, optional = _without_none(item.type)
    if optional and text.strip().lower() in ("null", "none", "~"):
        return None
    if text.strip() in item.meta.get("words", ()):
        return text.strip()
    if get_origin(kind) is list:
        inner = Setting(item.key, get_args(kind)[0], {})
        body = text.strip().removeprefix("[").removesuffix("]").strip()
        return [parse(inner, part.strip().strip("'\"")) for part in body.split(",")] if body else []
    truth = TRUTH.get(text.strip().lower())
    if kind is str:
        return text if truth is None else _word(item, truth, text)
    if kind is bool:
        if truth is not None:
            return truth
    elif kind in (int, float):
        try:
            number = float(text)
            if kind is float:
                return number
            if number.is_integer():
                return int(text) if text.strip().lstrip("+-").isdigit() else int(number)
        except (ValueError, OverflowError):
            pass  # falls through to the one message below
    raise ConfigError(f"'{text}' is not {_article(kind)}", location=item.key, remedy=_allowed(item))


def checked(item: Setting, text: str) -> Any:
    """The typed value of a text, within the limits of its setting. Raises ConfigError."""
    return _value(item, parse(item, text), "")


class MissingSetting(ConfigError):
    """A setting without a value. ``key``: its dotted name."""

    def __init__(self, item: Setting, location: str) -> None:
        super().__init__(f"{item.key} is missing", location=location, remedy=f"Set it: {item.meta.get('help')}.")
        self.key = item.key


def tree_of(section: Any, tree: Any, prefix: str, location: str) -> Any:
    """A dataclass of a tree of plain values. Raises ConfigError for unknown or missing names and values not allowed."""
    if not isinstance(tree, dict):
        name = prefix.rstrip(".") or "the configuration"
        raise ConfigError(f"{name} has to be a group of settings, not {tree!r}", location=location)
    names = _declared(section, prefix)
    for key in tree:
        if key not in names:
            error = unknown(f"there is no setting '{prefix}{key}'", str(key), list(names))
            raise ConfigError(error.cause, location=location, remedy=error.remedy)
    values = {}
    for name, item in names.items():
        if name not in tree:
            raise MissingSetting(item, location)
        nested = _dataclass_of(item.type)
        if nested is None or (tree[name] is None and _without_none(item.type)[1]):
            values[name] = _value(item, tree[name], location)
        else:
            values[name] = tree_of(nested, tree[name], item.key + ".", location)
    built = section(**values)
    if hasattr(built, "check"):
        for name, problem in built.check():
            raise ConfigError(
                f"{prefix}{name} = {getattr(built, name)!r} {problem}",
                location=location,
                remedy=f"Change {prefix}{name}.",
            )
    return built


@functools.cache
def _declared(section: Any, prefix: str) -> dict[str, Setting]:
    """The settings and the sections that a section declares, by name. Nobody may change the result."""
    hints = get_type_hints(section)
    return {item.name: Setting(prefix + item.name, hints[item.name], dict(item.metadata)) for item in fields(section)}


def _value(item: Setting, value: Any, location: str) -> Any:
    kind, optional = _without_none(item.type)
    if value is None and optional:
        return None
    if get_origin(kind) is not list:
        return _leaf(kind, value, item, location)
    if not isinstance(value, list):
        raise ConfigError(f"{value!r} is not a list", location=location or item.key, remedy=_allowed(item))
    return [_leaf(get_args(kind)[0], entry, item, location) for entry in value]


def _leaf(kind: Any, value: Any, item: Setting, location: str) -> Any:
    if isinstance(value, str) and value in item.meta.get("words", ()):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is float and isinstance(value, str):  # YAML 1.1 reads 1e-3 as text
        value = parse(Setting(item.key, float, item.meta), value)
    if kind is str and isinstance(value, bool):  # YAML reads true as a truth value
        value = _word(item, value, value)
    wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
    if wrong or not _within(value, item.meta):
        raise ConfigError(
            f"{value!r} is {'not ' + _article(kind) if wrong else 'not allowed'}",
            location=f"{location}: {item.key}" if location else item.key,
            remedy=_allowed(item),
        )
    return value


def _word(item: Setting, truth: bool, otherwise: Any) -> Any:
    """The choice ``true`` or ``false`` where a setting has it among other words."""
    word = str(truth).lower()
    return word if word in (item.meta.get("choices") or ()) else otherwise


def _within(value: Any, meta: dict[str, Any]) -> bool:
    if meta.get("choices") and value not in meta["choices"]:
        return False
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
        return bool(
            number == number
            and (meta.get("low") is None or number >= meta["low"])
            and (meta.get("high") is None or number <= meta["high"])
            and (meta.get("above") is None or number > meta["above"])
            and (meta.get("below") is None or number < meta["below"])
        )
    return True


def _allowed(item: Setting) -> str:
    """The meaning of a setting and the values it takes, in a sentence."""
    meta = item.meta
    parts = [_article(_without_none(item.type)[0])]
    if meta.get("choices"):
        parts = ["one of " + ", ".join(meta["choices"])]
    for limit, phrase in (("low", "at least"), ("above", "more than"), ("high", "at most"), ("below", "less than")):
        if meta.get(limit) is not None:
            parts.append(f"{phrase} {meta[limit]:g}")
    parts += [f"or {word}" for word in meta.get("words") or ()]
    if _without_none(item.type)[1]:
        parts.append("or null")
    return f"{item.key} ({meta.get('help', '')}) takes {', '.join(parts)}."


def _article(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(kind, "a list" if get_origin(kind) is list else str(kind))


@functools.cache
def _without_none(kind: Any) -> tuple[Any, bool]:
    """The type without its None, and whether None is allowed."""
    if get_origin(kind) in (Union, types.UnionType):
        parts = [part for part in get_args(kind) if part is not type(None)]
        return parts[0], len(parts) < len(get_args(kind))
    return kind, False


def _dataclass_of(kind: Any) -> Any:
    plain, _ = _without_none(kind)
    return plain if isinstance(plain, type) and is_dataclass(plain) else None
