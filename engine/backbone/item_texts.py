"""The text of every item, and its vector by the model that the settings name.

Letters: m texts, H' width of the model.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.backbone import language
from engine.backbone.sentence_encoder import SentenceEncoder
from engine.backbone.text_vectors import text_vectors
from engine.config.settings.backbone import BackboneSettings
from engine.data import catalogue
from engine.training.processes import Processes


def item_texts(settings: BackboneSettings, items: Path) -> list[str]:  # -> [n + 1]
    """What is read of every item of the catalogue; '' for the padding."""
    titles = catalogue.titles(items)
    if settings.text == "title":
        return titles
    return [f"{title}. {text}" if text else title for title, text in zip(titles, catalogue.texts(items), strict=True)]


def vectors_of(
    texts: Sequence[str],  # [m], the first one is not read: the padding's
    settings: BackboneSettings,
    device: str,
    language_model: Callable[[], tuple[Any, Any]],
    done: Callable[[int], None],
    processes: Processes | None = None,
) -> Tensor:  # [m, H'] float32, row 0 zero
    """Vectors of the sentence encoder, or without one of the language model; before they are reduced.

    ``language_model`` gives the model and its tokenizer, and is called where they are needed. ``done`` receives the
    number of texts read. Each of several ``processes`` reads some of the texts and gets the vectors of all.
    """
    if settings.text_model is not None:
        encoder = SentenceEncoder.read(settings.text_model, device)
        return encoder.vectors(texts, settings.text_tokens, settings.batch_tokens, done, processes)
    model, tokenizer = language_model()
    return text_vectors(
        model,
        language.vocabulary(tokenizer),
        texts,
        settings.pooling,
        min(settings.text_tokens, language.context(model)),
        settings.batch_tokens,
        done,
        processes,
    )
