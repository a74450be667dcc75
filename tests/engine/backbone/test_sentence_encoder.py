"""Vectors of a sentence encoder: pooled as its own files say, whatever the batch."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backbone.sentence_encoder import SentenceEncoder
from engine.errors import UserError
from tests.fixtures.encoders import NORMALISE, POOLING, TEXTS, TRANSFORMER, encoder


def vectors(folder: Path | str, batch_tokens: int = 1000, longest: int = 64) -> Tensor:
    found: Tensor = SentenceEncoder.read(str(folder), "cpu").vectors(TEXTS, longest, batch_tokens, lambda done: None)
    return found


def one_by_one(folder: Path) -> list[Tensor]:
    """States [T, H'] of each text but the padding's, read alone."""
    read = SentenceEncoder.read(str(folder), "cpu")
    return [read.model(**read.tokenizer(text, return_tensors="pt")).last_hidden_state[0].detach() for text in TEXTS[1:]]


@pytest.mark.parametrize("batch_tokens", [8, 1000])
def test_without_further_files_a_vector_is_the_mean_of_its_tokens_states(tmp_path: Path, batch_tokens: int) -> None:
    found = vectors(encoder(tmp_path), batch_tokens)
    expected = torch.stack([states.mean(0) for states in one_by_one(tmp_path)])
    torch.testing.assert_close(found[1:], expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(found[0], torch.zeros(16))


def test_the_first_token_and_length_one_where_the_files_say_so(tmp_path: Path) -> None:
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    found = vectors(encoder(tmp_path, [TRANSFORMER, POOLING, NORMALISE], pooling))
    expected = torch.stack([F.normalize(states[0], dim=0) for states in one_by_one(tmp_path)])
    torch.testing.assert_close(found[1:], expected, atol=1e-5, rtol=1e-4)


def test_no_more_tokens_are_read_than_the_encoder_says(tmp_path: Path) -> None:
    folder = encoder(tmp_path)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 2}')
    short = SentenceEncoder.read(str(folder), "cpu")
    assert short.longest == 2
    torch.testing.assert_close(
        short.vectors(TEXTS, 64, 1000, lambda done: None), vectors(folder, longest=2), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("modules", "pooling"),
    [
        (None, {"pooling_mode_max_tokens": True}),
        (None, {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}),
        ([TRANSFORMER, POOLING, {"type": "sentence_transformers.models.Dense"}], None),
    ],
)
def test_another_pooling_is_refused_instead_of_replaced(tmp_path: Path, modules: Any, pooling: Any) -> None:
    with pytest.raises(UserError, match="not supported"):
        vectors(encoder(tmp_path, modules, pooling))


def test_a_folder_without_an_encoder_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=r"no sentence encoder can be read \([^\n]+\)") as found:
        vectors(tmp_path)
    assert found.value.location == str(tmp_path)


def test_an_encoder_that_a_package_holds_is_that_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = encoder(tmp_path / "folder")
    package = tmp_path / "site" / "tiny_encoder"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    with zipfile.ZipFile(package / "model.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert torch.equal(vectors("package:tiny_encoder"), vectors(folder))
    sys.modules.pop("tiny_encoder", None)
    with pytest.raises(UserError, match="no_such_encoder is not installed"):
        vectors("package:no_such_encoder")
