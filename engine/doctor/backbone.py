"""Checks of the items' text vectors: each belongs to its item. Letters: n items, C chosen items, H width."""

from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from engine.backbone import language
from engine.backbone.item_texts import item_texts, vectors_of
from engine.backbone.whitening import Reduction
from engine.data import ids
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
    settings, tensors = case.config.backbone, load_file(case.artifact(TEXT_VECTORS))
    stored, reduction = tensors["vectors"].float(), Reduction.stored(tensors)
    if len(stored) != ids.rows(case.items):
        return failed(f"{len(stored)} vectors for {case.items} items and the padding")
    if not torch.isfinite(stored).all() or stored[ids.PADDING].any():
        return failed("the padding has a vector, or a vector has entries that are no numbers")
    if reduction is None and (settings.whiten or settings.dimension is not None):
        raise Unavailable("made by an earlier version, which did not keep how the vectors were reduced")
    texts = item_texts(settings, case.artifact(ITEMS))
    if len(set(texts[1:])) < 2:
        raise Unavailable("all items have the same text")

    def language_model() -> tuple[Any, Any]:
        return language.load(case.artifact(LANGUAGE_MODEL), settings.precision, settings.quantise, case.device)

    chosen = 1 + np.sort(np.random.default_rng(SEED).permutation(case.items)[:CHOSEN])
    some = ["", *(texts[item] for item in chosen)]
    read = vectors_of(some, settings, case.device, language_model, lambda done: None)[1:]
    read = read if reduction is None else reduction(read)
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
