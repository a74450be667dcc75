"""Runs a teacher over the training rows, in shards that survive a stop, and over the held-out histories.

Letters: R rows, Q prompts, E experts, W width of a query vector, D of the student's states, n items.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.config.settings.knowledge import KnowledgeSettings
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows, Sequences
from engine.knowledge import query_selection
from engine.knowledge.blend import Together
from engine.knowledge.rankings import seen_before
from engine.knowledge.scorers import Scorer
from engine.knowledge.untrained_part import NONE, UntrainedPart
from engine.metrics import ranking
from engine.metrics.selection import cross_fitted
from engine.runs.reporter import counted
from engine.runs.run import Run, Stopped
from engine.stages import GAMMA_OPTIMISM, VAL_NDCG, request_time
from engine.teacher.build import TeacherSetup
from engine.teacher.module import report_gate
from engine.teacher.prompting.spans import PromptSpans, heldout_spans, training_spans

Ints = NDArray[Any]
REQUESTS = 20  # rows predicted one by one to measure the time of a request


class TeacherInference:
    """One teacher, one template, and the shards of its rankings."""

    def __init__(
        self,
        settings: KnowledgeSettings,
        setup: TeacherSetup,
        scorers: Sequence[Scorer],
        run: Run,
        hide_seen: bool,
        together: Together | None = None,
        untrained: UntrainedPart = NONE,
    ) -> None:
        """``scorers`` read the same query vectors differently; ``held_out`` chooses one on validation rows.

        ``hide_seen``: what ``settings.hide_seen`` means for these data. ``together``: the students of a mixture, whose
        states ``scorers`` then expect. ``untrained``: its models without training.
        """
        self.untrained = untrained
        self.hide_seen = hide_seen
        self.settings, self.scorers, self.scorer, self.run = settings, scorers, scorers[0], run
        self.frozen, self.history, self.device = setup.student, setup.settings.history, setup.device
        self.student = together or setup.student
        self.processes = setup.processes

    def shards(self, sequences: Sequences, text: Tensor, test: Sequences) -> list[Path]:
        """A file of rankings and expert weights for every ``settings.shard`` prompts; existing files are kept.

        Rows of ``settings.last_position`` are among the others, behind those of the same user; none of them follows a
        whole history of ``test``.
        """
        settings, run = self.settings, self.run
        states = self.student.after_events(sequences, self.device, counted(run, "read student", "rows"))  # [E, D]
        spans = training_spans(sequences, self.history, self.scorer.targets, last_position=settings.last_position)
        prompt, last = spans.positions
        chosen = self.processes.first(self.selected(sequences, states, spans, text))
        selected = np.isin(np.arange(len(last)), chosen)
        tested = np.isin(last, query_selection.ends_before_tests(sequences, test))
        if tested.any():
            run.log("info", f"{int(tested.sum())} histories end where a test row begins: what follows is not asked")
            run.note(test_histories_left_out=int(tested.sum()))
            selected &= ~tested
        wanted = np.flatnonzero(np.bincount(prompt[selected], minlength=len(spans)))
        starts = range(0, len(wanted), settings.shard)
        files = [run.checkpoints / f"shard-{start // settings.shard:06d}.safetensors" for start in starts]
        kept_files = set(self.processes.first([file.name for file in files if file.exists()]))
        resumed, seconds, rows = 0, 0.0, 0
        for start, file in zip(starts, files, strict=True):
            if file.name in kept_files:
                resumed = start + settings.shard
                continue
            if resumed:
                run.resumed(resumed)
                resumed = 0
            chosen = wanted[start : start + settings.shard]
            positions = spans.positions_of(chosen)
            since = time.monotonic()

            def asked(done: int, total: int, start: int = start) -> None:
                run.progress(start + done, len(wanted), "ask", unit="prompts")

            asked(0, len(chosen))
            queries, gates = self.scorer.queries(spans.some(chosen), states, last[positions], asked)
            done = min(start + settings.shard, len(wanted))
            if self.processes.rank == 0:
                kept = selected[positions]
                ends = last[positions][kept]
                seen = seen_before(sequences, ends, self.device) if self.hide_seen else None
                added = self.untrained.after_events(sequences, ends, self.device)
                items, distances = self.scorer.first(queries[torch.from_numpy(kept)].to(self.device), seen, added)
                seconds, rows = seconds + time.monotonic() - since, rows + len(ends)
                weights = gates.repeat_interleave(torch.from_numpy(spans.count[chosen]), dim=0)[torch.from_numpy(kept)]
                with run.checkpoint(file.name) as path:
                    found = {"items": items, "distances": distances, "weights": weights.contiguous()}
                    save_file({"rows": torch.from_numpy(ends + 1)} | found, path)
                report_gate(run, done, weights)
                run.progress(done, len(wanted), "ask", unit="prompts")
            if self.processes.any(run.stop_requested) and done < len(wanted):
                raise Stopped(f"stopped after {done} of {len(wanted)} prompts, whose answers are kept")
        run.note(rows=int(selected.sum()), rows_per_second=round(rows / seconds, 1) if seconds else None)
        return files

    def selected(self, sequences: Sequences, states: Tensor, spans: PromptSpans, text: Tensor) -> Ints:
        """Indices of the spans' positions that ``settings.query_selection`` keeps."""
        settings, student, (prompt, last) = self.settings, self.frozen, spans.positions

        def value() -> Tensor:
            users = states[torch.from_numpy(last), : student.table.shape[1]].to(self.device)
            if settings.query_selection == "uncertain":
                return query_selection.uncertainty(users, student.table, student.bias)
            seen = seen_before(sequences, last, self.device)
            return query_selection.disagreement(users, student.table, student.bias, text.to(self.device), seen)

        return query_selection.select(settings.query_selection, settings.budget, settings.seed, prompt, value)

    def held_out(self, validation: Rows, test: Sequences) -> dict[str, Tensor]:
        """Query vectors and expert weights of validation rows and test histories; reports the validation metrics."""
        found: dict[str, Tensor] = {}
        histories = Rows(test.items, test.offsets[:-1], test.offsets[1:], test.users)
        for name, rows in (("validation", validation), ("test", histories)):
            asked = counted(self.run, f"ask about {name}", "prompts")
            spans = heldout_spans(rows, self.history + 1)
            nonempty = np.flatnonzero(spans.count)  # there is no prompt for an empty history
            states = self.student.after_rows(rows, self.device, counted(self.run, "read student", "rows"))
            asked(0, len(nonempty))
            queries, gates = self.scorer.queries(spans, states, nonempty, asked)
            whole = torch.zeros(len(rows), self.scorer.width)
            whole[torch.from_numpy(nonempty)] = queries
            found |= {name: whole, f"{name}_gates": gates}
        self._time_requests(validation)
        targets = torch.from_numpy(validation.targets.astype(np.int64)).to(self.device)
        own = validation.items, validation.start, validation.stop
        seen = ranking.on_device(*own, self.device) if protocol_of(self.run) else None
        queries = found["validation"].to(self.device)
        added = self.untrained.after_rows(validation, self.device)
        ranks = [scorer.ranks(queries, targets, seen, added) for scorer in self.scorers]
        metrics = [ranking.validation_metrics(own) for own in ranks]
        best = max(range(len(metrics)), key=lambda index: metrics[index][VAL_NDCG.name])
        self.scorer = self.scorers[best]
        self.run.evaluation(0, metrics[best], best=True)
        if len(ranks) > 1:
            values = np.stack([ranking.ndcg(own, 10).cpu().numpy() for own in ranks])
            fitted = cross_fitted(values, validation.users)
            self.run.note(gamma=self.settings.gammas[best], **({GAMMA_OPTIMISM: fitted[1]} if fitted else {}))
        return found

    def _time_requests(self, rows: Rows) -> None:
        """Notes how long one row takes by itself: student, prompt and language model together."""
        taken = []
        for index in np.flatnonzero(rows.stop > rows.start)[:REQUESTS]:
            one, since = rows.some(np.array([index])), time.monotonic()
            state = self.student.after_rows(one, self.device, lambda done, total: None)
            spans = heldout_spans(one, self.history + 1)
            self.scorer.queries(spans, state, np.zeros(1, dtype=np.int64), lambda done, total: None)
            taken.append(time.monotonic() - since)
        if taken:
            self.run.note(**{request_time(self.device): round(1e3 * float(np.median(taken)), 3)})
