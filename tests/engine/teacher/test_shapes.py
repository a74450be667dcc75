"""Packed batches take few shapes with little padding, on generated and on real histories."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import config
from engine.backbone import language
from engine.backbone.pieces import Ints
from engine.backbone.tokenizer import train_tokenizer
from engine.data import demo
from engine.data.prepare import prepare
from engine.data.readers import read
from engine.data.sources import find
from engine.data.stretches import histories
from engine.teacher.objectives.rank import SpanSampler
from engine.teacher.prompting.spans import PromptSpans, training_spans
from engine.teacher.prompting.tokenizer import PromptTokenizer
from engine.teacher.shapes import FewShapes, OneShape, token_batches

DATA = os.environ.get("ENGINE_TEST_DATA")
REAL = [pytest.mark.real, pytest.mark.skipif(not DATA, reason="ENGINE_TEST_DATA does not name the data sets")]
SETS: dict[str, list[str]] = {"demo": [], "ml-100k": ["data=ml-100k"], "toys": ["data=amazon-toys"]}
FOLDERS = {"ml-100k": "ml-100k", "toys": "amazon-toys-2014"}
FIELDS, AT_ONCE = ("start", "stop", "count"), 4096


def epoch(name: str) -> tuple[list[Ints], int]:
    """The lengths of the prompts of every step of the default teacher's second epoch, and its longest prompt."""
    path = f"{DATA}/{FOLDERS[name]}" if name in FOLDERS else ""
    settings = config.load([*SETS[name], *([f"data.path={path}"] if path else [])])
    teacher, world = settings.teacher, settings.data.world
    found = demo.generate(world)[0] if world is not None else read(settings.data, find(settings.data, Path(path)))
    prepared = prepare(settings.data, found)
    sequences, titles = histories(prepared.trained), ["", *prepared.items["title"].to_pylist()]
    tokenizer = train_tokenizer([title for title in titles if title], 1500)
    assert teacher.rank is not None
    targets = teacher.rank.targets
    prompts = PromptTokenizer(titles, language.vocabulary(tokenizer), teacher.context, teacher.title_tokens)

    def cut(draw: np.random.Generator) -> PromptSpans:
        return training_spans(sequences, teacher.history, targets, draw.integers(0, targets, len(sequences)))

    sampler = SpanSampler(cut, teacher.batch, teacher.seed)
    whole = [sampler(step) for step in range(sampler.per_epoch, 2 * sampler.per_epoch)]
    first = np.cumsum([0, *(len(spans) for spans in whole)])
    spans = PromptSpans(sequences.items, *(np.concatenate([getattr(part, name) for part in whole]) for name in FIELDS))
    lengths = [
        prompts.lengths(teacher.templates[0], spans.some(slice(start, start + AT_ONCE)).history)
        for start in range(0, len(spans), AT_ONCE)
    ]
    return np.split(np.concatenate(lengths), first[1:-1]), teacher.context


@pytest.mark.parametrize("name", ["demo", pytest.param("ml-100k", marks=REAL), pytest.param("toys", marks=REAL)])
def test_an_epoch_has_at_most_6_shapes_and_a_tenth_of_padding(name: str) -> None:
    batches, longest = epoch(name)
    few = FewShapes(batches[: len(batches) // 2], longest, "cpu")
    packings = [few(length) for length in batches]
    real, tokens = sum(int(length.sum()) for length in batches), sum(len(made.prompt) for made in packings)
    shapes = {made.shape for made in packings}
    print(f"{name}: {len(shapes)} shapes, {1 - real / tokens:.3f} padding, sizes {few.sizes}")
    assert len(shapes) <= 6, shapes
    assert real / tokens >= 0.9


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 2**31))
def test_prompts_of_any_length_fit_and_few_sizes_serve_batches_like_those_looked_at(
    likes: list[int], seed: int
) -> None:
    few = FewShapes([np.asarray(likes)], 100, "cpu")
    assert few(np.asarray(likes)).shape[0] == few.sizes[-1]
    others = np.random.default_rng(seed).integers(1, 101, 12)
    made = few(others)
    assert len(made.prompt) > others.sum() and made.grids[0][1] > others.max()


def test_one_shape_holds_fewer_prompts_as_empty_ones() -> None:
    one = OneShape(tokens=100, prompts=8, longest=30, device="cpu")
    assert one(np.array([30, 30, 30])).shape == one(np.array([5, 5, 5, 5, 5, 5, 5, 5])).shape


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 300))
def test_token_batches_hold_every_prompt_once_within_their_tokens(lengths: list[int], tokens: int) -> None:
    length = np.asarray(lengths, dtype=np.int64)
    batches = list(token_batches(length, tokens, "cpu"))
    assert sorted(index for chosen, _ in batches for index in chosen) == list(range(len(length)))
    assert all(length[chosen].sum() <= tokens or len(chosen) == 1 for chosen, _ in batches)
    shapes = {one(length[chosen]).shape for chosen, one in batches}
    assert len(shapes) <= 4  # prompts of up to 16, 32, 64 and 128 tokens
