"""Answers of the rank objective: what a position may know, and that batching changes nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.teacher.objectives.rank import loss
from engine.teacher.objectives.rank_collator import Asked, RankCollator, answer_all, answers
from engine.teacher.prompting.spans import PromptSpans, of_rows, of_training

TEMPLATE = "[HistoryHere]"
Make = Callable[[], Any]


def states(tiny: Any, data: Sequences) -> Tensor:
    return tiny.student.after_events(data, "cpu", lambda: None)


def asked(tiny: Any, questions: PromptSpans, template: str = TEMPLATE, data: Sequences | None = None) -> Asked:
    data = data or tiny.data
    _, place = questions.asked
    return RankCollator(tiny.book, tiny.student, True, "cpu")(
        template, questions, states(tiny, data), place, data.items[place + 1].astype(np.int64)
    )


def answered(tiny: Any, batch: Asked) -> Tensor:
    return answers(tiny.teacher, batch, tiny.teacher.gates(batch.inputs.users))


def test_a_position_does_not_see_the_items_after_it(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    other = Sequences(made.data.items.copy(), made.data.offsets, made.data.users)
    question, place = questions.asked
    chosen = int(np.flatnonzero(questions.count == 4)[0])
    last = place[question == chosen][-1]
    other.items[last] = 1 + other.items[last] % 12  # the last item shown by this question, asked for one place earlier
    changed = PromptSpans(other.items, questions.start, questions.stop, questions.count)
    before = answered(made, asked(made, questions))[torch.from_numpy(question == chosen)]
    after = answered(made, asked(made, changed, data=other))[torch.from_numpy(question == chosen)]
    torch.testing.assert_close(before[:-1], after[:-1])
    assert (before[-1] - after[-1]).abs().max() > 1e-3


def test_each_position_is_read_at_its_own_items_slot(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    batch, (_, place) = asked(made, questions), questions.asked
    shown = made.book.assemble(TEMPLATE, questions.history)
    assert shown.items.reshape(-1)[batch.places.numpy()].tolist() == made.data.items[place].tolist()
    assert batch.targets is not None and batch.targets.tolist() == made.data.items[place + 1].tolist()


def test_a_template_that_goes_on_is_read_at_its_end(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 1)
    batch = asked(made, questions, "[HistoryHere] next")
    width = batch.inputs.ids.shape[1]
    lengths = made.book.assemble("[HistoryHere] next", questions.history).length
    assert (batch.places.numpy() % width == lengths - 1).all()


def test_the_gate_is_that_of_the_user_before_the_first_answer(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    question, place = questions.asked
    first = [place[question == q][0] for q in range(len(questions))]
    torch.testing.assert_close(asked(made, questions).inputs.users, states(made, made.data)[first])


def test_answers_do_not_depend_on_the_batch(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    _, place = questions.asked
    asking, known = RankCollator(made.book, made.student, True, "cpu"), states(made, made.data)
    found = [
        answer_all(made.teacher, asking, TEMPLATE, questions, known, place, size, lambda: None) for size in (1, 3, 100)
    ]
    for users, gates in found[1:]:
        torch.testing.assert_close(users, found[0][0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gates, found[0][1])


def test_a_row_without_a_history_is_left_out_and_the_others_stay_right(tiny: Make) -> None:
    made = tiny()
    rows = Rows(made.data.items, np.asarray([0, 4, 9]), np.asarray([5, 4, 12]), np.arange(3))
    known = made.student.after_rows(rows, "cpu", lambda: None)
    asking = RankCollator(made.book, made.student, True, "cpu")
    place = np.asarray([0, 2])
    users, _ = answer_all(made.teacher, asking, TEMPLATE, of_rows(rows, 6), known, place, 8, lambda: None)
    alone = Rows(made.data.items, rows.start[2:], rows.stop[2:], rows.users[2:])
    single, _ = answer_all(
        made.teacher, asking, TEMPLATE, of_rows(alone, 6), known[2:], np.asarray([0]), 8, lambda: None
    )
    assert len(users) == 2
    torch.testing.assert_close(users[1], single[0], rtol=1e-4, atol=1e-5)


def test_the_loss_is_that_of_a_float64_loop(tiny: Make) -> None:
    made = tiny()
    batch = asked(made, of_training(made.data, 6, 4))
    dropped = torch.arange(len(batch.places)) % 3 == 0
    gates = made.teacher.gates(batch.inputs.users)
    got = loss(made.teacher, batch, gates, made.student, dropped)
    users, head, total = answers(made.teacher, batch, gates).double(), made.teacher.head, 0.0
    table = head.table(made.student.table).double()
    for k in range(len(users)):
        user = users[k].clone()
        if dropped[k]:
            user[: made.student.table.shape[1]] = 0
        scores = (table @ user)[1:]
        total += (torch.logsumexp(scores, 0) - (table @ user)[batch.targets[k]]).item()
    torch.testing.assert_close(got.item(), total / len(users), rtol=1e-5, atol=1e-6)


def test_hidden_slots_keep_their_tokens_embedding(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    _, place = questions.asked
    asking = RankCollator(made.book, made.student, True, "cpu")
    known = states(made, made.data)
    batch = asking(TEMPLATE, questions, known, place, hidden=questions.history > 0)
    plain = made.teacher.language_model.get_input_embeddings()(batch.inputs.ids)
    assert torch.equal(made.teacher.embed(batch.inputs), plain)


def test_after_a_comma_the_answer_is_read_where_the_next_title_would_begin(tiny: Make) -> None:
    made = tiny()
    questions = of_training(made.data, 6, 4)
    shown = made.book.assemble("[HistoryHere],", questions.history)
    batch, plain = asked(made, questions, "[HistoryHere],"), asked(made, questions)
    (_, place), width = questions.asked, shown.ids.shape[1]
    slots = shown.items.reshape(-1)[batch.places.numpy() - made.book.comma]
    assert slots.tolist() == made.data.items[place].tolist()
    comma = shown.ids.reshape(-1)[batch.places.numpy()]
    assert len(set(comma.tolist())) == 1 and made.book.comma == 1
    assert (batch.places % width).max() < width and len(plain.places) == len(batch.places)
