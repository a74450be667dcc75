"""``engine config``: every setting with its value, type, limits and meaning."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from engine import config
from engine.commands.overrides import stage_and_settings
from engine.config import presets
from engine.config.settings.tree import Setting, settings
from engine.report.settings import flat


def show(options: argparse.Namespace) -> int:
    """Print the settings that belong to a stage, or all of them."""
    named = any("=" not in word for word in options.overrides)
    stage, words = stage_and_settings(options.overrides)
    if options.save:
        place = config.save(options.save, words)
        told = f"saved to {place}; choose it with experiment={options.save}"
        print(json.dumps({"saved": str(place), "experiment": options.save}) if options.json else told)
        return 0
    resolved = config.resolve(words)
    if options.yaml:
        print(config.dump(resolved.config), end="")
        return 0
    values = flat(asdict(resolved.config))
    rows = [
        _described(item, values.get(item.key))
        for item in settings(config.Config)
        if not named or item.key.split(".")[0] in (stage, "seed", "trainer", "launcher", "health")
    ]
    if options.json:
        groups = {
            name: {"choice": resolved.choices.get(name), "choices": found} for name, found in config.groups().items()
        }
        named_sets = {"experiments": config.experiments(), "saved": presets.names()}
        print(json.dumps({"groups": groups, "settings": rows, **named_sets}))
        return 0
    width = max(len(row["key"]) for row in rows)
    for name, choices in config.groups().items():
        if not named or name in (stage, "trainer", "launcher", "health", "experiment"):
            choices = config.experiments() if name == "experiment" else choices
            print(f"{name}={resolved.choices.get(name)}   choices: {', '.join(choices)}")
    print()
    for row in rows:
        print(f"{row['key']:<{width}}  {_shown(row['value'])}  ({row['type']}{_limits(row)}) {row['help']}")
    return 0


def _described(item: Setting, value: Any) -> dict[str, Any]:
    limits = {name: item.meta.get(name) for name in ("low", "high", "above", "below", "unit")}
    choices = list(item.meta.get("choices", ()))
    return {
        "key": item.key,
        "value": value,
        "type": item.type_name,
        "help": item.meta.get("help", ""),
        "choices": choices,
        **limits,
    }


def _limits(row: dict[str, Any]) -> str:
    signs = {"low": "≥", "above": ">", "high": "≤", "below": "<"}
    parts = [f" {sign} {row[name]:g}" for name, sign in signs.items() if row[name] is not None]
    if row["choices"]:
        parts.append(": " + "|".join(row["choices"]))
    return "".join(parts) + (f" {row['unit']}" if row["unit"] else "")


def _shown(value: Any) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)
