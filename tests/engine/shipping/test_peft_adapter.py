import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import RunError, UserError
from engine.recommend.heldout_users import held_out
from engine.recommend.lineage import lineage
from engine.runs.run_files import RunFiles
from engine.shipping import peft_adapter
from engine.stages import ADAPTER
from engine.teacher.build import build, settings_of
from tests.fixtures.small_runs import Chain

# peft asks transformers by an older name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
EMBEDDINGS = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def loud(seven_stages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs, their teacher's B as large as after a long training, so that the mixture shows."""
    runs = tmp_path_factory.mktemp("loud") / "runs"
    shutil.copytree(seven_stages, runs, symlinks=True)
    path = runs / "teacher" / "artifacts" / ADAPTER.file
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    state = {key: torch.randn_like(value) if "lora_b" in key else value for key, value in load_file(path).items()}
    save_file(state, path, metadata=about)
    return runs


def trained(folder: Path) -> peft_adapter.TeacherSetup:
    """The teacher of a run."""
    path = folder / "artifacts" / ADAPTER.file
    setup = build(settings_of(path), RunFiles(folder), "cpu")
    setup.teacher.load(path)
    return setup


@torch.no_grad()
def ours(setup: peft_adapter.TeacherSetup, gates: Tensor) -> Tensor:
    with setup.teacher.routing.of(gates.expand(2, -1)):
        found: Tensor = setup.teacher.language_model(inputs_embeds=EMBEDDINGS).logits
    return found


@torch.no_grad()
def theirs(folder: Path) -> Tensor:
    peft = pytest.importorskip("peft", reason="peft is not installed (extra dev)")
    from transformers import AutoModelForCausalLM

    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).eval()
    found: Tensor = model(inputs_embeds=EMBEDDINGS).logits
    return found


def test_a_users_mixture_gives_the_same_outputs_in_peft(loud: Path, tmp_path: Path) -> None:
    folder, runs = loud / "evaluate", lineage(loud / "evaluate")
    users = held_out(folder, runs)
    name = users.name(3)
    found = peft_adapter.export(folder, tmp_path, name)
    setup = trained(loud / "teacher")
    gates = peft_adapter.mixture_of(setup, users.history(users.find(name)))
    assert found.mixture == pytest.approx(gates.tolist()) and len(set(found.mixture)) > 1
    expected = ours(setup, gates[None])
    assert not torch.allclose(expected, ours(setup, torch.full_like(gates, 1 / len(gates))[None]), atol=1e-3)
    torch.testing.assert_close(theirs(tmp_path), expected, atol=2e-6, rtol=1e-5)


@pytest.fixture(scope="module")
def plain(request: pytest.FixtureRequest) -> Path:
    chain: Chain = request.getfixturevalue("new_chain")()
    return chain.perform("teacher", "", ["teacher.gate.kind=uniform"])


def test_plain_lora_is_written_as_it_is(plain: Path, tmp_path: Path) -> None:
    found = peft_adapter.export(plain, tmp_path, None)
    experts = len(found.mixture)
    assert found.mixture == [1 / experts] * experts
    own, written = load_file(plain / "artifacts" / ADAPTER.file), load_file(tmp_path / "adapter_model.safetensors")
    pairs = {
        f"base_model.model.{key.removeprefix('lora.').replace('.lora_a', '.lora_A').replace('.lora_b', '.lora_B')}"
        ".weight": value
        for key, value in own.items()
        if key.startswith("lora.")
    }
    assert pairs.keys() == written.keys() and len(pairs) > 2
    assert all(torch.equal(pairs[name], written[name]) for name in pairs)
    setup = trained(plain)
    expected = ours(setup, torch.full((1, experts), 1 / experts))
    torch.testing.assert_close(theirs(tmp_path), expected, atol=2e-6, rtol=1e-5)


def test_a_gate_needs_a_user_who_is_known(seven_stages: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="mixes its 4 experts") as caught:
        peft_adapter.export(seven_stages / "teacher", tmp_path, None)
    assert "--user ID" in caught.value.remedy
    with pytest.raises(UserError, match="no validation row is of a user 'nobody'"):
        peft_adapter.export(seven_stages / "teacher", tmp_path, "nobody")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RunError, match="no teacher run"):
        peft_adapter.export(seven_stages / "student", tmp_path, None)
