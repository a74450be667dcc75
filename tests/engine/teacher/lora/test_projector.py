"""Item vectors in the slots of a prompt."""

import torch

from engine.teacher.lora.projector import Projector, inject


def test_slots_start_at_their_tokens_own_embedding() -> None:
    projector, embedding = Projector(6, 16), torch.randn(16)
    projector.start_at(embedding)
    torch.testing.assert_close(projector(torch.randn(4, 6)), embedding.expand(4, 16))


def test_only_the_slots_embeddings_are_replaced() -> None:
    embeddings, vectors = torch.randn(2, 4, 3), torch.randn(2, 3)
    found = inject(embeddings, torch.tensor([1, 6]), vectors)
    assert torch.equal(found[0, 1], vectors[0]) and torch.equal(found[1, 2], vectors[1])
    kept = torch.ones(2, 4, dtype=torch.bool)
    kept[0, 1] = kept[1, 2] = False
    assert torch.equal(found[kept], embeddings[kept])
