"""Language models and their tokenizers: read from a folder, extended with the slot tokens, saved.

This is the only package that imports transformers; it returns modules, strings and arrays.
"""

import copy
import importlib.util
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

from engine.backbone import blocks as block_stack
from engine.backbone import gguf
from engine.backbone.causal_attention import causal, without_masks
from engine.backbone.heads import check, logits
from engine.backbone.model_files import ALTERNATIVES, of_language_model
from engine.backbone.packing import Packing, pack
from engine.backbone.slots import CANDIDATE_SLOT, HISTORY_SLOT, PADDING_TOKEN, PLAIN_SLOT, SPECIALS, Vocabulary
from engine.errors import RunError, UserError
from engine.training import memory

SOURCE = "source.json"  # in a run's language model folder: where the weights lie, when they were not copied
REASON = 300  # characters of another library's message
FEW_BITS = ("bitsandbytes", "accelerate")  # what reading weights in 8 or 4 bits needs beside transformers

_logging: Any = logging
_logging.disable_progress_bar()


def vocabulary(tokenizer: Any) -> Vocabulary:
    """What prompts need of a tokenizer. Raises RunError when it lacks the extra tokens."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    if None in ids.values() or tokenizer.unk_token_id in ids.values():
        raise RunError(
            "the tokenizer lacks the tokens of the slots", remedy="Make it ready again: engine run backbone --again"
        )

    def encode(texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return found

    def decode(tokens: list[int]) -> str:
        return str(tokenizer.decode(tokens, skip_special_tokens=True))

    marks_words = tokenizer.convert_ids_to_tokens(encode(["x"])[0])[0].startswith("▁")
    return Vocabulary(
        encode,
        decode,
        space="" if marks_words else " ",
        begin=tokenizer.bos_token_id,
        padding=ids[PADDING_TOKEN],
        history_slot=ids[HISTORY_SLOT],
        candidate_slot=ids[CANDIDATE_SLOT],
        plain_slot=ids[PLAIN_SLOT],
    )


def read(source: str, dtype: torch.dtype, quantise: str, device: str, blocks: int | None = None) -> tuple[Any, Any]:
    """Model and tokenizer of a folder or GGUF file, frozen, in evaluation mode, with the extra tokens.

    ``blocks``: how many of its blocks are kept, None for all.
    """
    path = Path(source)
    of_language_model(path)
    single = gguf.options(path) if path.is_file() else {}
    folder = str(path.parent) if single else source
    bits: dict[str, Any] = {}
    if quantise != "none":
        missing = [name for name in FEW_BITS if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(
                f"weights in {quantise.removesuffix('bit')} bits need {' and '.join(missing)}, not installed here",
                location="quantise",
                remedy=f"pip install {' '.join(missing)}, or backbone.quantise=none with teacher.quantise=none.",
            )
        quantised: Any = BitsAndBytesConfig
        settings = quantised(load_in_4bit=quantise == "4bit", load_in_8bit=quantise == "8bit")
        bits = {"quantization_config": settings, "device_map": device}
    with reading(source), gguf.whole(path) if single else nullcontext():
        named = {"gguf_file": path.name} if single else {}
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **named)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=dtype, **(single or bits)
        )
    if single:
        gguf.forget_format(model)
    if blocks is not None:
        block_stack.keep_first(model, blocks, source)
    equip(model, tokenizer)
    if quantise == "none":
        model = model.to(device)
    model.eval().requires_grad_(False)
    check(model, source)
    return model, tokenizer


@contextmanager
def reading(source: str) -> Iterator[None]:
    """What fails inside of the block is a model that cannot be read: UserError with a remedy."""
    try:
        with memory.enough(lambda: _too_large(source)):
            yield
    except (OSError, ValueError, LookupError, ImportError, SafetensorError, struct.error) as error:  # of GGUF: struct
        reason = shorten(str(error), REASON) or type(error).__name__
        raise UserError(f"no language model can be read ({reason})", location=source, remedy=ALTERNATIVES) from error


def _too_large(folder: str) -> UserError:
    return UserError(
        "the language model does not fit into memory",
        location=folder,
        remedy="Try backbone.precision=bf16-mixed with teacher.precision=bf16-mixed, quantise=4bit for both, or a "
        "smaller model.",
    )


def equip(model: Any, tokenizer: Any) -> None:
    """Adds the extra tokens; their embeddings are the mean of all, the same for every reading of the same model."""
    tokenizer.add_tokens([token for token in SPECIALS if token not in tokenizer.get_vocab()], special_tokens=True)
    tokenizer.pad_token = PADDING_TOKEN
    before = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) <= before:
        return
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            if table is not None:
                table.weight[before:] = table.weight[:before].float().mean(dim=0).to(table.weight.dtype)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer to ``folder``."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def refer(weights: Path, folder: Path, blocks: int | None = None) -> None:
    """Write the path of the weights, and how many blocks are kept, instead of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {} if blocks is None else {"blocks": blocks}
    (folder / SOURCE).write_text(json.dumps({"folder": str(weights)} | kept), encoding="utf-8")


def saved(folder: Path, precision: str) -> tuple[str, torch.dtype, int | None]:
    """Where the weights lie that ``save`` or ``refer`` wrote, what they become, and how many blocks are kept.

    bf16-mixed keeps the frozen weights in bfloat16: what learns is in float32 beside them.
    """
    source = folder / SOURCE
    reference: dict[str, Any] = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {}
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    return reference.get("folder", str(folder)), dtype, reference.get("blocks")


