"""Query vectors of the rank objective: what a position may see, and that batching changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.teacher.model import Teacher
from engine.teacher.objectives.rank import loss
from engine.teacher.objectives.rank_collator import RankBatch, RankCollator, all_queries, batch_queries, visible_history
from engine.teacher.prompting.spans import PromptSpans, heldout_spans, training_spans
from engine.teacher.shapes import FewShapes, tight

TEMPLATE = "[HistoryHere]"
Make = Callable[[], Any]


def states(tiny: Any, data: Sequences) -> Tensor:
    return tiny.student.after_events(data, "cpu", lambda done, total: None)


def batch_of(tiny: Any, spans: PromptSpans, template: str = TEMPLATE, data: Sequences | None = None) -> RankBatch:
    data = data or tiny.data
    _, last = spans.positions
    return RankCollator(tiny.setup())(template, spans, states(tiny, data), last, data.items[last + 1].astype(np.int64))


def queries_of(tiny: Any, batch: RankBatch) -> Tensor:
    return batch_queries(tiny.teacher, batch, tiny.teacher.gates(batch.inputs.users))


def test_a_position_does_not_see_the_items_after_it(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    other = Sequences(made.data.items.copy(), made.data.offsets, made.data.users)
    prompt, last = spans.positions
    chosen = int(np.flatnonzero(spans.count == 4)[0])
    index = last[prompt == chosen][-1]
    other.items[index] = 1 + other.items[index] % 12  # the last item shown, and the target of the position before it
    changed = PromptSpans(other.items, spans.start, spans.stop, spans.count)
    before = queries_of(made, batch_of(made, spans))[torch.from_numpy(prompt == chosen)]
    after = queries_of(made, batch_of(made, changed, data=other))[torch.from_numpy(prompt == chosen)]
    torch.testing.assert_close(before[:-1], after[:-1])
    assert (before[-1] - after[-1]).abs().max() > 1e-3


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("few", [False, True], ids=["tight", "few shapes"])
def test_packed_prompts_have_the_padded_ones_queries_loss_and_gradients(tiny: Make, few: bool, replayed: bool) -> None:
    found = []
    for packed in (False, True):
        made = tiny()
        if packed and replayed:
            made.teacher.capture()
        spans = training_spans(made.data, 6, 4)
        lengths = made.tokenizer.lengths(TEMPLATE, spans.history)
        pack = FewShapes([lengths, lengths[:2]], 200, "cpu") if few else tight("cpu")
        setup, (_, last) = replace(made.setup(), pack=pack if packed else None), spans.positions
        targets = made.data.items[last + 1].astype(np.int64)
        batch = RankCollator(setup)(TEMPLATE, spans, states(made, made.data), last, targets)
        assert (batch.inputs.packing is not None) == packed
        gates = made.teacher.gates(batch.inputs.users)
        queries, value = batch_queries(made.teacher, batch, gates), loss(made.teacher, batch, gates, made.student)
        value.backward()
        trained = [parameter for group in made.teacher.groups().values() for parameter in group]
        assert all(parameter.grad is not None for parameter in trained)
        found.append([queries.detach(), value.detach(), *(parameter.grad for parameter in trained)])
    for padded, other in zip(*found, strict=True):
        assert (other - padded).norm() <= 1e-5 * padded.norm()


def test_each_position_is_read_at_its_own_items_slot(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    batch, (_, last) = batch_of(made, spans), spans.positions
    shown = made.tokenizer.assemble(TEMPLATE, spans.history)
    assert shown.items.reshape(-1)[batch.positions.numpy()].tolist() == made.data.items[last].tolist()
    assert batch.targets is not None and batch.targets.tolist() == made.data.items[last + 1].tolist()


def test_a_template_with_text_after_the_history_is_read_at_its_end(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 1)
    batch = batch_of(made, spans, "[HistoryHere] next")
    width = batch.inputs.ids.shape[1]
    lengths = made.tokenizer.assemble("[HistoryHere] next", spans.history).length
    assert (batch.positions.numpy() % width == lengths - 1).all()


def test_the_gate_is_that_of_the_user_before_the_first_target(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    prompt, last = spans.positions
    first = [last[prompt == q][0] for q in range(len(spans))]
    torch.testing.assert_close(batch_of(made, spans).inputs.users, states(made, made.data)[first])


def test_queries_do_not_depend_on_the_batch(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    _, last = spans.positions
    known = states(made, made.data)
    found = [all_queries(made.setup(), spans, known, last, size, lambda done, total: None) for size in (1, 3, 100)]
    for queries, gates in found[1:]:
        torch.testing.assert_close(queries, found[0][0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gates, found[0][1])


def test_a_row_without_a_history_is_left_out_and_the_others_stay_the_same(tiny: Make) -> None:
    made = tiny()
    rows = Rows(made.data.items, np.asarray([0, 4, 9]), np.asarray([5, 4, 12]), np.arange(3))
    known = made.student.after_rows(rows, "cpu", lambda done, total: None)
    setup, last = made.setup(), np.asarray([0, 2])
    queries, _ = all_queries(setup, heldout_spans(rows, 6), known, last, 8, lambda done, total: None)
    alone = heldout_spans(rows.some(np.asarray([2])), 6)
    single, _ = all_queries(setup, alone, known[2:], np.asarray([0]), 8, lambda done, total: None)
    assert len(queries) == 2
    torch.testing.assert_close(queries[1], single[0], rtol=1e-4, atol=1e-5)


def test_hidden_slots_keep_their_tokens_embedding(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    _, last = spans.positions
    collator = RankCollator(made.setup())
    known = states(made, made.data)
    batch = collator(TEMPLATE, spans, known, last, hidden=spans.history > 0)
    plain = made.teacher.language_model.get_input_embeddings()(batch.inputs.ids)
    assert torch.equal(made.teacher.embed(batch.inputs), plain)


def test_after_a_comma_the_state_is_read_where_the_next_title_would_begin(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    shown = made.tokenizer.assemble("[HistoryHere],", spans.history)
    batch, plain = batch_of(made, spans, "[HistoryHere],"), batch_of(made, spans)
    (_, last), width = spans.positions, shown.ids.shape[1]
    slots = shown.items.reshape(-1)[batch.positions.numpy() - made.tokenizer.comma]
    assert slots.tolist() == made.data.items[last].tolist()
    comma = shown.ids.reshape(-1)[batch.positions.numpy()]
    assert len(set(comma.tolist())) == 1 and made.tokenizer.comma == 1
    assert (batch.positions % width).max() < width and len(plain.positions) == len(batch.positions)


def test_the_visible_history_is_what_the_prompt_shows_up_to_each_positions_last_item(tiny: Make) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    visible, (prompt, last) = visible_history(spans, "cpu"), spans.positions
    assert visible.prompt.tolist() == prompt.tolist()
    for p, index in enumerate(last):
        shown = visible.history[visible.prompt[p], : visible.count[p]].tolist()
        assert shown == made.data.items[spans.start[prompt[p]] : index + 1].tolist()


@pytest.mark.parametrize("words", [{}, {"batch_tokens": 40}, {"batch_tokens": 500}], ids=str)
@pytest.mark.parametrize("replayed", [False, True])
def test_queries_do_not_depend_on_how_prompts_are_packed(tiny: Make, words: dict[str, int], replayed: bool) -> None:
    made = tiny()
    spans = training_spans(made.data, 6, 4)
    known, (_, last) = states(made, made.data), spans.positions
    plain = all_queries(made.setup(), spans, known, last, 3, lambda done, total: None)
    if replayed:
        made.teacher.capture()
    setup = replace(made.setup(), pack=tight("cpu"))
    counts: list[tuple[int, int]] = []
    packed = all_queries(setup, spans, known, last, 3, lambda *count: counts.append(count), **words)
    for one, two in zip(plain, packed, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)
    assert counts[-1] == (len(spans), len(spans))
    assert (made.teacher.passes is not None and 0 < len(made.teacher.passes.shapes) <= 4) == replayed


@pytest.mark.parametrize("reads", [False, True])
def test_the_language_model_runs_only_for_a_head_that_reads_its_states(
    tiny: Make, reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, calls = tiny(), []
    made.teacher.head.states = reads
    spans = training_spans(made.data, 6, 4)
    known, (_, last) = states(made, made.data), spans.positions
    sound = Teacher.states
    monkeypatch.setattr(Teacher, "states", lambda self, *given: calls.append(1) or sound(self, *given))
    queries, _ = all_queries(made.setup(), spans, known, last, 3, lambda done, total: None)
    assert len(calls) == (-(-len(spans) // 3) if reads else 0)
    texts = made.teacher.head.text_queries(visible_history(spans, "cpu"))
    torch.testing.assert_close(queries[:, 8 : 8 + texts.shape[1]], texts)
