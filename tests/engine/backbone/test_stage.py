"""The backbone stage: what it writes from which source, and that several processes share the work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.backbone import hub, language, stage
from engine.backbone.text_vectors import text_vectors
from engine.data import catalogue
from engine.runs.read_only import ReadOnlyRun
from engine.runs.reader import history
from engine.runs.run import Run
from engine.runs.schema import CONTROL, STOP, Summary
from engine.stages import ITEMS, LANGUAGE_MODEL, TEXT_VECTORS
from tests.fixtures.processes import run_in_processes, together


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any]) -> Any:
    return new_chain()


def weights(chain: Any, name: str) -> dict[str, torch.Tensor]:
    return load_file(chain.made(name, LANGUAGE_MODEL) / "model.safetensors")


def vectors(chain: Any, name: str) -> torch.Tensor:
    return load_file(chain.made(name, TEXT_VECTORS))["vectors"]


def test_the_text_vectors_are_those_of_the_model_that_it_wrote(chain: Any) -> None:
    model, tokenizer = language.load(chain.made("backbone", LANGUAGE_MODEL), "32-true", "none", "cpu")
    titles = catalogue.titles(chain.made("data", ITEMS))
    own = text_vectors(model, language.vocabulary(tokenizer), titles, "tokens", 64, 10**6, lambda done: None)
    torch.testing.assert_close(vectors(chain, "backbone"), own, rtol=1e-5, atol=1e-6)
    facts = Summary.read(chain.runs / "backbone").facts
    assert (facts["items"], facts["width"], facts["vocabulary"]) == (80, own.shape[1], len(tokenizer))


def test_the_texts_of_items_are_read_behind_their_titles_where_that_is_asked(chain: Any) -> None:
    words = ["backbone=path", f"backbone.name={chain.made('backbone', LANGUAGE_MODEL)}"]
    chain.perform("backbone", "titles", words)
    chain.perform("backbone", "both", [*words, "backbone.text=title-and-text"])
    texts = np.array(catalogue.texts(chain.made("data", ITEMS)))
    changed = (vectors(chain, "titles") != vectors(chain, "both")).any(dim=1).numpy()
    assert (changed == (texts != "")).all() and changed.any()


def test_the_smallest_held_out_loss_of_pre_training_is_the_best(chain: Any) -> None:
    words = ["backbone.scratch.evaluate_every=1", "backbone.scratch.learning_rate=10.0", "backbone.scratch.warmup=4"]
    folder = chain.perform("backbone", "diverging", words)
    losses = [evaluation.values["val_loss"] for evaluation in history(folder).evaluations]
    assert Summary.read(folder).facts["best"]["val_loss"] == min(losses) < losses[-1]


def test_a_model_that_is_not_copied_is_referred_to(chain: Any) -> None:
    source = chain.made("backbone", LANGUAGE_MODEL)
    folder = chain.perform("backbone", "referred", ["backbone=path", f"backbone.name={source}", "backbone.copy=false"])
    assert [file.name for file in chain.made("referred", LANGUAGE_MODEL).iterdir()] == [language.SOURCE]
    assert torch.equal(vectors(chain, "referred"), vectors(chain, "titles"))
    assert Summary.read(folder).facts["source"] == str(source)


SHARED = ["backbone.batch_tokens=64", "backbone.scratch.evaluate_every=2", "backbone.scratch.held_out=0.9"]


def test_two_processes_pre_train_what_one_does_also_after_a_stop(chain: Any) -> None:
    chain.perform("backbone", "alone", SHARED)
    settings, folder = chain.start("backbone", "shared", SHARED)
    (folder / CONTROL).mkdir()
    (folder / CONTROL / STOP).touch()
    run_in_processes(settings, folder, status=143)
    assert Summary.read(folder).step == 1 and not chain.made("shared", LANGUAGE_MODEL).exists()
    (folder / CONTROL / STOP).unlink()
    run_in_processes(settings, folder)
    one, other = (history(chain.runs / name).evaluations for name in ("alone", "shared"))
    assert [found.step for found in one] == [found.step for found in other] == [2, 4]
    for found, again in zip(one, other, strict=True):
        assert again.values == pytest.approx(found.values, rel=1e-5)
    own = weights(chain, "alone")
    for name, value in weights(chain, "shared").items():
        torch.testing.assert_close(value, own[name], rtol=2e-3, atol=2e-5, msg=lambda text, name=name: name + text)
    torch.testing.assert_close(vectors(chain, "shared"), vectors(chain, "alone"), rtol=2e-3, atol=2e-5)


def test_one_of_several_processes_asks_the_hub_and_all_read_what_it_found(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, fetched, opened = chain.made("backbone", LANGUAGE_MODEL), list[str](), list[str]()
    settings, folder = chain.start("backbone", "hub", ["backbone=path", f"backbone.name={source}"])
    settings.backbone.source, settings.backbone.name = "hub", "owner/name"
    model = language.load(source, "32-true", "none", "cpu")

    def fetch(name: str, revision: str | None) -> tuple[Path, str]:
        fetched.append(name)
        return source, "abc"

    def read(name: str, *rest: Any) -> tuple[Any, Any]:
        opened.append(name)
        return model

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(language, "read", read)
    readers = [Run(folder), ReadOnlyRun(folder)]
    together(lambda own: stage._read(settings, readers[own.rank], "cpu", own))
    assert fetched == ["owner/name"] and opened == [str(source)] * 2
