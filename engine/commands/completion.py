"""``engine --completion SHELL``: what the words of a usage line stand for."""

from engine import config
from engine.commands.queue import ACTIONS
from engine.experiments import verify
from engine.report.completion import KEY, VALUES
from engine.stages import STAGES

TRUTH = ("true", "false")


def words() -> dict[str, list[str]]:
    """Words of a usage line -> what they stand for; VALUES: every ``key=value`` of settings that have choices."""
    groups = config.groups() | {"experiment": config.experiments()}
    return {
        "STAGE": list(STAGES),
        KEY: [f"{name}=" for name in (*groups, *config.declared())],
        VALUES: _values(groups),
        "NAME": list(verify.declared()),
        "ACTION": list(ACTIONS),
    }


def _values(groups: dict[str, list[str]]) -> list[str]:
    """``group=choice`` and ``key=value`` of everything that has choices."""
    found = [f"{group}={choice}" for group, choices in groups.items() for choice in choices]
    for key, item in config.declared().items():
        allowed = item.meta.get("choices") or (TRUTH if item.kind is bool else ())
        found += [f"{key}={value}" for value in (*allowed, *item.meta.get("words", ()))]
    return found
