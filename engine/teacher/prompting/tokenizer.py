"""Prompts as token ids: every title is tokenised once, a batch of prompts is assembled by copying stretches of ids.

Text is split at titles and slots, so a prompt's ids are those of its pieces, one after the other.
Letters: B prompts, L history items, C candidates, M pieces of a prompt, T tokens of the longest prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.backbone.pieces import Ints, Pieces
from engine.backbone.slots import SEPARATOR, Vocabulary
from engine.data.ids import PADDING
from engine.errors import ConfigError
from engine.teacher.prompting.prompts import CANDIDATES, END, HISTORY, item_name, pieces

EMPTY, COMMA, BEGIN, STOP, HISTORY_PIECE, CANDIDATE_PIECE, PLAIN_PIECE, TITLES = range(8)  # piece of item i: TITLES + i
NO_LABEL = -100


@dataclass(frozen=True)
class Prompts:
    """A batch of prompts. ``items`` names the item whose vector replaces a slot's embedding, and is 0 elsewhere."""

    ids: Ints  # [B, T] token ids
    mask: Ints  # [B, T] 1 at real tokens
    items: Ints  # [B, T] item ids at the slots
    labels: Ints  # [B, T] token ids of the answer, -100 elsewhere
    length: Ints  # [B] real tokens
    history: Ints  # [B, L] the part of the history that fits, padding in place of older items

    @property
    def padding_share(self) -> float:
        """Share of the tokens that are padding."""
        return float(1 - self.mask.mean()) if self.mask.size else 0.0


