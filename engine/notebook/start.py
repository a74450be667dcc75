"""``engine.run``: the same detached jobs as the command of that name, and a handle on them."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import config
from engine.commands.follow import follow
from engine.commands.overrides import with_source
from engine.errors import ConfigError, RunError
from engine.experiments.launch import Request, start
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.notebook.frames import RunFrames
from engine.runs.lineage import folders
from engine.runs.text import clean_lines
from engine.stages import STAGES


def run(
    stage: str = "evaluate",
    settings: Mapping[str, Any] | Sequence[str] = (),
    *,
    runs: str | Path | None = None,
    experiment: str = "",
    again: bool = False,
) -> "RunHandle":
    """Start a stage and whatever it needs that does not exist yet; returns at once.

    ``settings`` are ``{"student.dropout": 0.3, "data": "ml-100k"}``, or words as on the command line. The runs outlive
    this process. ``again``: make the stage anew even if a finished run can be reused.
    """
    if stage not in STAGES:
        raise ConfigError(f"there is no stage '{stage}'", remedy=f"Stages: {', '.join(STAGES)}.")
    words = (
        [f"{key}={_text(key, value)}" for key, value in settings.items()]
        if isinstance(settings, Mapping)
        else [*settings]
    )
    words = with_source(words)
    resolved = config.resolve(words)
    store = Store(Path(runs or os.environ.get("ENGINE_RUNS") or "runs"))
    steps = start(Request(stage, words, experiment or resolved.label, again), resolved.config, store)
    return RunHandle(store, steps[-1].run, {step.stage.name: step.action for step in steps})


@dataclass(frozen=True)
class RunHandle:
    """A run of the stage that was asked for. ``actions``: what was done for each stage (new, reuse, join, resume)."""

    store: Store
    id: str
    actions: dict[str, str]

    @property
    def entry(self) -> Entry:
        return self.store.entry(self.store.root / self.id)

    @property
    def state(self) -> str:
        """Its state as of now: RUNNING, DONE, FAILED ..."""
        return self.entry.state.value

    @property
    def frames(self) -> RunFrames:
        """The tables of this run and of those that it was made from."""
        return RunFrames(self.store, tuple(folder.name for folder in folders(self.store.root / self.id)))

    def wait(self, timeout: float = math.inf) -> "RunHandle":
        """Print the progress to stderr until the run has ended. RunError where it did not end DONE.

        TimeoutError after ``timeout`` seconds; neither that nor an interruption stops the run.
        """
        ids = [folder.name for folder in reversed(folders(self.store.root / self.id))]
        entry = follow(self.store, ids, timeout=timeout)[-1]
        if entry.state.living:
            raise TimeoutError(f"{self.id} is {entry.state.value} after {timeout:g} s; it goes on")
        if entry.state is not State.DONE:
            raise RunError(
                clean_lines(f"{self.id} ended {entry.state.value}: {entry.status.reason}"),
                location=str(entry.folder),
                remedy=f"What it printed: engine logs {self.id}",
            )
        return self

    def stop(self) -> None:
        """Ask the run to write a checkpoint and end."""
        self.store.stop(self.entry)

    def __repr__(self) -> str:
        return f"{self.id} {self.state}"


def _text(key: str, value: Any) -> str:
    """A value as it is typed on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        parts = [_text(key, part) for part in value]
        if any("," in part for part in parts):
            raise ConfigError("an entry of a list cannot hold a comma", location=key)
        return f"[{','.join(parts)}]"
    return str(value)
