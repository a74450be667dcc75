"""Settings of the ``student`` stage: the sequential recommender and how it is trained.

A field that does not apply to the chosen model is null in its YAML.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting

MODELS = ("sasrec", "sasrec-reference", "gru4rec", "caser")
LOSSES = ("cross-entropy", "sampled-softmax", "bce", "gbce")


@dataclass
class StudentSettings:
    """One small sequential recommender."""

    model: str = setting("which network reads the history", choices=MODELS)
    init_from: str | None = setting(
        "id of a finished student run whose weights training goes on from, of data whose ids these continue; null: none"
    )
    seed: int = setting("seed of initial weights, order, windows, dropout and negatives", low=0, high=2**31 - 1)
    precision: str = setting("number format of the forward pass", choices=("32-true", "bf16-mixed"))
    max_length: int = setting("latest items that are read", low=1, high=4096)
    hidden: int = setting("model width D", low=1, high=4096)
    blocks: int | None = setting("transformer blocks", low=1, high=64)
    heads: int | None = setting("attention heads", low=1, high=64)
    feedforward: float | None = setting("width inside a block's feed-forward part, in multiples of D", above=0, high=16)
    activation: str | None = setting("nonlinearity of the feed-forward part", choices=("relu", "gelu", "swiglu"))
    norm: str | None = setting("layer norm before each part (pre) or after its sum (post)", choices=("pre", "post"))
    gated: bool | None = setting("each part is multiplied by a sigmoid gate of its input (LiGR), for deep models")
    positions: str | None = setting("position vectors", choices=("learned", "none"))
    filters: int | None = setting("Caser: horizontal filters of each height", low=1)
    heights: list[int] | None = setting("Caser: heights of the horizontal filters, in items", low=1)
    dropout: float = setting("share of activations set to zero in training", low=0, below=1)
    attention_dropout: float | None = setting("share of attention weights set to zero in training", low=0, below=1)
    initial: float = setting("standard deviation of the initial item vectors", above=0)
    normalise: bool = setting("states and item vectors have length 1 (use a small temperature then)")
    temperature: float = setting("scores are divided by it", above=0)
    loss: str = setting("what is minimised at every position", choices=LOSSES)
    negatives: int | None = setting("items drawn: sampled-softmax per batch, bce and gbce per position", low=1)
    calibration: float | None = setting("gbce: t, 0 is plain BCE and 1 gives unbiased probabilities", low=0, high=1)
    windows: str = setting(
        "part of a longer history that an epoch sees: its last max_length items, or a random stretch",
        choices=("last", "random"),
    )
    batch: int = setting("sequences in a step, over all devices", low=1)
    epochs: int = setting("passes over the users at most", low=1)
    learning_rate: float = setting("step size of AdamW after warm-up", above=0)
    warmup: int = setting("steps in which the learning rate rises from zero", low=0)
    schedule: str = setting("learning rate after warm-up", choices=("constant", "cosine", "linear"))
    weight_decay: float = setting("decoupled decay of matrices and item vectors", low=0)
    beta2: float = setting("AdamW's decay of squared gradients", above=0, below=1)
    clip: float | None = setting("gradients are scaled down to this total norm", above=0)
    average: float | None = setting("decay of the running mean of weights that is evaluated and kept", above=0, below=1)
    evaluate_every: int = setting("epochs between two evaluations on the validation rows", low=1)
    patience: int = setting("evaluations without a new best before training ends; 0: never", low=0)
    refit: bool = setting(
        "train a second model for as many epochs on training and validation events, which no validation row can judge, "
        "of the student and of the distilled one: evaluate.models=[...,student-refit,distilled-refit] ranks them"
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.model == "sasrec":
            for name in ("blocks", "heads", "feedforward", "activation", "norm", "gated", "positions"):
                if getattr(self, name) is None:
                    yield name, "must have a value, because student.model=sasrec uses it"
            if self.heads is not None and self.hidden % self.heads:
                yield "hidden", f"must be a multiple of student.heads={self.heads}"
            if self.gated and self.norm == "post":
                yield "norm", "must be pre, because gated blocks are defined that way"
        if self.model == "caser":
            if self.filters is None or not self.heights:
                yield "heights", "and student.filters must have values, because student.model=caser uses them"
            elif max(self.heights) > self.max_length:
                yield "heights", f"must be at most student.max_length={self.max_length}"
        if self.loss != "cross-entropy" and self.negatives is None:
            yield "negatives", f"must have a value, because student.loss={self.loss} draws negative items"
        if self.loss == "gbce" and self.calibration is None:
            yield "calibration", "must have a value, because student.loss=gbce uses it"
