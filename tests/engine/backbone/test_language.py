"""Language models from folders: equipped the same way each time, frozen, and put down whole."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

from engine.backbone import blocks, causal_attention, language
from engine.backbone.slots import SPECIALS
from engine.backbone.tokenizer import train_tokenizer
from engine.errors import RunError, UserError

LM = os.environ.get("ENGINE_TEST_LM")
REAL = pytest.param(
    "stories260K", marks=[pytest.mark.real, pytest.mark.skipif(not LM, reason="ENGINE_TEST_LM is not set")]
)


def tokenizer() -> Any:
    return train_tokenizer(["Iron Meadow", "Old Salt"], 300)


def llama(words: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(words), intermediate_size=24, **sizes)).eval()


def opt(words: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 16}
    return OPTForCausalLM(OPTConfig(vocab_size=len(words), ffn_dim=24, dropout=0.1, **sizes)).eval()


def folder(tmp_path: Path, name: str) -> Path:
    if name == "stories260K":
        return Path(LM or "") / name
    words = tokenizer()
    language.save(llama(words) if name == "llama" else opt(words), words, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("name", ["llama", "opt", REAL])
def test_a_folder_is_read_equipped_and_frozen(tmp_path: Path, name: str) -> None:
    model, words = language.read(str(folder(tmp_path, name)), torch.float32, "none", "cpu")
    assert not model.training and not any(value.requires_grad for value in model.parameters())
    known = language.vocabulary(words)
    assert model.get_input_embeddings().weight.shape[0] >= len(words)
    assert words.convert_tokens_to_ids(SPECIALS[0]) == known.padding
    ids = torch.tensor([known.encode([known.space + "Iron Meadow"])[0] + [known.history_slot]])
    assert torch.isfinite(language.states(model, model.get_input_embeddings()(ids))).all()


@pytest.mark.parametrize("name", ["llama", "opt", REAL])
def test_what_was_put_down_gives_bit_equal_states(tmp_path: Path, name: str) -> None:
    source = folder(tmp_path, name)
    model, words = language.read(str(source), torch.float32, "none", "cpu")
    language.save(model, words, tmp_path / "copy")
    language.refer(source, tmp_path / "reference")
    ids = torch.arange(6)[None]
    expected = language.states(model, model.get_input_embeddings()(ids))
    for name in ("copy", "reference"):
        again, _ = language.load(tmp_path / name, "32-true", "none", "cpu")
        assert torch.equal(language.states(again, again.get_input_embeddings()(ids)), expected)


@pytest.mark.parametrize("name", ["llama", "opt", REAL])
def test_left_padding_equals_no_padding(tmp_path: Path, name: str) -> None:
    model, _ = language.read(str(folder(tmp_path, name)), torch.float32, "none", "cpu")
    ids = torch.tensor([[3, 9, 4, 7]])
    embed = model.get_input_embeddings()
    alone = language.states(model, embed(ids))[0, -1]
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), ids], dim=1)
    mask = (torch.arange(7) >= 3).long()[None]
    torch.testing.assert_close(language.states(model, embed(padded), mask)[0, -1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "opt"])
def test_recomputed_blocks_stay_free_of_the_frozen_models_dropout(tmp_path: Path, name: str) -> None:
    model, _ = language.read(str(folder(tmp_path, name)), torch.float32, "none", "cpu")
    embeddings = model.get_input_embeddings()(torch.arange(6)[None]).requires_grad_()

    def gradient() -> torch.Tensor:
        return torch.autograd.grad(language.states(model, embeddings).square().sum(), embeddings)[0]

    plain = gradient()
    blocks.recompute_blocks(model, lambda: (torch.enable_grad(), torch.enable_grad()))
    torch.testing.assert_close(gradient(), plain, rtol=0, atol=0)


def test_a_folder_without_a_model_is_refused_with_the_alternatives(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="backbone=scratch"):
        language.read(str(tmp_path), torch.float32, "none", "cpu")


def test_a_damaged_weight_file_is_refused(tmp_path: Path) -> None:
    broken = folder(tmp_path, "llama")
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:500])
    with pytest.raises(UserError, match="no language model can be read"):
        language.read(str(broken), torch.float32, "none", "cpu")


def test_a_tokenizer_without_the_slots_is_refused() -> None:
    words = tokenizer()
    words._tokenizer.add_tokens(["more"])
    bare = type(words)(
        tokenizer_object=words._tokenizer.from_str(words._tokenizer.to_str().replace("[HistoryEmb]", "[Other]"))
    )
    with pytest.raises(RunError, match="run backbone --again"):
        language.vocabulary(bare)


def test_a_tokenizer_without_a_pad_token_gets_one_of_its_own(tmp_path: Path) -> None:
    words = tokenizer()
    bare = type(words)(tokenizer_object=words._tokenizer, bos_token="<s>", eos_token="</s>")
    assert bare.pad_token is None
    language.save(llama(bare), bare, tmp_path / "bare")
    _, read = language.read(str(tmp_path / "bare"), torch.float32, "none", "cpu")
    known = language.vocabulary(read)
    assert known.padding == read.pad_token_id != read.eos_token_id
    assert len({known.padding, known.history_slot, known.candidate_slot, known.plain_slot, known.begin}) == 5


@pytest.mark.parametrize("quantise", ["8bit", "4bit"])
def test_weights_in_few_bits_without_their_library_are_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantise: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"(?s)bitsandbytes and accelerate.*pip install bitsandbytes accel"):
        language.read(str(folder(tmp_path, "llama")), torch.float32, quantise, "cpu")


def test_a_model_too_large_for_the_machine_is_said_with_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language.AutoModelForCausalLM, "from_pretrained", lambda *given, **named: torch.empty(1 << 60))
    with pytest.raises(UserError, match=r"(?s)does not fit into memory.*bf16-mixed.*4bit"):
        language.read(str(folder(tmp_path, "llama")), torch.float32, "none", "cpu")


def test_a_model_whose_packed_prompts_have_the_states_of_single_ones_packs() -> None:
    words = tokenizer()
    assert language.packs(llama(words), 100) and language.packs(opt(words), 100)


def test_a_model_that_ignores_positions_or_sees_less_than_a_prompt_does_not_pack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = llama(tokenizer())
    made.config.sliding_window = 50
    assert language.packs(made, 49) and not language.packs(made, 50)
    sound = causal_attention._attention
    monkeypatch.setitem(
        causal_attention.AttentionInterface._global_mapping,
        causal_attention.CAUSAL,
        lambda *given, packing=None, **more: sound(*given, **more),  # looks across prompts
    )
    assert not language.packs(made, 10)


def test_states_need_no_mask_and_are_those_with_the_librarys_mask() -> None:
    made = llama(tokenizer())
    torch.manual_seed(0)
    embeddings = torch.randn(2, 9, 16)
    with_mask = language.states(made, embeddings, torch.ones(2, 9, dtype=torch.long))
    torch.testing.assert_close(language.states(made, embeddings), with_mask, rtol=1e-5, atol=1e-6)
    assert made.config._attn_implementation == "sdpa"
