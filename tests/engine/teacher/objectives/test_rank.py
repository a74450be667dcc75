"""The rank objective's loss, and the spans of its steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from engine.teacher.objectives.rank import SpanSampler, loss
from engine.teacher.objectives.rank_collator import RankCollator, batch_queries
from engine.teacher.prompting.spans import PromptSpans, training_spans


def test_the_loss_is_that_of_a_float64_loop(tiny: Callable[[], Any]) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    states, (_, last) = made.student.after_events(made.data, "cpu", lambda done, total: None), spans.positions
    collator = RankCollator(made.setup())
    batch = collator("[HistoryHere]", spans, states, last, made.data.items[last + 1].astype(np.int64))
    number = torch.arange(len(batch.positions))
    without_student, without_text = number % 3 == 0, number % 4 < 2
    gates = made.teacher.gates(batch.inputs.users)
    got = loss(made.teacher, batch, gates, made.student, without_student, without_text)
    queries, head, total = batch_queries(made.teacher, batch, gates).double(), made.teacher.head, 0.0
    table = head.table(made.student.table).double()
    for k in range(len(queries)):
        user = queries[k].clone()
        width = made.student.table.shape[1]
        if without_student[k]:
            user[:width] = 0
        if without_text[k]:
            user[width : width + head.query.out_features] = 0
        scores = (table @ user)[1:]
        total += (torch.logsumexp(scores, 0) - (table @ user)[batch.targets[k]]).item()
    torch.testing.assert_close(got.item(), total / len(queries), rtol=1e-5, atol=1e-6)


def test_the_spans_of_a_step_follow_from_its_number_and_an_epoch_holds_each_once(tiny: Callable[[], Any]) -> None:
    data = tiny().data

    def cut(draw: np.random.Generator) -> PromptSpans:
        return training_spans(data, 3, 2, draw.integers(0, 2, len(data)))

    def stops(sampler: SpanSampler, step: int) -> list[int]:
        return [int(stop) for stop in sampler(step).stop]

    one, other = SpanSampler(cut, 3, 5), SpanSampler(cut, 3, 5)
    last = 2 * one.per_epoch - 1
    expected = [stops(one, step) for step in range(last + 1)]
    assert [stops(other, step) for step in (last, 0, 1)] == [expected[last], expected[0], expected[1]]
    epoch = sorted(stop for step in range(one.per_epoch, last + 1) for stop in stops(one, step))
    assert set(epoch) <= set(range(len(data.items))) and len(set(epoch)) >= len(epoch) - 3
    assert [stops(SpanSampler(cut, 3, 6), step) for step in range(3)] != expected[:3]