class PromptTokenizer:
    """The token ids of all titles and of the texts around them.

    ``longest_title`` limits a title's tokens, ``longest`` a prompt's: the oldest history items are left out, never a
    slot. With ``second_begin`` an answer begins with the token that begins every text, as in the released program.
    """

    def __init__(
        self,
        titles: Sequence[str],
        vocabulary: Vocabulary,
        longest: int,
        longest_title: int,
        second_begin: bool = False,
    ) -> None:
        """``titles`` holds the title of every item id; the padding's is ignored."""
        self.vocabulary, self.longest = vocabulary, longest
        self._before = BEGIN if second_begin else EMPTY  # an answer's title
        encode = vocabulary.encode
        names = [vocabulary.space + item_name(title, item) for item, title in enumerate(titles) if item != PADDING]
        self.stop = encode([END])[0][-1]  # a tokenizer that marks word beginnings puts its mark before the newline
        fixed = {
            COMMA: encode([SEPARATOR.strip()])[0],
            BEGIN: [] if vocabulary.begin is None else [vocabulary.begin],
            STOP: [self.stop],
            HISTORY_PIECE: [vocabulary.history_slot],
            CANDIDATE_PIECE: [vocabulary.candidate_slot],
            PLAIN_PIECE: [vocabulary.plain_slot],
        }
        self._pieces = [fixed.get(piece, []) for piece in range(TITLES)] + [[]]  # the padding's title is empty
        self._pieces += [ids[:longest_title] for ids in encode(names)]
        self.comma = len(fixed[COMMA])  # tokens between a slot and the next title
        self._texts: dict[str, int] = {}
        self._packed = Pieces(self._pieces)

    def assemble(
        self,
        template: str,
        history: Ints,  # [B, L] item ids, oldest first, padding anywhere
        candidates: Ints | None = None,  # [B, C]
        answers: Ints | None = None,  # [B] item ids
        slots: bool = True,
        left: bool = False,
    ) -> Prompts:
        """One prompt per row, padded on the right, or on the ``left`` for generation; with an answer, its labels."""
        blocks = self._blocks(template, history, candidates, answers, slots)
        history, blocks = self._shorten(history, blocks, slots)
        parts = np.concatenate([part for _, part, _ in blocks], axis=1)  # [B, M]
        owners = np.concatenate([owner for _, _, owner in blocks], axis=1)
        answered = np.concatenate([np.full(part.shape, kind == "answer") for kind, part, _ in blocks], axis=1)
        copied = self._packed.rows(parts)
        row, length = copied.row, copied.length
        width = int(length.max(initial=0))
        column = copied.column + (width - length[row] if left else 0)
        per_piece = self._packed.length[parts].reshape(-1)
        shape = (len(length), width)
        ids, mask, items = np.full(shape, self.vocabulary.padding), np.zeros(shape, int), np.full(shape, PADDING)
        labels = np.full(shape, NO_LABEL)
        ids[row, column], mask[row, column] = copied.tokens, 1
        items[row, column] = np.repeat(owners.reshape(-1), per_piece)
        labels[row, column] = np.where(np.repeat(answered.reshape(-1), per_piece), copied.tokens, NO_LABEL)
        return Prompts(ids, mask, items, labels, length, history)

    def lengths(
        self, template: str, history: Ints, candidates: Ints | None = None, answers: Ints | None = None
    ) -> Ints:  # -> [B]
        """The real tokens of each prompt that ``assemble`` makes of the same."""
        _, blocks = self._shorten(history, self._blocks(template, history, candidates, answers, True), True)
        found: Ints = sum(self._packed.length[part].sum(axis=1) for _, part, _ in blocks)
        return found

    def answers(self, items: Ints) -> tuple[Ints, Ints]:  # [N] -> [N, A] token ids padded on the right, [N] lengths
        """The answer for each item: its title and the token that ends it."""
        packed = self._packed.rows(self._answer_pieces(items))
        return packed.padded(self.vocabulary.padding), packed.length

    def _answer_pieces(self, items: Ints) -> Ints:  # [N] -> [N, 3] pieces
        return np.stack([np.full(len(items), self._before), TITLES + items, np.full(len(items), STOP)], axis=1)

    def _blocks(
        self, template: str, history: Ints, candidates: Ints | None, answers: Ints | None, slots: bool
    ) -> list[tuple[str, Ints, Ints]]:
        """(kind, pieces [B, m], owner of each slot [B, m]) for every stretch of the prompt."""
        rows = len(history)
        found = [self._alone("text", BEGIN, rows)]
        for piece in pieces(template):
            if piece == HISTORY:
                found.append(("history", *self._listed(history, HISTORY_PIECE if slots else PLAIN_PIECE, slots)))
            elif piece == CANDIDATES and candidates is not None:
                found.append(("text", *self._listed(candidates, CANDIDATE_PIECE if slots else PLAIN_PIECE, slots)))
            else:
                found.append(self._alone("text", self._text(piece), rows))
        if answers is not None:
            part = self._answer_pieces(answers)
            found.append(("answer", part, np.full(part.shape, PADDING)))
        return found

    def _listed(self, items: Ints, slot: int, slots: bool) -> tuple[Ints, Ints]:
        """comma, title, slot of every item [B, 3 L]; empty pieces where there is none and before the first."""
        real = items != PADDING
        first = real & (real.cumsum(axis=1) == 1)
        comma = np.where(real & ~first, COMMA, EMPTY)
        parts = np.stack([comma, np.where(real, TITLES + items, EMPTY), np.where(real, slot, EMPTY)], axis=2)
        owners = np.zeros_like(parts)
        owners[:, :, 2] = items if slots else PADDING
        shape = (len(items), -1)
        return parts.reshape(shape), owners.reshape(shape)

    def _shorten(
        self, history: Ints, blocks: list[tuple[str, Ints, Ints]], slots: bool
    ) -> tuple[Ints, list[tuple[str, Ints, Ints]]]:
        """Leaves out the oldest items until the prompt fits."""
        taken = sum(self._packed.length[part].sum(axis=1) for kind, part, _ in blocks if kind != "history")
        room = self.longest - np.asarray(taken)  # [B]
        cost = np.where(history != PADDING, self._packed.length[TITLES + history] + 1 + self._packed.length[COMMA], 0)
        newest_first = cost[:, ::-1].cumsum(axis=1)[:, ::-1] - self._packed.length[COMMA]  # the first item has no comma
        kept = np.where(newest_first <= room[:, None], history, PADDING)
        if (room < 0).any() or ((history != PADDING).any(axis=1) & (kept == PADDING).all(axis=1)).any():
            raise ConfigError(
                f"the prompt does not fit into {self.longest} tokens with even one title of the history",
                location="teacher.context",
                remedy="Raise teacher.context, lower teacher.title_tokens, or use a shorter template.",
            )
        if (kept == history).all():
            return history, blocks
        slot = HISTORY_PIECE if slots else PLAIN_PIECE
        return kept, [
            (kind, *self._listed(kept, slot, slots)) if kind == "history" else (kind, part, owner)
            for kind, part, owner in blocks
        ]

    def _alone(self, kind: str, piece: int, rows: int) -> tuple[str, Ints, Ints]:
        return kind, np.full((rows, 1), piece), np.full((rows, 1), PADDING)

    def _text(self, text: str) -> int:
        """The piece of a template's text, tokenised once."""
        if text not in self._texts:
            words = (self.vocabulary.space if text.startswith(" ") else "") + text.strip()
            self._pieces.append(self.vocabulary.encode([words])[0] if text.strip() else [])
            self._texts[text] = len(self._pieces) - 1
            self._packed = Pieces(self._pieces)
        return self._texts[text]
