"""``engine config``: every setting with its value, the file that states it, type, limits and meaning."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from engine import config
from engine.commands.overrides import stage_and_settings, with_source
from engine.config import presets
from engine.config.origins import origins
from engine.config.settings.tree import Setting, settings
from engine.report.settings import flat

COMMON = ("seed", "trainer", "launcher", "health")  # sections that every stage reads


def show(options: argparse.Namespace) -> int:
    """Print the settings that belong to a stage, or all of them."""
    named = any("=" not in word for word in options.overrides)
    stage, overrides = stage_and_settings(options.overrides)
    if options.save:
        path = config.save(options.save, overrides)
        message = f"saved to {path}; choose it with experiment={options.save}"
        print(json.dumps({"saved": str(path), "experiment": options.save}) if options.json else message)
        return 0
    overrides = with_source(overrides)
    resolved = config.resolve(overrides)
    if options.yaml:
        print(config.dump(resolved.config), end="")
        return 0
    wanted = (stage, *COMMON) if named else (*config.groups(), *COMMON)
    items = [item for item in settings(config.Config) if item.key.split(".")[0] in wanted]
    values, origin = flat(asdict(resolved.config)), origins(overrides, [item.key for item in items])
    rows = [_described(item, values.get(item.key), origin[item.key]) for item in items]
    choices = config.groups() | {"experiment": config.experiments()}
    if options.json:
        groups = {
            name: {"choice": resolved.choices.get(name), "choices": found} for name, found in config.groups().items()
        }
        named_sets = {"experiments": config.experiments(), "saved": presets.names()}
        print(json.dumps({"groups": groups, "settings": rows, **named_sets}))
        return 0
    width = max(len(row["key"]) for row in rows)
    for name in choices:
        if name in (*wanted, "experiment"):
            print(f"{name}={resolved.choices.get(name)}   choices: {', '.join(choices[name])}")
    print()
    for row in rows:
        value = "null" if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
        print(f"{row['key']:<{width}}  {value}  [{row['origin']}]  ({row['type']}{_limits(row)}) {row['help']}")
    return 0


def _described(item: Setting, value: Any, origin: str) -> dict[str, Any]:
    return {
        "key": item.key,
        "value": value,
        "origin": origin,
        "type": item.type_name,
        "help": item.meta.get("help", ""),
        "choices": list(item.meta.get("choices", ())),
        **{name: item.meta.get(name) for name in ("low", "high", "above", "below", "unit")},
    }


def _limits(row: dict[str, Any]) -> str:
    signs = {"low": "≥", "above": ">", "high": "≤", "below": "<"}
    parts = [f" {sign} {row[name]:g}" for name, sign in signs.items() if row[name] is not None]
    if row["choices"]:
        parts.append(": " + "|".join(row["choices"]))
    return "".join(parts) + (f" {row['unit']}" if row["unit"] else "")
