"""Pre-training of a small Llama on the corpus.

Letters: B texts, T tokens, N tokens with a target.
"""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone.corpus import NO_TARGET, Corpus, targets
from engine.backbone.pieces import Ints
from engine.backbone.slots import Vocabulary
from engine.config.settings.backbone import ScratchSettings
from engine.training.optimizer import adamw
from engine.training.processes import Processes

TEXTS_AT_ONCE = 64  # held-out histories measured together


def new_model(settings: ScratchSettings, tokenizer: Any) -> Any:
    """A Llama with random weights and one table for reading and writing tokens."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.feedforward,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=max(2048, settings.context),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def groups(model: Any) -> dict[str, list[nn.Parameter]]:
    """Parameters by the stage table's groups; the output reads the embedding's table."""
    body = model.model
    return {
        "embedding": list(body.embed_tokens.parameters()),
        "blocks": list(body.layers.parameters()),
        "output": list(body.norm.parameters()),
    }


class PretrainModule(pl.LightningModule):
    """The Lightning module: one step is one batch of texts, of which each of several processes computes a part."""

    def __init__(
        self,
        model: Any,
        settings: ScratchSettings,
        corpus: Corpus,
        vocabulary: Vocabulary,
        processes: Processes | None = None,
    ) -> None:
        super().__init__()
        self.model, self.settings, self.corpus, self.vocabulary = model, settings, corpus, vocabulary
        self.processes = processes or Processes()

    def training_step(self, step: int, index: int) -> Tensor:
        """Mean loss over the tokens of the whole batch; with several processes the mean of theirs is that."""
        tokens, count = self.corpus(step), self.processes.count
        whole = int((targets(tokens, self.vocabulary.padding) != NO_TARGET).sum())
        own = tokens[self.processes.rank :: count]
        if not len(own):  # fewer texts than processes: every parameter gets a gradient all the same
            return 0.0 * self.losses(tokens[:1]).sum()
        longest = int((own != self.vocabulary.padding).sum(axis=1).max())
        return self.losses(own[:, :longest]).sum() / (whole / count)

    def losses(self, tokens: Ints, counted: Ints | None = None) -> Tensor:
        """-log p of each next token [N], of those that are ``counted`` [B, T - 1] only."""
        wanted = targets(tokens, self.vocabulary.padding)
        if counted is not None:
            wanted[~counted.astype(bool)] = NO_TARGET
        ids, labels = (torch.from_numpy(table).to(self.device) for table in (tokens[:, :-1], wanted))
        states = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        real = labels != NO_TARGET
        return F.cross_entropy(self.model.lm_head(states[real]).float(), labels[real], reduction="none")

    @torch.no_grad()
    def held_out(self, tick: Callable[[int, int], None]) -> dict[str, float]:
        """Mean loss of a title's token over held-out histories, and over the first title of each, which has no history.

        Slots and commas do not count: they are certain. A model that uses the history has a smaller first loss.
        """
        users, sums = self.corpus.held_out, torch.zeros(4, dtype=torch.float64)
        for number, start in enumerate(range(0, len(users), TEXTS_AT_ONCE)):
            if not self.processes.owns(number):
                continue
            tokens = self.corpus.histories(users[start : start + TEXTS_AT_ONCE])
            following = tokens[:, 1:]
            slots = tokens == self.vocabulary.history_slot
            titles = (following != self.vocabulary.padding) & ~slots[:, 1:] & ~slots[:, :-1]
            first = titles & (slots.cumsum(axis=1)[:, :-1] == 0)
            for index, counted in ((0, titles & ~first), (2, first)):
                losses = self.losses(tokens, counted)
                sums[index] += losses.double().sum().cpu()
                sums[index + 1] += len(losses)
            tick(min(start + TEXTS_AT_ONCE, len(users)), len(users))
        sums = self.processes.total(sums)
        return {
            "val_loss": float(sums[0] / sums[1].clamp(min=1)),
            "val_loss_without_history": float(sums[2] / sums[3].clamp(min=1)),
        }

    def configure_optimizers(self) -> Any:
        return adamw(self.model.parameters(), self.settings.learning_rate, self.settings.weight_decay, 0.98)
