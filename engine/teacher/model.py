"""The teacher: a frozen language model with gated experts, and the small trained parts around it.

Letters: B prompts, T tokens, S slots, D width of the student, H of the language model, E experts.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.backbone import language
from engine.backbone.packing import Packing
from engine.backbone.pieces import Ints
from engine.errors import RunError
from engine.teacher.captured_passes import CapturedPasses
from engine.teacher.head import RankHead
from engine.teacher.lora.moe_lora import adapters
from engine.teacher.lora.projector import Projector, inject
from engine.teacher.lora.routing import Routing

BANDS = 3  # of depth, at most: early, middle and late blocks learn differently
RENAMED = {"head.trust": "head.student_weight", "head.voice": "head.lm_weight"}  # in adapters of older versions


@dataclass(frozen=True)
class Inputs:
    """A batch of prompts as the language model reads it."""

    ids: Tensor  # [B, T] token ids
    slots: Tensor  # [S] indices of the slots in the flat [B T] tokens
    vectors: Tensor  # [S, D] the student's vectors of the items there
    users: Tensor  # [B, D] the student's states, for the gate
    mask: Tensor | None  # [B, T] 1 at real tokens; None when only the right side is padded
    packing: Packing | None = None  # how the language model reads the prompts without their padding
    moves: tuple[Tensor, Tensor] | None = None  # [N] cell of each packed token, [B T] packed token of each cell


def packed(
    inputs: Inputs, length: Ints, pack: Callable[[Ints], Packing] | None
) -> tuple[Inputs, float]:  # [B] real tokens
    """The inputs as ``pack`` packs them, and the share of the tokens that is padding then."""
    if pack is None:
        return inputs, float(1 - length.sum() / max(1, inputs.ids.numel()))
    packing = pack(length)
    packed_inputs = replace(inputs, packing=packing, moves=packing.moves(length, inputs.ids.shape[1]))
    return packed_inputs, float(1 - length.sum() / len(packing.prompt))


class Teacher(nn.Module):
    """What is saved is what is trained; the language model always stays in evaluation mode."""

    def __init__(
        self, model: Any, routing: Routing, gate: nn.Module, projector: Projector, head: RankHead | None
    ) -> None:
        """``model`` is adapted already (``moe_lora.adapt``)."""
        super().__init__()
        self.language_model, self.routing = model, routing
        self.gate, self.projector, self.head = gate, projector, head
        self.passes: CapturedPasses | None = None  # the language model's, where they are replayed

    def train(self, mode: bool = True) -> "Teacher":
        super().train(mode)
        self.language_model.eval()
        for _, layer in adapters(self.language_model):
            layer.training = mode  # its own dropout, not that of the frozen map inside
        return self

    def gates(self, users: Tensor) -> Tensor:  # [B, D] -> [B, E]
        """The expert weights of a batch of users."""
        weights: Tensor = self.gate(users)
        return weights

    def embed(self, inputs: Inputs) -> Tensor:  # -> [B, T, H]
        """Token embeddings with the items' projected vectors in their slots."""
        embeddings: Tensor = self.language_model.get_input_embeddings()(inputs.ids)
        return inject(embeddings, inputs.slots, self.projector(inputs.vectors)) if len(inputs.slots) else embeddings

    def states(self, inputs: Inputs, gates: Tensor) -> Tensor:  # -> [B, T, H]
        """Last hidden states; those of padding mean nothing."""
        embeddings = self.embed(inputs)
        if inputs.packing is None or inputs.moves is None:
            return self._run(embeddings, gates, inputs.mask)
        into, back = inputs.moves
        packed = embeddings.reshape(-1, embeddings.shape[2]).index_select(0, into)
        more = inputs.packing.prompts - len(gates)  # prompts without tokens
        whole = torch.cat([gates, gates.new_zeros(more, gates.shape[1])]) if more else gates
        states = self._run(packed[None], whole, None, inputs.packing)[0]
        return states.index_select(0, back).view(*embeddings.shape[:2], -1)

    def _run(self, embeddings: Tensor, gates: Tensor, mask: Tensor | None, packing: Packing | None = None) -> Tensor:
        if self.passes is not None and mask is None and (packing is None or packing.fixed):
            return self.passes(embeddings, gates, packing)
        with self.routing.of(gates, prompt=None if packing is None else packing.prompt):
            return language.states(self.language_model, embeddings, mask, packing)

    def capture(self) -> None:
        """From now on the language model's passes are captured once for every shape of a batch, and replayed."""
        experts = [value for _, layer in adapters(self.language_model) for value in (layer.lora_a, layer.lora_b)]
        self.passes = CapturedPasses(self._body, experts)

    def _body(self, embeddings: Tensor, gates: Tensor, packing: Packing | None) -> Tensor:
        kind = embeddings.device.type
        prompt = None if packing is None else packing.prompt
        # Casts that were cached outside of a graph would be those of old weights.
        with (
            self.routing.of(gates, prompt=prompt),
            torch.autocast(kind, None, torch.is_autocast_enabled(kind), cache_enabled=False),
        ):
            return language.states(self.language_model, embeddings, None, packing)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The trained parameters by the stage table's groups."""
        layers = [layer for _, layer in adapters(self.language_model)]
        return {
            "lora_a": [layer.lora_a for layer in layers],
            "lora_b": [layer.lora_b for layer in layers],
            "gate": list(self.gate.parameters()),
            "projector": [value for value in self.projector.parameters() if value.requires_grad],
            "head": [] if self.head is None else [value for value in self.head.parameters() if value.requires_grad],
        }

    def bands(self) -> dict[str, list[nn.Parameter]]:
        """The groups, those of the experts split by depth: ``lora_a.0-10`` holds the blocks 0 to 10."""
        blocks = sorted({_block(path) for path, _ in adapters(self.language_model)})
        split: dict[str, list[nn.Parameter]] = {}
        for name in ("lora_a", "lora_b"):
            for band in np.array_split(np.asarray(blocks), min(BANDS, len(blocks))):
                ends = dict.fromkeys((int(band[0]), int(band[-1])))
                split[f"{name}.{'-'.join(map(str, ends))}"] = [
                    getattr(layer, name) for path, layer in adapters(self.language_model) if _block(path) in band
                ]
        return split | {name: group for name, group in self.groups().items() if name not in ("lora_a", "lora_b")}

    def trained(self) -> dict[str, Tensor]:
        """The trained tensors and the buffers of the same parts."""
        state = {
            f"lora.{path}.{name}": getattr(layer, name)
            for path, layer in adapters(self.language_model)
            for name in ("lora_a", "lora_b")
        }
        parts: Mapping[str, nn.Module | None] = {"gate": self.gate, "projector": self.projector, "head": self.head}
        for part, module in parts.items():
            if module is not None:
                state |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
        return {name: value.detach() for name, value in state.items()}

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Writes an adapter file: the trained tensors, and ``about`` as JSON in the header."""
        state = {name: value.cpu().contiguous().clone() for name, value in self.trained().items()}
        save_file(state, path, metadata={"teacher": json.dumps(about)})

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Loads an adapter's tensors; RunError unless they are exactly this teacher's."""
        own = self.trained()
        try:
            with safe_open(path, framework="pt") as file:
                found = {RENAMED.get(key, key): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError) as error:
            raise _unusable(path, f"cannot be read ({error})") from error
        differing = sorted(own.keys() ^ found.keys())
        differing += sorted(name for name in own.keys() & found.keys() if own[name].shape != found[name].shape)
        if differing:
            raise _unusable(path, f"does not fit this teacher: {', '.join(differing[:3])}")
        for name, value in found.items():
            own[name].copy_(value)


def _block(path: str) -> int:
    """The number of the transformer block of a layer; 0 outside of all blocks."""
    found = re.search(r"\.(\d+)\.", path)
    return int(found[1]) if found else 0


def _unusable(path: Path, why: str) -> RunError:
    return RunError(f"the adapter {why}", location=str(path), remedy="Train it again: engine run teacher --again")
