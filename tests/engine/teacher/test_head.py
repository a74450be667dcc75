"""The head starts as the student and adds the correction of text."""

import pytest
import torch
from torch import Tensor

from engine.teacher.head import RankHead, VisibleHistory, part_weights

HISTORY = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0]])
WHERE = VisibleHistory(HISTORY, torch.tensor([0, 0, 1, 0]), torch.tensor([5, 2, 2, 1]))


def head(states: bool = True, dropout: float = 0.0) -> RankHead:
    torch.manual_seed(0)
    return RankHead(torch.randn(9, 7), 16, 5, dropout, states).eval()


def test_an_untrained_head_gives_the_students_scores() -> None:
    made, table, student = head(), torch.randn(9, 6), torch.randn(4, 6)
    scores = made.queries(student, torch.randn(4, 16), WHERE) @ made.table(table).T
    torch.testing.assert_close(scores, student @ table.T)


def test_scores_are_the_formulas_in_a_float64_loop() -> None:
    made, table, student, states = (
        head().double(),
        torch.randn(9, 6).double(),
        torch.randn(4, 6).double(),
        torch.randn(4, 16),
    )
    torch.nn.init.normal_(made.query.weight)
    torch.nn.init.normal_(made.query.bias)
    torch.nn.init.normal_(made.read.weight)
    made.student_weight.fill_(0.25)
    made.lm_weight.fill_(0.6)
    scores = made.queries(student, states, WHERE) @ made.table(table).T
    for p in range(4):
        shown = HISTORY[WHERE.prompt[p]][: WHERE.count[p]].tolist()
        parts = [torch.stack([made.text[i] for i in shown[-k:]]).mean(dim=0) for k in (1, 3, 8, len(shown))]
        *means, state = [(x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() for x in (*parts, states[p].double())]
        query, read = made.query.weight @ torch.cat(means) + made.query.bias, made.read.weight @ state
        for i in range(9):
            by_text, by_states = query @ (made.keys.weight @ made.text[i]), read @ (made.answers.weight @ made.text[i])
            expected = (student[p] @ table[i]) / 3 + by_text + 0.6 * by_states
            torch.testing.assert_close(scores[p, i], expected, rtol=1e-6, atol=1e-6)


def test_with_an_lm_weight_of_zero_the_language_model_has_no_effect() -> None:
    made, student = head(), torch.randn(4, 6)
    torch.nn.init.normal_(made.read.weight)
    scores = []
    for lm_weight in (0.0, 0.0, 1.0):
        made.lm_weight.fill_(lm_weight)
        scores.append(made.queries(student, torch.randn(4, 16), WHERE) @ made.table(torch.ones(9, 6)).T)
    torch.testing.assert_close(scores[0], scores[1])
    assert (scores[1] - scores[2]).abs().max() > 1e-3


def test_a_frozen_text_part_leaves_only_the_language_models_to_train() -> None:
    made = head()
    made.freeze_text()
    assert {name for name, value in made.named_parameters() if value.requires_grad} == {"read.weight", "answers.weight"}


def test_items_after_a_position_have_no_effect() -> None:
    made, other = head(), HISTORY.clone()
    other[0, 2:] = 7
    before, after = (made.means(VisibleHistory(history, WHERE.prompt, WHERE.count)) for history in (HISTORY, other))
    torch.testing.assert_close(before[[1, 2, 3]], after[[1, 2, 3]])
    assert (before[0] - after[0]).abs().max() > 1e-3


def test_text_alone_does_not_read_the_language_model() -> None:
    made, student = head(states=False), torch.randn(4, 6)
    torch.nn.init.normal_(made.query.weight)
    assert torch.equal(
        made.queries(student, torch.randn(4, 16), WHERE), made.queries(student, torch.randn(4, 16), WHERE)
    )


def test_dropout_is_off_in_evaluation() -> None:
    made, student, states = head(dropout=0.5), torch.randn(4, 6), torch.randn(4, 16)
    torch.nn.init.normal_(made.query.weight)
    assert torch.equal(made.queries(student, states, WHERE), made.queries(student, states, WHERE))
    made.train()
    assert not torch.equal(made.queries(student, states, WHERE), made.queries(student, states, WHERE))


def test_the_vectors_of_text_have_mean_zero_and_variance_one() -> None:
    text = head().text
    torch.testing.assert_close(text[1:].mean(dim=0), torch.zeros(7), atol=1e-6, rtol=0)
    torch.testing.assert_close(text[1:].var(dim=0, correction=0), torch.ones(7))
    assert (text[0] == 0).all()


@pytest.mark.parametrize(
    ("student_weight", "student", "text"),
    [(0.0, 0.0, 1.0), (0.2, 0.25, 1.0), (0.5, 1.0, 1.0), (0.8, 1.0, 0.25), (1.0, 1.0, 0.0)],
)
def test_the_student_weight_goes_from_text_alone_to_the_student_alone(
    student_weight: float, student: float, text: float
) -> None:
    assert part_weights(torch.tensor(student_weight), torch.tensor(0.5)).tolist() == pytest.approx(
        [student, text, text * 0.5]
    )
    made, table, state = head(), torch.randn(9, 6), torch.randn(4, 6)
    for layer in (made.query, made.read):
        torch.nn.init.normal_(layer.weight)
    states = torch.randn(4, 16)

    def scores(student_weight: float, lm_weight: float, student: Tensor) -> Tensor:
        made.student_weight.fill_(student_weight)
        made.lm_weight.fill_(lm_weight)
        return made.queries(student, states, WHERE) @ made.table(table).T

    alone = [scores(0.5, lm_weight, torch.zeros_like(state)) for lm_weight in (0.0, 1.0)]
    expected = student * (state @ table.T) + text * (alone[0] + 0.5 * (alone[1] - alone[0]))
    torch.testing.assert_close(scores(student_weight, 0.5, state), expected, rtol=1e-5, atol=1e-5)
