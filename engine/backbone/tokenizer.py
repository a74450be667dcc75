"""A byte-level BPE tokenizer made of the catalogue's own text."""

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.backbone.slots import PADDING_TOKEN, SPECIALS

BEGIN, END = "<s>", "</s>"


def train_tokenizer(texts: Iterable[str], size: int) -> Any:
    """At most ``size`` tokens, the 256 bytes and the extra ones included; every text can be encoded and comes back."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BEGIN, END, *SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((" " + text for text in texts), trainer)  # a title follows a blank in every prompt
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=made,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PADDING_TOKEN,
        clean_up_tokenization_spaces=False,
    )
