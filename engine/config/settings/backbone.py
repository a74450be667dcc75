"""Settings of the ``backbone`` stage: which language model, and what becomes of the items' texts in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class ScratchSettings:
    """A small Llama with its own tokenizer, pre-trained on the catalogue and the training histories as titles."""

    vocabulary: int = setting("tokens at most, the 256 bytes included", low=300, high=200_000)
    width: int = setting("model width H", low=8, high=8192)
    layers: int = setting("transformer blocks", low=1, high=128)
    heads: int = setting("attention heads", low=1, high=128)
    feedforward: int = setting("width inside a block's feed-forward part", low=8)
    context: int = setting("tokens of a training text", low=16, high=32768)
    steps: int = setting("optimizer steps", low=1)
    batch: int = setting("texts in a step", low=1)
    catalogue: float = setting("share of the texts that are catalogue entries, the others are histories", low=0, high=1)
    held_out: float = setting("share of the users whose histories only measure the loss", above=0, below=1)
    learning_rate: float = setting("step size of AdamW after warm-up; it falls to zero as a cosine", above=0)
    warmup: int = setting("steps in which the learning rate rises from zero", low=0)
    weight_decay: float = setting("decoupled decay of matrices", low=0)
    clip: float | None = setting("gradients are scaled down to this total norm", above=0)
    evaluate_every: int = setting("steps between two measurements of the held-out loss", low=1)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.width % self.heads or (self.width // self.heads) % 2:
            yield (
                "width",
                f"must be an even number of times heads={self.heads}, because positions turn pairs of numbers",
            )


@dataclass
class BackboneSettings:
    """One frozen language model."""

    source: str = setting(
        "where it comes from; none: text vectors alone", choices=("scratch", "path", "hub", "gguf", "package", "none")
    )
    name: str | None = setting(
        "hub: owner/name; path: the folder with the model's files; gguf: the file; package: the Python package"
    )
    revision: str | None = setting("hub: branch, tag or commit; the commit found is recorded")
    copy: bool = setting("path, hub: keep a copy of the weights in the run; otherwise only where they lie")
    sha256: str | None = setting("package: digest of the file that its parts make")
    blocks: int | None = setting("keep the first blocks of the model and its final norm; null: all", low=1, high=1000)
    quantise: str = setting("weights in 8 or 4 bits (bitsandbytes)", choices=("none", "8bit", "4bit"))
    seed: int = setting("seed of initial weights and of the order of texts", low=0, high=2**31 - 1)
    precision: str = setting("number format of the model", choices=("32-true", "bf16-mixed"))
    text: str = setting("what an item's text vector is made of", choices=("title", "title-and-text"))
    pooling: str = setting(
        "an item's text vector: mean of its tokens' last states, the last one, or mean of its tokens' embeddings",
        choices=("mean", "last", "tokens"),
    )
    text_model: str | None = setting(
        "a sentence encoder for the items' text vectors alone: a folder, owner/name of the hub, or package:NAME"
    )
    whiten: bool = setting("text vectors: principal components, each scaled to variance 1 over the items")
    dimension: int | None = setting("text vectors: keep this many principal components; null: all", low=1, high=16384)
    text_tokens: int = setting("tokens of an item's text that are read", low=1)
    batch_tokens: int = setting("tokens read at once when text vectors are made", low=16)
    scratch: ScratchSettings | None = setting("the model that is pre-trained here, where source is scratch")

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.source == "scratch" and self.scratch is None:
            yield "scratch", "must have values, because backbone.source=scratch uses them"
        if self.source == "none" and self.text_model is None:
            yield "text_model", "must be given, because backbone.source=none has no language model to read texts"
        if self.source not in ("scratch", "none") and not self.name:
            yield "name", f"must be given, because backbone.source={self.source} reads it"
        if self.source == "scratch" and self.quantise != "none":
            yield "quantise", "must be none, because a model made here is small"
        if self.source == "scratch" and self.blocks is not None:
            yield "blocks", "must be null, because backbone.scratch.layers says how many a model made here has"
        if self.source in ("gguf", "package") and (self.quantise != "none" or not self.copy):
            name = "quantise" if self.quantise != "none" else "copy"
            yield name, f"must be {'none' if name == 'quantise' else 'true'}, because the file is dequantised and saved"
        if self.source == "package" and not self.sha256:
            yield "sha256", "must be given, because the parts of a package are checked against it"
