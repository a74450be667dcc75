"""The head starts as the student and adds what text tells."""

import torch

from engine.teacher.head import RankHead, Seen

HISTORY = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0]])
WHERE = Seen(HISTORY, torch.tensor([0, 0, 1, 0]), torch.tensor([5, 2, 2, 1]))


def head(states: bool = True, dropout: float = 0.0) -> RankHead:
    torch.manual_seed(0)
    return RankHead(torch.randn(9, 7), 16, 5, dropout, states).eval()


def test_an_untrained_head_gives_the_students_scores() -> None:
    made, table, student = head(), torch.randn(9, 6), torch.randn(4, 6)
    scores = made.users(student, torch.randn(4, 16), WHERE) @ made.table(table).T
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
    made.trust.fill_(0.3)
    scores = made.users(student, states, WHERE) @ made.table(table).T
    for p in range(4):
        shown = HISTORY[WHERE.question[p]][: WHERE.count[p]].tolist()
        parts = [torch.stack([made.text[i] for i in shown[-k:]]).mean(dim=0) for k in (1, 3, 8, len(shown))]
        parts.append(states[p].double())
        x = torch.cat([(part - part.mean()) / (part.var(correction=0) + 1e-5).sqrt() for part in parts])
        query = made.query.weight @ x + made.query.bias
        for i in range(9):
            expected = 0.3 * (student[p] @ table[i]) + query @ (made.keys.weight @ made.text[i])
            torch.testing.assert_close(scores[p, i], expected, rtol=1e-6, atol=1e-6)


def test_items_behind_a_position_do_not_count() -> None:
    made, other = head(), HISTORY.clone()
    other[0, 2:] = 7
    before, after = (made.means(Seen(history, WHERE.question, WHERE.count)) for history in (HISTORY, other))
    torch.testing.assert_close(before[[1, 2, 3]], after[[1, 2, 3]])
    assert (before[0] - after[0]).abs().max() > 1e-3


def test_text_alone_does_not_read_the_language_model() -> None:
    made, student = head(states=False), torch.randn(4, 6)
    torch.nn.init.normal_(made.query.weight)
    assert torch.equal(made.users(student, torch.randn(4, 16), WHERE), made.users(student, torch.randn(4, 16), WHERE))


def test_dropout_is_off_in_evaluation() -> None:
    made, student, states = head(dropout=0.5), torch.randn(4, 6), torch.randn(4, 16)
    torch.nn.init.normal_(made.query.weight)
    assert torch.equal(made.users(student, states, WHERE), made.users(student, states, WHERE))
    made.train()
    assert not torch.equal(made.users(student, states, WHERE), made.users(student, states, WHERE))


def test_the_vectors_of_text_have_mean_zero_and_variance_one() -> None:
    text = head().text
    torch.testing.assert_close(text[1:].mean(dim=0), torch.zeros(7), atol=1e-6, rtol=0)
    torch.testing.assert_close(text[1:].var(dim=0, correction=0), torch.ones(7))
    assert (text[0] == 0).all()
