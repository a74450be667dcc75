"""The teacher on a tiny random Llama: what is frozen, what learns, what is saved, and the published model's numbers."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone import blocks
from engine.errors import RunError
from engine.stages import STAGES
from engine.teacher.head import RankHead, VisibleHistory
from engine.teacher.lora.gate import ResNetGate, make_gate
from engine.teacher.lora.moe_lora import adapt, adapters
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Inputs, Teacher

GOLDEN = os.environ.get("ENGINE_GOLDEN")
NEAR = {"rtol": 1e-4, "atol": 1e-5}
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def llama(vocabulary: int = 40, width: int = 16, layers: int = 2, inner: int = 24) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=1024,
        rms_norm_eps=1e-6,
        attention_dropout=0.0,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)


def teacher(dropout: float = 0.0, checkpointing: bool = False, layers: int = 2) -> Teacher:
    model, routing = llama(layers=layers), Routing()
    adapt(model.base_model, ["all"], 4, 2, 8.0, dropout, routing)
    if checkpointing:
        blocks.recompute_blocks(model, routing.checkpoint_contexts)
    torch.manual_seed(1)
    for _, layer in adapters(model):
        nn.init.normal_(layer.lora_b, std=0.1)
    head = RankHead(torch.randn(9, 16), 16, 5, 0.0, True)
    nn.init.normal_(head.query.weight)
    nn.init.normal_(head.read.weight)
    return Teacher(model, routing, make_gate("softmax", 6, 2, 8, 1, "group"), Projector(6, 16), head).eval()


def inputs(rows: slice = slice(None)) -> Inputs:
    torch.manual_seed(2)
    ids, users, vectors = torch.randint(0, 40, (3, 7)), torch.randn(3, 6), torch.randn(3, 2, 6)
    slots = torch.arange(len(ids[rows]))[:, None] * 7 + torch.tensor([2, 5])
    return Inputs(ids[rows], slots.reshape(-1), vectors[rows].reshape(-1, 6), users[rows], None)


VISIBLE = VisibleHistory(torch.arange(21).view(3, 7) % 9, torch.arange(21) // 7, torch.arange(21) % 7)


def states(made: Teacher, given: Inputs) -> Tensor:
    return made.states(given, made.gates(given.users))


def test_a_batch_equals_its_rows_one_by_one() -> None:
    made = teacher()
    alone = torch.cat([states(made, inputs(slice(k, k + 1))) for k in range(3)])
    torch.testing.assert_close(states(made, inputs()), alone, rtol=1e-5, atol=1e-6)


def test_another_user_changes_that_rows_answer_and_no_other() -> None:
    made, given = teacher(), inputs()
    other = Inputs(given.ids, given.slots, given.vectors, given.users.clone(), None)
    other.users[1] *= -3
    before, after = states(made, given), states(made, other)
    assert (before[1] - after[1]).abs().max() > 1e-3
    torch.testing.assert_close(before[[0, 2]], after[[0, 2]])


def test_tokens_after_a_token_cannot_change_its_state() -> None:
    made, given = teacher(), inputs()
    shorter = Inputs(given.ids[:, :6], torch.tensor([2, 5, 8, 11, 14, 17]), given.vectors, given.users, None)
    torch.testing.assert_close(states(made, shorter), states(made, given)[:, :6], rtol=1e-5, atol=1e-6)


def test_only_the_declared_parameters_learn_and_all_of_them_do() -> None:
    made, given = teacher().train(), inputs()
    assert made.head is not None
    queries = made.head.queries(torch.randn(21, 6), states(made, given).reshape(-1, 16), VISIBLE)
    (queries @ made.head.table(torch.randn(9, 6)).T).square().mean().backward()
    declared = {id(value) for group in made.groups().values() for value in group}
    for name, value in made.named_parameters():
        assert value.requires_grad == (id(value) in declared), name
        assert (value.grad is not None and value.grad.abs().sum() > 0) == value.requires_grad, name


@pytest.mark.parametrize(
    ("layers", "bands"), [(1, ["0"]), (2, ["0", "1"]), (3, ["0", "1", "2"]), (7, ["0-2", "3-4", "5-6"])]
)
def test_the_experts_gradients_are_grouped_by_depth_and_every_parameter_once(layers: int, bands: list[str]) -> None:
    made = teacher(layers=layers)
    bands_of, whole = made.bands(), made.groups()
    assert list(bands_of)[: 2 * len(bands)] == [f"{name}.{band}" for name in ("lora_a", "lora_b") for band in bands]
    assert {name.partition(".")[0] for name in bands_of} == set(whole) == set(STAGES["teacher"].groups)
    ids = [id(value) for group in bands_of.values() for value in group]
    assert sorted(ids) == sorted(id(value) for group in whole.values() for value in group)
    last = dict(adapters(made.language_model))[f"model.layers.{layers - 1}.self_attn.q_proj"]
    assert any(value is last.lora_b for value in bands_of[f"lora_b.{bands[-1]}"])


def test_training_mode_reaches_the_experts_dropout_and_nothing_frozen() -> None:
    made = teacher(dropout=0.5).train()
    assert not made.language_model.training and not made.language_model.base_model.layers[0].training
    assert all(layer.training and not layer.base.training for _, layer in adapters(made.language_model))
    given = inputs()
    assert (states(made, given) != states(made, given)).any()
    assert torch.equal(states(made.eval(), given), states(made, given))


def test_recomputing_activations_changes_no_gradient() -> None:
    found = []
    for checkpointing in (False, True):
        made, given = teacher(checkpointing=checkpointing).train(), inputs()
        loss = states(made, given).square().mean()
        with made.routing.of(torch.zeros(1, 2)):  # another batch is in flight while backward recomputes
            loss.backward()
        found.append([value.grad for value in made.parameters() if value.grad is not None])
    assert len(found[0]) == len(found[1]) > 10
    for plain, again in zip(*found, strict=True):
        torch.testing.assert_close(again, plain, rtol=0, atol=0)


def test_a_saved_adapter_gives_bit_equal_states_in_another_teacher(tmp_path: Path) -> None:
    made, given = teacher(), inputs()
    made.save(tmp_path / "adapter.safetensors", {})
    other = teacher()
    for group in other.groups().values():
        for value in group:
            nn.init.normal_(value)
    assert not torch.equal(states(other, given), states(made, given))
    other.load(tmp_path / "adapter.safetensors")
    assert torch.equal(states(other, given), states(made, given))


def test_an_adapter_holds_what_was_trained_with_its_buffers_and_nothing_frozen(tmp_path: Path) -> None:
    made = teacher()
    made.gate = make_gate("resnet1d", 6, 2, 8, 1, "batch")
    made.save(tmp_path / "adapter.safetensors", {})
    names = set(load_file(tmp_path / "adapter.safetensors"))
    assert "gate.bn1.running_mean" in names and "head.query.weight" in names and "projector.inner.bias" in names
    assert not any("weight" in name and "lora" in name for name in names)
    learned = sum(len(group) for group in made.groups().values())
    chosen = ("head.student_weight", "head.lm_weight")
    buffers = [name for name in names if "running" in name or "num_batches" in name or name in chosen]
    assert len(names) == learned + len(buffers)


def test_an_adapter_with_the_older_names_of_the_heads_weights_is_read(tmp_path: Path) -> None:
    made, other, path = teacher(), teacher(), tmp_path / "adapter.safetensors"
    assert made.head is not None and other.head is not None
    made.head.student_weight.fill_(0.2)
    made.head.lm_weight.fill_(0.3)
    older = {"head.student_weight": "head.trust", "head.lm_weight": "head.voice"}
    save_file({older.get(name, name): value.clone() for name, value in made.trained().items()}, path)
    other.load(path)
    assert [round(float(value), 6) for value in (other.head.student_weight, other.head.lm_weight)] == [0.2, 0.3]


@pytest.mark.parametrize("change", ["missing", "shape", "damaged"])
def test_an_adapter_that_does_not_fit_is_refused(tmp_path: Path, change: str) -> None:
    made, path = teacher(), tmp_path / "adapter.safetensors"
    if change == "missing":
        made.gate = make_gate("mlp", 6, 2, 8, 1, "group")
    elif change == "shape":
        made.projector = Projector(7, 16)
    made.save(path, {})
    if change == "damaged":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="run teacher --again"):
        teacher().load(path)


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
@pytest.mark.parametrize("mode", ["hybrid", "textonly"])
def test_the_published_models_inputs_loss_logits_and_gradients(mode: str) -> None:
    golden = load_file(Path(GOLDEN or "") / "ilora_tiny.safetensors")
    made = published(golden)
    ids, labels = golden[f"{mode}.input_ids"], golden[f"{mode}.labels"]
    users = golden[f"{mode}.user_embeds"][:, 0]
    given = Inputs(ids, *filled(golden, ids), users, None)
    torch.testing.assert_close(made.embed(given), golden[f"{mode}.inputs_embeds"], **NEAR)
    gates = made.gates(users)
    torch.testing.assert_close(gates, golden[f"{mode}.gate_weights"][:, 0], **NEAR)
    labelled = labels[:, 1:] != -100
    logits = made.language_model.lm_head(made.states(given, gates)[:, :-1][labelled])
    torch.testing.assert_close(logits, golden[f"{mode}.logits_at_label_positions"], **NEAR)
    loss = F.cross_entropy(logits, labels[:, 1:][labelled])
    torch.testing.assert_close(loss.double(), golden[f"{mode}.loss"][0], **NEAR)
    loss.backward()
    compared = 0
    for path, layer in adapters(made.language_model):
        for name, value in (("lora_A", layer.lora_a), ("lora_B", layer.lora_b)):
            assert value.grad is not None
            torch.testing.assert_close(value.grad, golden[f"{mode}.grad.{path}.{name}.weight"], **NEAR)
            compared += 1
    assert compared == 28


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
def test_left_padded_prompts_predict_what_the_published_model_predicts_unpadded() -> None:
    golden = load_file(Path(GOLDEN or "") / "ilora_tiny.safetensors")
    made = published(golden)
    right, mask = golden["eval.input_ids"], golden["eval.attention_mask"]
    length, width = mask.sum(dim=1), right.shape[1]
    assert len(length.unique()) > 1
    columns = (torch.arange(width) - (width - length)[:, None]) % width
    ids, mask = right.gather(1, columns), mask.gather(1, columns)
    users = golden["hybrid.user_embeds"][:, 0]
    given = Inputs(ids, *filled(golden, ids), users, mask)
    logits = made.language_model.lm_head(made.states(given, made.gates(users))[:, -1])
    torch.testing.assert_close(logits, golden["eval.next_token_logits"], **NEAR)


def filled(golden: dict[str, Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
    """Slots and their vectors, one after the other as the published program fills them."""
    slots, vectors = [], []
    for row in range(len(ids)):
        seen = {422: 0, 423: 0}
        for column, token in enumerate(ids[row].tolist()):
            if token in seen:
                items = golden["seq"] if token == 422 else golden["cans"]
                slots.append(row * ids.shape[1] + column)
                vectors.append(golden["sasrec.item_embeddings.weight"][items[row, seen[token]]])
                seen[token] += 1
    return torch.tensor(slots, dtype=torch.long), torch.stack(vectors) if vectors else torch.zeros(0, 64)


def published(golden: dict[str, Tensor]) -> Teacher:
    """The tiny published model, from its stored tensors."""
    model, routing = llama(425, 64, 2, 128), Routing()
    model.load_state_dict({name[4:]: value for name, value in golden.items() if name.startswith("llm.")})
    adapt(model.model, ALL, 8, 4, 32.0, 0.0, routing)
    gate, projector = ResNetGate(4, "batch"), Projector(64, 64)
    router = {name[7:]: value for name, value in golden.items() if name.startswith("router.")}
    gate.load_state_dict({name.replace("gate.fc", "scores"): value for name, value in router.items()})
    names = {"inner": "mlp_proj.0", "outer": "mlp_proj.2"}
    projector.load_state_dict(
        {
            f"{own}.{part}": golden[f"projector.{theirs}.{part}"]
            for own, theirs in names.items()
            for part in ("weight", "bias")
        }
    )
    for path, layer in adapters(model):
        layer.lora_a.data.copy_(golden[f"lora.{path}.lora_A.weight"])
        layer.lora_b.data.copy_(golden[f"lora.{path}.lora_B.weight"])
    return Teacher(model, routing, gate, projector, None).eval()
