"""Language models in one GGUF file, whole and damaged, and in parts that Python packages hold."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone import gguf, language
from engine.backbone.model_files import MAGIC
from engine.backbone.tokenizer import train_tokenizer
from engine.errors import UserError

HEADS, WIDTH, BLOCKS = 2, 32, 3


def original() -> tuple[Any, Any]:
    torch.manual_seed(0)
    words = train_tokenizer(["Iron Meadow", "Old Salt", "Quiet Harbour"], 300)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS, "intermediate_size": 64}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).eval(), words


def interleaved(weight: Tensor) -> Tensor:
    """Queries and keys as llama.cpp rotates them: pairs of neighbours instead of two halves."""
    rows, columns = weight.shape
    return weight.view(HEADS, 2, rows // HEADS // 2, columns).transpose(1, 2).reshape(rows, columns)


def write(path: Path) -> Any:
    """A GGUF file of ``original``; the model that it holds."""
    from gguf import GGUFWriter, TokenType  # type: ignore[attr-defined]

    model, words = original()
    config = model.config
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(words))
    merges = json.loads(words.backend_tokenizer.to_str())["model"]["merges"]
    tokens = words.convert_ids_to_tokens(range(len(words)))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    special = {token.content for token in words.added_tokens_decoder.values()}
    writer.add_token_types([TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    names = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    state = model.state_dict()
    for block in range(BLOCKS):
        for theirs, ours in names.items():
            weight = state[f"model.layers.{block}.{theirs}.weight"]
            turned = interleaved(weight) if ours in ("attn_q", "attn_k") else weight
            writer.add_tensor(f"blk.{block}.{ours}.weight", turned.contiguous().numpy())
    for ours, theirs in (
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("output", "lm_head"),
    ):
        writer.add_tensor(f"{ours}.weight", state[f"{theirs}.weight"].numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    path = tmp_path_factory.mktemp("gguf") / "tiny model.gguf"
    write(path)
    return path


def test_a_gguf_file_gives_the_states_of_the_model_it_was_made_of(file: Path) -> None:
    model, _ = language.read(str(file), torch.float32, "none", "cpu")
    before, _ = original()
    ids = torch.arange(4, 20)[None]
    expected = language.states(before, before.get_input_embeddings()(ids))
    torch.testing.assert_close(language.states(model, model.get_input_embeddings()(ids)), expected)


def test_a_gguf_file_brings_its_tokenizer(file: Path) -> None:
    _, words = language.read(str(file), torch.float32, "none", "cpu")
    _, before = original()
    for text in ("Iron Meadow", "Quiet Salt, Old Harbour"):
        assert words(text, add_special_tokens=False)["input_ids"] == before(text, add_special_tokens=False)["input_ids"]


def test_a_dequantised_model_is_saved_and_read_as_any_other(file: Path, tmp_path: Path) -> None:
    model, words = language.read(str(file), torch.float32, "none", "cpu", blocks=2)
    language.save(model, words, tmp_path)
    again, _ = language.load(tmp_path, "32-true", "none", "cpu")
    ids = torch.arange(4, 12)[None]
    embeddings = model.get_input_embeddings()(ids)
    assert torch.equal(language.states(again, embeddings), language.states(model, embeddings))


@pytest.mark.parametrize("share", [0.0, 0.05, *(0.05 + step / 10_000 for step in range(1, 9)), 0.5, 0.98, 1.0])
def test_a_file_that_is_cut_short_is_one_message(file: Path, tmp_path: Path, share: float) -> None:
    whole = file.read_bytes()
    kept = max(len(MAGIC), int(share * len(whole)) - (share == 1.0))
    (tmp_path / "cut.gguf").write_bytes(whole[:kept])
    with pytest.raises(UserError, match=f"cut short or damaged: it has {kept:,} bytes") as found:
        language.read(str(tmp_path / "cut.gguf"), torch.float32, "none", "cpu")
    assert found.value.location == str(tmp_path / "cut.gguf")


def test_an_error_that_is_not_the_files_keeps_its_reason(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("architecture nobody knows")

    monkeypatch.setattr("engine.backbone.language.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(UserError, match=r"no language model can be read \(architecture nobody knows\)"):
        language.read(str(file), torch.float32, "none", "cpu")


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04 something else"])
def test_another_file_is_named_as_no_gguf_file(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(UserError, match="no GGUF file"):
        language.read(str(tmp_path / "model.bin"), torch.float32, "none", "cpu")


def test_without_its_packages_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="need gguf and accelerate") as found:
        gguf.options(tmp_path / "model.gguf")
    assert "recdistill[gguf]" in found.value.remedy


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A model in three packages; their whole."""
    parts = [b"GGUF first ", b"second ", b"third"]
    for number, part in enumerate(parts):
        name = "tiny_gguf" if number == 0 else f"tiny_gguf_part{3 - number}"  # order of names is not that of parts
        data = tmp_path / name / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"tiny.gguf.part0{number}").write_bytes(part)
    monkeypatch.syspath_prepend(tmp_path)
    yield b"".join(parts)
    for name in [name for name in sys.modules if name.startswith("tiny_gguf")]:
        del sys.modules[name]


def test_parts_are_joined_in_the_order_of_their_names(packages: bytes, tmp_path: Path) -> None:
    gguf.assemble("tiny_gguf", hashlib.sha256(packages).hexdigest(), tmp_path / "whole.gguf")
    assert (tmp_path / "whole.gguf").read_bytes() == packages


def test_parts_of_another_digest_are_refused(packages: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"SHA-256 .* not 000000000000") as found:
        gguf.assemble("tiny_gguf", "0" * 64, tmp_path / "whole.gguf")
    assert "force-reinstall" in found.value.remedy


def test_packages_that_are_missing_are_named_with_their_terms_and_the_alternative(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not installed: no_such_gguf") as found:
        gguf.assemble("no_such_gguf", "0" * 64, tmp_path / "whole.gguf")
    assert "Gemma's terms" in found.value.remedy and "google/gemma-3-270m" in found.value.remedy


def test_a_file_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file or folder") as found:
        language.read(str(tmp_path / "none.gguf"), torch.float32, "none", "cpu")
    assert found.value.location == str(tmp_path / "none.gguf")
