"""Checks of the language model's vectors: each belongs to its item. Letters: n items, C chosen items, H width."""

import numpy as np
import torch
from safetensors.torch import load_file

from engine.backbone import language
from engine.backbone.text_vectors import text_vectors
from engine.data import catalogue, ids
from engine.doctor.case import Case
from engine.doctor.check import Outcome, Unavailable, check, failed, without
from engine.stages import ITEMS, LANGUAGE_MODEL, TEXT_VECTORS

CHOSEN, SEED = 24, 1  # items whose texts are read again
NEARER = 2.0  # ratio of distances from which another item's vector is the one of a text
ROUNDING = 1e-3  # of a vector's length


@check(
    "text-vectors",
    "backbone",
    detects="text vectors that belong to other items: a table that is permuted or shifted",
    cause="rows of the table are not in the order of the ids: it was made from other items, or is shifted or permuted",
    remedy="Make it again: engine run backbone --again; row i is item i's, row 0 the padding's.",
)
def text_vectors_fit(case: Case) -> Outcome:
    """An item's text, read again, has that item's vector."""
    settings, stored = case.config.backbone, load_file(case.artifact(TEXT_VECTORS))["vectors"].float()
    if len(stored) != ids.rows(case.items):
        return failed(f"{len(stored)} vectors for {case.items} items and the padding")
    if not torch.isfinite(stored).all() or stored[ids.PADDING].any():
        return failed("the padding has a vector, or a vector has entries that are no numbers")
    texts = case.titles
    if settings.text == "title-and-text":
        more = catalogue.texts(case.artifact(ITEMS))
        texts = [f"{title}. {text}" if text else title for title, text in zip(texts, more, strict=True)]
    if len(set(texts[1:])) < 2:
        raise Unavailable("all items have the same text")
    path = case.artifact(LANGUAGE_MODEL)
    model, tokenizer = language.load(path, settings.precision, settings.quantise, case.device)
    chosen = 1 + np.sort(np.random.default_rng(SEED).permutation(case.items)[:CHOSEN])
    read = text_vectors(
        model,
        language.vocabulary(tokenizer),
        ["", *(texts[item] for item in chosen)],
        settings.pooling,
        min(settings.text_tokens, language.context(model)),
        settings.batch_tokens,
        lambda done: None,
    )[1:].float()
    distances = torch.cdist(read, stored)  # [C, n + 1]
    distances[:, ids.PADDING] = torch.inf
    faults = []
    for row, item in enumerate(chosen.tolist()):
        own = float(distances[row, item])
        nearest = int(distances[row].argmin())
        level = NEARER * float(distances[row, nearest]) + ROUNDING * float(read[row].norm())
        if own > level and texts[nearest] != texts[item]:
            faults.append(f"the text of {case.titled([item])} has the vector of {case.titled([nearest])}")
    count = f"{len(faults)} of {len(chosen)} texts: " if len(faults) > 1 else ""
    return without(
        [count + faults[0]] if faults else [], f"{len(chosen)} texts, read again, have the vectors of their items"
    )
