"""Screen 3 of one evaluation: its models against each other, with the tests that the evaluation made."""

import shutil
from pathlib import Path
from typing import Any

from cockpit.actions.export import prompt_file
from cockpit.context import Context
from cockpit.keys import MODELS
from cockpit.models.result import EvaluationResult
from cockpit.models.rows import Row
from cockpit.panes import model_pairs
from cockpit.panes import result as texts
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside
from cockpit.screens.paned import PanedScreen
from cockpit.services.results import ResultReader
from engine.runs.schema import ARTIFACTS
from engine.stages import COMPARISONS

DIFFERENCES, SLICES, VERDICT = "differences", "slices", "verdict"
TESTED = ("ndcg@10", "hr@10")  # metrics of which an evaluation tests differences
SMALL = 100  # columns below which there is one pane


class ModelsScreen(PanedScreen):
    """``run`` is the id of the evaluation whose models are compared."""

    name = MODELS
    names = (DIFFERENCES, SLICES, VERDICT)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.run = ""
        self.metric = TESTED[0]
        self.reader = ResultReader(context.folders)

    def open(self, *subject: Any, **options: Any) -> None:
        self.run = subject[0]
        self.reader.forget(self.run)

    @property
    def row(self) -> Row | None:
        return self.context.list.rows.get(self.run)

    @property
    def result(self) -> EvaluationResult | str:
        """The result of the evaluation, or why there is none."""
        return self.reader.read(self.run) if self.run else "open an evaluation first (1, enter)"

    def title(self) -> Line:
        row = self.row
        return (
            [(f"  of {row.stage} {row.name}", "bold"), (f"  {row.experiment}  seed {row.seed}", "dim")] if row else []
        )

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        self._boxes = []
        if isinstance(self.result, str):
            return self.trouble(self.result, across)
        if self.zoomed:
            return self.pane(self.focus, 0, 0, across, down)
        top = self.height(DIFFERENCES, across)
        if across < SMALL or down < top + 8:
            return [self.tabs(), *self.pane(self.focus, 0, 1, across, down - 1)]
        half = across // 2
        left = self.pane(SLICES, 0, top, half, down - top)
        return [
            *self.pane(DIFFERENCES, 0, 0, across, top),
            *beside([left, self.pane(VERDICT, half, top, across - half, down - top)]),
        ]

    def about(self, name: str) -> Line:
        return [(f"  {self.metric}", "dim")] if name == SLICES else []

    def body(self, name: str, across: int) -> Lines:
        result = self.result
        if isinstance(result, str):
            return []
        if name == DIFFERENCES:
            return model_pairs.differences(result, TESTED, across)
        return model_pairs.on_slices(result, self.metric, across) if name == SLICES else texts.verdict(result, across)

    # -- keys ----------------------------------------------------------------------------------------------------

    def do_metric(self) -> None:
        """The metric of the slices."""
        items = [MenuItem(name, "", name) for name in TESTED]
        self.context.open_menu("metric of the slices", items, lambda name: setattr(self, "metric", name))

    def do_copy(self) -> None:
        self.context.copy(self.context.shown(["results", "--seeds", self.run]))

    def why_not_export(self) -> str:
        return self.result if isinstance(self.result, str) else ""

    def do_export(self) -> None:
        """Write the differences as the evaluation wrote them."""
        prompt_file(self.context, "differences.csv", self._write)

    def _write(self, file: Path) -> None:
        try:
            shutil.copyfile(self.context.folders / self.run / ARTIFACTS / COMPARISONS.file, file)
        except OSError as error:
            self.context.notify(f"{file}: {error.strerror}", "bad")
        else:
            self.context.notify(f"differences written to {file}")
