"""Text vectors of a sentence encoder, a model that was trained for similarity of texts.

Its own files say how tokens are pooled (as the library sentence-transformers writes them): modules.json,
1_Pooling/config.json, sentence_bert_config.json. Without them: the mean of all tokens' states.

Letters: n items, B texts of a batch, T tokens, H' width of the encoder.
"""

import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

from engine.backbone import hub
from engine.backbone.language import REASON
from engine.backbone.model_files import ENCODERS, PACKAGE, encoder_folder, of_sentence_encoder
from engine.backbone.pieces import Ints
from engine.backbone.text_vectors import batches, shared
from engine.errors import UserError
from engine.training.processes import Processes

POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}


@dataclass(frozen=True)
class SentenceEncoder:
    """A frozen encoder and how its states become one vector."""

    model: Any
    tokenizer: Any
    pooling: str  # mean, first
    normalise: bool  # to length 1
    longest: int  # tokens

    @classmethod
    def read(cls, name: str, device: str) -> "SentenceEncoder":
        """``name``: a folder, ``owner/name`` of the hub, or ``package:NAME``. UserError where it cannot be read."""
        found = of_sentence_encoder(name)
        if name.startswith(PACKAGE):
            with tempfile.TemporaryDirectory() as unpacked:
                _unpack(found[0], Path(unpacked))
                return cls._of(Path(unpacked), device)
        return cls._of(encoder_folder(name) or hub.fetch(name, None, "backbone.text_model")[0], device)

    @classmethod
    def _of(cls, folder: Path, device: str) -> "SentenceEncoder":
        pooling, normalise, longest = _declared(folder)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
            raise UserError(
                f"no sentence encoder can be read ({shorten(str(error), REASON)})",
                location=str(folder),
                remedy=ENCODERS,
            ) from error
        context = getattr(model.config, "max_position_embeddings", None) or 512
        limit = min(longest or context, context)
        return cls(model.eval().requires_grad_(False).to(device), tokenizer, pooling, normalise, limit)

    @torch.no_grad()
    def vectors(
        self,
        texts: Sequence[str],
        longest: int,
        batch_tokens: int,
        done: Callable[[int], None],
        processes: Processes | None = None,
    ) -> Tensor:  # [n + 1, H'] float32
        """One vector per text, row 0 (the padding's) zero. ``longest``: tokens that are read at most.

        Each of several ``processes`` reads some of the batches and gets the vectors of all.
        """
        limit = min(longest, self.longest)
        ids = self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        lengths = torch.tensor([len(row) for row in ids]).numpy()
        device, width = self.model.device, self.model.config.hidden_size

        def pooled(chosen: Ints) -> Tensor:  # [B] -> [B, H']
            padded = self.tokenizer.pad({"input_ids": [ids[index] for index in chosen]}, return_tensors="pt").to(device)
            states = self.model(**padded).last_hidden_state.float()  # [B, T, H']
            real = padded["attention_mask"][:, :, None].float()
            found = states[:, 0] if self.pooling == "first" else (states * real).sum(1) / real.sum(1).clamp(min=1)
            return F.normalize(found, dim=1) if self.normalise else found

        chosen = batches(lengths, batch_tokens)
        return shared(pooled, chosen, len(texts), width, done, processes or Processes())


def _declared(folder: Path) -> tuple[str, bool, int | None]:
    """Pooling, normalisation and longest input that the encoder's own files declare."""

    def read(name: str) -> Any:
        file = folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    modules = read("modules.json") or []
    unknown = [str(one["type"]) for one in modules if not one["type"].endswith(("Transformer", "Pooling", "Normalize"))]
    settings = read("1_Pooling/config.json") or {"pooling_mode_mean_tokens": True}
    chosen = [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
    if unknown or len(chosen) != 1 or chosen[0] not in POOLINGS:
        raise UserError(
            f"this sentence encoder pools its tokens in a way that is not supported ({', '.join(unknown or chosen)})",
            location=str(folder),
            remedy="Take one that uses the mean of its tokens or the first of them.",
        )
    normalise = any(one["type"].endswith("Normalize") for one in modules)
    return POOLINGS[chosen[0]], normalise, (read("sentence_bert_config.json") or {}).get("max_seq_length")


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"the sentence encoder in this Python package cannot be unpacked ({error})",
            location=str(archive),
            remedy="Install the package again, or name a folder or a model of the hub.",
        ) from error
