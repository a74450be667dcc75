"""Asking a teacher: in shards that outlive a stop, and about held-out histories.

Letters: R rows, Q questions, E experts, W width of the teacher's answers, D of the student's states, n items.
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
from engine.data.sequences import Rows, Sequences
from engine.knowledge import query_selection as worth
from engine.knowledge.scorers import Way
from engine.metrics import ranking
from engine.runs.run import Run, Stopped
from engine.stages import VAL_NDCG
from engine.teacher.build import Built
from engine.teacher.module import report_gate
from engine.teacher.prompting.spans import of_rows, of_training, within

Ints = NDArray[Any]
REQUESTS = 20  # rows asked one by one to tell the time of a request


def _nothing() -> None:
    """No sign of life is needed for something this short."""


class Asker:
    """One teacher, one template, and the shards of what it answered."""

    def __init__(
        self, settings: KnowledgeSettings, built: Built, ways: Sequence[Way], history: int, run: Run, device: str
    ) -> None:
        """``ways`` read the same answers differently; validation decides which one it is (``held_out``)."""
        self.settings, self.built, self.ways, self.history = settings, built, ways, history
        self.way, self.run, self.device = ways[0], run, device

    def shards(self, sequences: Sequences, text: Tensor) -> list[Path]:
        """A file of rankings and expert weights for every ``settings.shard`` questions; those that are there stay.

        Rows of ``settings.last_position`` stand among the others, behind those of the same user.
        """
        settings, run = self.settings, self.run

        def alive() -> None:
            run.progress(0, 1, "read student", unit="tables")

        states = self.built.student.after_events(sequences, self.device, alive)  # [E, D]
        questions = of_training(sequences, self.history, self.way.targets, last_position=settings.last_position)
        question, place = questions.asked
        asked_for = np.isin(np.arange(len(place)), self.chosen(sequences, states, question, place, text))
        wanted = np.flatnonzero(np.bincount(question[asked_for], minlength=len(questions)))
        begin = np.cumsum(questions.count) - questions.count
        first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))  # [E] of each event's user
        files, resumed, seconds, rows = [], 0, 0.0, 0
        for start in range(0, len(wanted), settings.shard):
            files.append(run.checkpoints / f"shard-{start // settings.shard:06d}.safetensors")
            if files[-1].exists():
                resumed = start + settings.shard
                continue
            if resumed:
                run.resumed(resumed)
                resumed = 0
            some = wanted[start : start + settings.shard]
            counts = questions.count[some]
            positions = np.repeat(begin[some], counts) + within(counts)
            since = time.monotonic()
            users, gates = self.way.answer(questions.some(some), states, place[positions], alive)
            kept = asked_for[positions]
            where = place[positions][kept]
            seen = (
                ranking.on_device(sequences.items, first[where], where + 1, self.device) if settings.hide_seen else None
            )
            items, distances = self.way.first(users[torch.from_numpy(kept)].to(self.device), seen)
            seconds, rows = seconds + time.monotonic() - since, rows + len(where)
            weights = gates.repeat_interleave(torch.from_numpy(counts), dim=0)[torch.from_numpy(kept)]
            with run.checkpoint(files[-1].name) as path:
                found = {"items": items, "distances": distances, "weights": weights.contiguous()}
                save_file({"rows": torch.from_numpy(where + 1)} | found, path)
            done = min(start + settings.shard, len(wanted))
            report_gate(run, done, weights)
            run.progress(done, len(wanted), "ask", unit="prompts")
            if run.stop_requested and done < len(wanted):
                raise Stopped(f"stopped after {done} of {len(wanted)} prompts, whose answers are kept")
        run.note(rows=int(asked_for.sum()), rows_per_second=round(rows / seconds, 1) if seconds else None)
        return files

    def chosen(self, sequences: Sequences, states: Tensor, question: Ints, place: Ints, text: Tensor) -> Ints:
        """Which of the rows [R] of these questions and places are asked about."""
        settings, student = self.settings, self.built.student
        first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))[place]

        def value() -> Tensor:
            users = states[torch.from_numpy(place)].to(self.device)
            if settings.query_selection == "uncertain":
                return worth.uncertainty(users, student.table, student.bias)
            seen = ranking.on_device(sequences.items, first, place + 1, self.device)
            return worth.disagreement(users, student.table, student.bias, text.to(self.device), seen)

        return worth.chosen(settings.query_selection, settings.budget, settings.seed, question, value)

    def held_out(self, validation: Rows, test: Sequences) -> dict[str, Tensor]:
        """Answers and expert weights of validation rows and test histories; the validation's quality is reported."""
        found: dict[str, Tensor] = {}
        histories = Rows(test.items, test.offsets[:-1], test.offsets[1:], test.users)
        for name, rows in (("validation", validation), ("test", histories)):

            def alive(name: str = name) -> None:
                self.run.progress(0, 1, f"ask about {name}", unit="sets")

            questions = of_rows(rows, self.history + 1)
            asked = np.flatnonzero(questions.count)  # after an empty history nothing can be asked
            states = self.built.student.after_rows(rows, self.device, alive)
            answers, gates = self.way.answer(questions, states, asked, alive)
            whole = torch.zeros(len(rows), self.way.width)
            whole[torch.from_numpy(asked)] = answers
            found |= {name: whole, f"{name}_gates": gates}
        self._time_requests(validation)
        targets = torch.from_numpy(validation.targets.astype(np.int64)).to(self.device)
        seen = ranking.on_device(validation.items, validation.start, validation.stop, self.device)
        answers, tried = found["validation"].to(self.device), []
        for way in self.ways:
            tried.append(ranking.validation_metrics(way.ranks(answers, targets, seen)))
        best = max(range(len(tried)), key=lambda at: tried[at][VAL_NDCG.name])
        self.way = self.ways[best]
        self.run.evaluation(0, tried[best], best=True)
        return found

    def _time_requests(self, rows: Rows) -> None:
        """Notes how long one row takes by itself, student, prompt and language model together."""
        taken = []
        for at in np.flatnonzero(rows.stop > rows.start)[:REQUESTS]:
            one = Rows(rows.items, rows.start[[at]], rows.stop[[at]], rows.users[[at]])
            since = time.monotonic()
            state = self.built.student.after_rows(one, self.device, _nothing)
            self.way.answer(of_rows(one, self.history + 1), state, np.zeros(1, dtype=np.int64), _nothing)
            taken.append(time.monotonic() - since)
        if taken:
            self.run.note(ms_per_request=round(1e3 * float(np.median(taken)), 3))
