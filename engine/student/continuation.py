"""Going on from the weights of a former student whose item ids these data continue."""

from pathlib import Path

import torch

from engine.data.catalogue import column
from engine.data.ids import PADDING, rows
from engine.errors import RunError
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import ITEMS, STUDENT_MODEL
from engine.student.model import SequenceModel, load_student

# Settings that the meaning of weights depends on.
NETWORK = (
    "model", "max_length", "hidden", "blocks", "heads", "feedforward", "activation", "norm", "gated", "positions",
    "filters", "heights", "normalise",
)  # fmt: skip
SETTING = "student.init_from"


def continue_from(model: SequenceModel, run: Run, former: str) -> int:
    """Put the weights of the run ``former`` into a new model, whose rows of new items stay as drawn; how many are new.

    Raises RunError where the item ids are not continued, or the networks differ.
    """
    folder = run.folder.parent / former
    made_from = RunInfo.read(folder).inputs[ITEMS.stage]
    before, now = (_raw_ids(folder.parent / data) for data in (made_from, run.info.inputs[ITEMS.stage]))
    _check_ids(before, now, former, made_from)
    put(load_student(folder / ARTIFACTS / STUDENT_MODEL.file), model, former)
    return model.items - len(before)


def put(former: SequenceModel, model: SequenceModel, name: str) -> None:
    """Copy every weight; of tables with a row an item the rows that the former model has.

    Raises RunError where settings of the network differ.
    """
    pairs = {one: (getattr(former.settings, one), getattr(model.settings, one)) for one in NETWORK}
    differ = [f"student.{one} {before!r} → {now!r}" for one, (before, now) in pairs.items() if before != now]
    if differ:
        raise RunError(
            f"{name} is another network: {', '.join(differ)}",
            location=SETTING,
            remedy="Give the settings that it was trained with: engine show compares them.",
        )
    trained = former.state_dict()
    with torch.no_grad():
        for key, value in model.state_dict().items():
            before = trained[key]
            by_item = before.ndim > 0 and len(before) == rows(former.items) and len(value) == rows(model.items)
            (value[: len(before)] if by_item else value).copy_(before)


def _raw_ids(data: Path) -> list[str]:
    """Raw ids in the order of the item ids of a data run."""
    return column(data / ARTIFACTS / ITEMS.file, "raw")


def _check_ids(before: list[str], now: list[str], former: str, made_from: str) -> None:
    if now[: len(before)] == before:
        return
    at = next((index for index, raw in enumerate(before) if index >= len(now) or raw != now[index]), 0)
    here = f"'{now[at]}'" if at < len(now) else "none"
    raise RunError(
        f"the item ids of {former} do not go on here: id {at + PADDING + 1} is '{before[at]}' there and {here} here",
        location=SETTING,
        remedy=f"Keep the ids of its data: data.known={made_from}",
    )
