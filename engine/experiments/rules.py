"""What a stage says about its own planning, where the table of stages is not enough."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from engine.stages import Stage


def rule(stage: Stage, name: str) -> Callable[..., Any] | None:
    """A function of ``engine/<stage>/planning.py``, which a stage has where the table is not enough.

    ``inputs(stage, config)`` gives the stages it opens; ``named(config)`` finished runs that it opens too (name among
    its inputs -> id); ``content(config, settings)`` the settings and files of its fingerprint; ``remark(order,
    config)`` what to know before it is made for a plan of these stages, or None; ``work_done(folder)`` how many units
    of work a run did.
    """
    module = f"engine.{stage.name}.planning"
    return getattr(importlib.import_module(module), name, None) if importlib.util.find_spec(module) else None
