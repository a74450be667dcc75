"""A sequential recommender around any of the networks; saving and loading it.

Letters: B histories, T length of the longest, P real positions, D width of a state, n items.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.config.renamed import translated
from engine.config.settings.student import StudentSettings
from engine.data.ids import PADDING
from engine.errors import RunError
from engine.student.caser import Caser
from engine.student.dropout import RandomStream
from engine.student.gru4rec import GRU4Rec
from engine.student.network import Network
from engine.student.packed_sequences import PackedSequences, of_histories
from engine.student.reference import Reference
from engine.student.sasrec import SASRec

NETWORKS: dict[str, type[Network]] = {
    "sasrec": SASRec,
    "sasrec-reference": Reference,
    "gru4rec": GRU4Rec,
    "caser": Caser,
}


class SequenceModel(nn.Module):
    """Item ids to states: the score of item i after a position is <state, table_i> + b_i."""

    def __init__(self, items: int, settings: StudentSettings) -> None:
        super().__init__()
        self.items, self.settings, self.max_length = items, settings, settings.max_length
        self.stream = RandomStream()
        self.network: Network = NETWORKS[settings.model](items, settings, self.stream)

    def encode(
        self, items: Tensor, packed: PackedSequences, inputs: Tensor | None = None
    ) -> Tensor:  # [P] ids -> [P, D]
        """The state after every position, scaled as scores need it.

        ``inputs`` [n + 1, D] are item vectors to read instead of the model's own.
        """
        if packed.longest > self.max_length:
            raise ValueError(f"a history of {packed.longest} items does not fit max_length={self.max_length}")
        if not len(items):  # of a small batch a process may have no history
            one, _ = of_histories(items.new_ones(1, 1))
            return self.encode(items.new_ones(1), one, inputs)[:0]
        read = self.network.inputs() if inputs is None else inputs
        states: Tensor = self.network(items, packed, read)
        if self.settings.normalise:
            states = F.normalize(states, dim=1)
        return states if self.settings.temperature == 1.0 else states / self.settings.temperature

    def item_table(self) -> tuple[Tensor, Tensor | None]:
        """Item vectors [n + 1, D] and biases [n + 1] (or none) that score a state."""
        table, bias = self.network.outputs()
        return (F.normalize(table, dim=1) if self.settings.normalise else table), bias

    def forward(self, history: Tensor) -> Tensor:  # [B, T] item ids -> [B, T, D]
        """The state after every item, zero at padding. Padding may stand on either side."""
        packed, real = of_histories(history)
        flat = self.encode(history[real], packed)
        states = flat.new_zeros(*history.shape, flat.shape[1])
        states[real] = flat
        return states

    def user_vectors(self, history: Tensor) -> Tensor:  # [B, T] item ids -> [B, D]
        """The state after the last real item; zero for an empty history."""
        states: Tensor = self(history)
        numbers = torch.arange(1, history.shape[1] + 1, device=history.device)
        last = ((history != PADDING) * numbers).amax(dim=1) - 1  # -1 for an empty history, whose states are all zero
        return states[torch.arange(len(history), device=history.device), last]

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the stage table's groups."""
        return self.network.groups()


def save_student(path: Path, model: SequenceModel) -> None:
    """Weights as safetensors, settings and number of items in the header."""
    about = {"settings": asdict(model.settings), "items": model.items}
    state = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    save_file(state, path, metadata={"student": json.dumps(about)})


def load_student(path: Path, device: str = "cpu") -> SequenceModel:
    """The model that ``save_student`` wrote, in eval mode. RunError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["student"])
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"this is not a whole student model ({error})",
            location=str(path),
            remedy="Make it: engine run student --again",
        ) from error
    model = SequenceModel(about["items"], StudentSettings(**translated(about["settings"], "student.")))
    model.load_state_dict(state)
    return model.to(device).eval()
