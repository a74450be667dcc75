"""The mixture-of-experts LoRA layer of iLoRA (REFERENCE c.5). It knows no language model and no recommender.

Letters: B sequences, T positions, N = B T, I inputs, O outputs, R total rank, M maps that read one input, E experts.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import ConfigError
from engine.teacher.lora.fused import Copies, Fused, plain, scaled
from engine.teacher.lora.routing import RoutedBatch, Routing

SHARED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))  # maps of one block that read the same input


class MoELoRALinear(nn.Module):
    """y = W x + b + (alpha / (R / E)) sum_e g_e B_e A_e x, with W and b frozen (iLoRA's layer, REFERENCE c.5).

    A_e are R / E consecutive rows of ``lora_a``, B_e the same columns of ``lora_b``; g are the expert weights of the
    sequence. B starts at zero, so a new layer is the frozen layer. Departure: dropout falls on the R channels of A x
    instead of on x, which needs no mask as wide as the model.
    """

    def __init__(
        self, base: nn.Module, rank: int, experts: int, alpha: float, dropout: float, routing: Routing
    ) -> None:
        super().__init__()
        if rank % experts:
            raise ConfigError(
                f"a rank of {rank} cannot be shared by {experts} experts",
                location="teacher.lora.rank",
                remedy=f"Use a multiple of {experts}, such as teacher.lora.rank={max(1, rank // experts) * experts}.",
            )
        inputs, outputs = (int(getattr(base, name)) for name in ("in_features", "out_features"))
        device = next(base.parameters()).device
        self.base = base.requires_grad_(False)
        self.routing = routing
        self.scale = alpha / (rank // experts)
        self.dropout = dropout
        self.lora_a = nn.Parameter(torch.empty(rank, inputs, device=device))
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank, device=device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.fuses = type(base) is nn.Linear  # a quantised map has no plain weight
        self.group: SharedInput
        if self.fuses:
            SharedInput([self]).register()

    def forward(self, x: Tensor) -> Tensor:  # [B, T, I] -> [B, T, O]
        if x.dim() != 3:
            raise ValueError(f"a layer with expert weights needs [batch, positions, width], not {list(x.shape)}")
        weights = self.routing.weights(x.shape[:2])
        if weights is None:
            return self.base(x)  # type: ignore[no-any-return]
        if self.fuses and not torch.compiler.is_compiling():
            return self.group.output(self, x, weights)
        batch = self.routing.batch
        assert batch is not None
        channels, keep = batch.channels(weights, len(self.lora_a), self.scale), self.mask(x)
        if type(self.base) is nn.Linear:
            with torch.autocast(x.device.type, enabled=False):
                x = x.to(self.base.weight.dtype)
                return plain(
                    x, channels, batch.owner(x.dtype), keep, self.lora_a, self.lora_b, self.base.weight, self.base.bias
                )
        # A quantised layer has no plain weight: its own product, and the correction beside it.
        low = F.linear(x, self.lora_a.to(x.dtype))
        if keep is not None:
            low = low * keep.view_as(low)
        correction = F.linear(scaled(low, channels, batch.owner(low.dtype)), self.lora_b.to(x.dtype))
        return self.base(x) + correction  # type: ignore[no-any-return]

    def mask(self, x: Tensor) -> Tensor | None:  # -> [N, R]
        """The dropout mask of x's tokens, divided by the share kept; None where nothing is dropped."""
        if not (self.training and self.dropout):
            return None
        keep = torch.empty(x.shape[0] * x.shape[1], len(self.lora_a), device=x.device, dtype=x.dtype)
        return keep.bernoulli_(1 - self.dropout).div_(1 - self.dropout)


class SharedInput:
    """Layers that read the same input, such as q, k and v: the first one that is called computes the outputs of all.

    A layer that turns out to be called with another input than the first one is parted from its group.
    """

    def __init__(self, layers: Sequence[MoELoRALinear]) -> None:
        self.layers = list(layers)
        self._waiting: tuple[Tensor, dict[int, Tensor]] | None = None  # an input, and outputs not yet taken

    def output(self, layer: MoELoRALinear, x: Tensor, weights: Tensor) -> Tensor:  # [B, T, I], [B, E] -> [B, T, O]
        """The output of one of the layers."""
        if len(self.layers) == 1:
            return self._compute(x, weights)[0]
        at = next(k for k, other in enumerate(self.layers) if other is layer)
        if at == 0:
            found = self._compute(x, weights)
            self._waiting = x, dict(enumerate(found[1:], 1))
            return found[0]
        if self._waiting is None or self._waiting[0] is not x or at not in self._waiting[1]:
            return self._part(layer, x, weights)
        y = self._waiting[1].pop(at)
        if not self._waiting[1]:
            self._waiting = None
        return y

    def prepare(self, batch: RoutedBatch) -> None:
        """Makes what the layers of all blocks read of a batch."""
        first = self.layers[0]
        batch.channels(batch.weights, len(first.lora_a), first.scale)
        weight = first.base.weight
        assert isinstance(weight, Tensor)
        batch.owner(weight.dtype)

    def register(self) -> None:
        """Puts the group in place of those that its layers were in."""
        groups = self.layers[0].routing.groups
        before = [layer.group for layer in self.layers if hasattr(layer, "group")]
        groups[:] = [group for group in groups if group not in before] + [self]
        for layer in self.layers:
            layer.group = self

    def _part(self, layer: MoELoRALinear, x: Tensor, weights: Tensor) -> Tensor:
        """Gives every layer a group of its own."""
        for other in self.layers:
            SharedInput([other]).register()
        if layer.routing.batch is not None:
            layer.routing.batch.copies = None
        return layer.group.output(layer, x, weights)

    def _compute(self, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all layers."""
        first, maps = self.layers[0], len(self.layers)
        batch, frozen = first.routing.batch, [layer.base for layer in self.layers]
        assert batch is not None
        if batch.copies is None:
            batch.copies = copies(first.routing.groups)
        a, *bs = batch.copies[self]
        channels = batch.channels(weights, len(first.lora_a), first.scale)
        x = x.to(a.dtype)
        factor = batch.factor(channels, x.shape[1], maps, a.dtype)
        masks = [mask for layer in self.layers if (mask := layer.mask(x)) is not None]
        keep = None if not masks else masks[0] if maps == 1 else torch.cat(masks, dim=1)
        with torch.autocast(x.device.type, enabled=False):
            fused: Callable[..., tuple[Tensor, ...]] = Fused.apply
            tensors = [*bs, *(base.weight for base in frozen), *(base.bias for base in frozen)]
            return fused(x, channels, factor, batch.owner(a.dtype), keep, a, maps, *tensors)


def copies(groups: Sequence[SharedInput]) -> dict[SharedInput, Sequence[Tensor]]:
    """The experts of all groups in the dtype of their frozen maps: A's [I, M R] and M times B [O, R]."""
    parameters: list[Tensor] = []
    for group in groups:
        parameters += [layer.lora_a for layer in group.layers]
        parameters += [layer.lora_b for layer in group.layers]
    made: Callable[..., tuple[Tensor, ...]] = Copies.apply
    counts = [len(group.layers) for group in groups]
    tensors = iter(made(counts, [group.layers[0].base.weight.dtype for group in groups], *parameters))
    return {group: [next(tensors) for _ in range(1 + count)] for group, count in zip(groups, counts, strict=True)}


def adapt(
    model: nn.Module, targets: list[str], rank: int, experts: int, alpha: float, dropout: float, routing: Routing
) -> list[str]:
    """Puts a MoE-LoRA layer around every linear map of ``model`` whose last name is in ``targets``; returns the paths.

    "all" stands for every linear map there is. The model's own parameters are frozen.
    """
    linears = {path: module for path, module in model.named_modules() if _is_linear(module)}
    names = sorted({path.rpartition(".")[2] for path in linears})
    missing = [target for target in targets if target != "all" and target not in names]
    if missing or not linears:
        raise ConfigError(
            f"the language model has no linear map called {', '.join(map(repr, missing)) or 'anything'}",
            location="teacher.lora.targets",
            remedy=f"It has: {', '.join(names) or 'none'}; 'all' adapts each of them.",
        )
    model.requires_grad_(False)
    chosen = [path for path in linears if "all" in targets or path.rpartition(".")[2] in targets]
    for path in chosen:
        parent, _, name = path.rpartition(".")
        layer = MoELoRALinear(linears[path], rank, experts, alpha, dropout, routing)
        setattr(model.get_submodule(parent), name, layer)
    _share_inputs(model)
    return chosen


def _share_inputs(model: nn.Module) -> None:
    """Groups the layers of each block that read the same input."""
    siblings: dict[str, dict[str, MoELoRALinear]] = defaultdict(dict)
    for path, layer in adapters(model):
        parent, _, name = path.rpartition(".")
        siblings[parent][name] = layer
    for layers in siblings.values():
        for names in SHARED:
            found = [layers[name] for name in names if name in layers and layers[name].fuses]
            if len(found) > 1 and len({layer.base.weight.dtype for layer in found}) == 1:
                SharedInput(found).register()


def adapters(model: nn.Module) -> Iterator[tuple[str, MoELoRALinear]]:
    """The adapted layers of a model, with their paths."""
    return ((path, module) for path, module in model.named_modules() if isinstance(module, MoELoRALinear))


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (hasattr(module, "in_features") and hasattr(module, "out_features"))