def load(folder: Path, precision: str, quantise: str, device: str) -> tuple[Any, Any]:
    """The frozen model and the tokenizer that ``save`` or ``refer`` wrote, in evaluation mode."""
    source, dtype, blocks = saved(folder, precision)
    return read(source, dtype, quantise, device, blocks)


def states(model: Any, embeddings: Tensor, mask: Tensor | None = None, packing: Packing | None = None) -> Tensor:
    """Last hidden states [B, T, H] of input embeddings [B, T, H], without the logits.

    Prompts padded on the right need no ``mask`` [B, T]: no real token can see what stands behind it. Packed prompts
    have one row, [1, N, H] -> [1, N, H].
    """
    positions = None if mask is None else (mask.cumsum(dim=1) - 1).clamp(min=0)
    more: dict[str, Any] = {}
    if packing is not None:
        positions, more = packing.position, {"packing": packing}
    reach = embeddings.shape[1] if packing is None else max(width for _, width in packing.grids)
    with without_masks(model, reach) if mask is None else nullcontext():
        output = model.base_model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
            return_dict=True,
            **more,
        )
    hidden: Tensor = output.last_hidden_state
    return hidden


@torch.no_grad()
def packs(model: Any, longest: int) -> bool:
    """Whether prompts of up to ``longest`` tokens can be packed: two of them get the same states as one by one."""
    if not causal(model.base_model.config, longest + 1):
        return False
    table = model.get_input_embeddings().weight
    embeddings = table[torch.arange(7, device=table.device) * (len(table) // 7)][None]  # [1, 7, H]
    packing = pack(np.array([3, 4]), table.device)
    together = states(model, torch.cat([embeddings, embeddings[:, -1:]], dim=1), packing=packing)[:, :7].float()
    alone = torch.cat([states(model, part) for part in embeddings.split([3, 4], dim=1)], dim=1).float()
    return bool((together - alone).norm() <= 0.02 * alone.norm())


@torch.no_grad()
def greedy(
    model: Any, embeddings: Tensor, mask: Tensor, stops: Sequence[int], longest: int, tick: Callable[[], None]
) -> Tensor:  # -> [B, <= longest]
    """Greedy decoding of left-padded prompts [B, T, H] until every row has generated a stop token.

    A finished row is filled up with its stop token. ``tick`` is called after every token.
    """
    past, ended, generated = None, torch.zeros(len(mask), dtype=torch.bool, device=mask.device), []
    endings = torch.tensor(stops, device=mask.device)
    for _ in range(longest):
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -embeddings.shape[1] :]
        output = model.base_model(
            inputs_embeds=embeddings, attention_mask=mask, position_ids=positions, past_key_values=past, use_cache=True
        )
        past = output.past_key_values
        token = logits(model, output.last_hidden_state[:, -1]).argmax(dim=1)
        token = torch.where(ended, endings[0], token)
        generated.append(token)
        tick()
        ended = ended | torch.isin(token, endings)
        if bool(ended.all()):
            break
        embeddings = model.get_input_embeddings()(token[:, None])
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return torch.stack(generated, dim=1)


@torch.no_grad()
def read_prompts(model: Any, embeddings: Tensor, mask: Tensor) -> tuple[Any, Tensor]:
    """Prompts [B, T, H] padded on the left, read once: what continuations need of them, and the last states [B, H]."""
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    output = model.base_model(inputs_embeds=embeddings, attention_mask=mask, position_ids=positions, use_cache=True)
    return output.past_key_values, output.last_hidden_state[:, -1]


@torch.no_grad()
def continued(
    model: Any,
    prompts: tuple[Any, Tensor],  # as read_prompts gives them
    mask: Tensor,  # [B, T]
    tokens: Tensor,  # [B, C, A] C continuations of every prompt, padded on the right
    length: Tensor,  # [B, C]
) -> Tensor:  # -> [B, C]
    """log p of each continuation: the sum over its tokens. The prompts are not read again."""
    past, last = copy.deepcopy(prompts[0]), prompts[1]
    batch, count, longest = tokens.shape
    states = last.repeat_interleave(count, dim=0)[:, None]  # [B C, 1, H] predict the first tokens
    flat = tokens.reshape(batch * count, longest)
    if longest > 1:
        past.batch_repeat_interleave(count)
        mask = torch.cat([mask.repeat_interleave(count, dim=0), mask.new_ones(len(flat), longest - 1)], dim=1)
        output = model.base_model(
            inputs_embeds=model.get_input_embeddings()(flat[:, :-1]),
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, 1 - longest :],
            past_key_values=past,
            use_cache=True,
        )
        states = torch.cat([states, output.last_hidden_state], dim=1)
    real = torch.arange(longest, device=tokens.device) < length.reshape(-1, 1)
    log_p = torch.log_softmax(logits(model, states[real]), dim=1).gather(1, flat[real][:, None])[:, 0]
    sums = log_p.new_zeros(len(flat)).index_add_(0, real.nonzero()[:, 0], log_p)
    return sums.view(batch, count)


def context(model: Any) -> int:
    """Longest input in tokens."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 2048)
