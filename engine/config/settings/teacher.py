"""Settings of the ``teacher`` stage: prompts, experts, gate, objective and training."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting

AUTO = ("auto",)
OBJECTIVES = ("rank", "generate")  # each has the section of its name, and a teacher one of them
GATES = ("softmax", "mlp", "topk", "noisy", "noisy_mlp", "dropout", "resnet1d", "uniform")


@dataclass
class LoraSettings:
    """Low-rank experts beside frozen linear maps."""

    targets: list[str] = setting("last names of the linear maps that get experts; all: each of them")
    rank: int = setting("rank of all experts together", low=1, high=4096)
    experts: int = setting("number of experts", low=1, high=256)
    alpha: float = setting("the experts' sum is scaled by alpha / (rank / experts)", above=0)
    dropout: float = setting("share of rank channels set to zero in training", low=0, below=1)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.rank % self.experts:
            fits = max(1, self.rank // self.experts) * self.experts
            yield "rank", f"must be a multiple of experts={self.experts}, such as {fits}, because they share it evenly"


@dataclass
class GateSettings:
    """From the student's user vector to the weights of the experts."""

    kind: str = setting(
        "softmax: a linear map (the paper); resnet1d: the released router; uniform: no gate", choices=GATES
    )
    hidden: int = setting("mlp, noisy_mlp: hidden width", low=1)
    top: int = setting("topk: experts that stay on; 1 leaves the gate without a gradient", low=1)
    norm: str = setting("resnet1d: batch is the released one, group looks at one user only", choices=("group", "batch"))


@dataclass
class RankSettings:
    """The rank objective: scores of the whole catalogue after each item of a history."""

    width: int = setting("width of the correction that text adds to the student's scores", low=1)
    states: bool = setting("the correction reads the language model's states; false: the text vectors alone")
    dropout: float = setting("share of what the correction reads that is set to zero in training", low=0, below=1)
    targets: int = setting("events asked for in one prompt, one after the other", low=1)
    pretrain_epochs: int = setting("passes that train the head on text vectors before the language model runs", low=0)
    pretrain_learning_rate: float = setting("their first learning rate; it falls to zero", above=0)
    student_score_dropout: float = setting("share of positions trained without the student's score", low=0, high=1)
    text_score_dropout: float = setting(
        "share of positions on which the language model is trained without the text's score", low=0, high=1
    )
    student_weights: list[float] = setting(
        "shares of the student's score, of which validation chooses one; 0: text alone, 0.5: both, 1: student alone",
        low=0,
        high=1,
    )
    lm_weights: list[float] = setting(
        "weights of what the language model adds, of which validation chooses one; 0 stands for text and student alone",
        low=0,
    )
    slot_dropout: float = setting("share of slots that keep their token's embedding in training", low=0, high=1)


@dataclass
class GenerateSettings:
    """The generate objective: candidates in the prompt, the answer is a title (iLoRA's own protocol)."""

    candidates: int = setting("titles to choose from, the right one among them", low=2)
    new_tokens: int = setting("tokens of an answer at most", low=1)
    match: str = setting("how an answer is read: an exact title first, or as published", choices=("exact", "published"))
    second_begin: bool = setting("the answer begins with the token that begins every text, as released")
    curriculum: bool = setting("text-only prompts at first, then more and more with item vectors (LLaRA)")
    scoring: str = setting(
        "greedy: the generated title; likelihood: every candidate's", choices=("greedy", "likelihood")
    )


@dataclass
class TeacherSettings:
    """One teacher."""

    objective: str = setting("what the language model is trained to do", choices=OBJECTIVES)
    seed: int = setting("seed of initial weights, order, templates, candidates and dropout", low=0, high=2**31 - 1)
    precision: str = setting("frozen weights in float32, or in bfloat16", choices=("32-true", "bf16-mixed"))
    quantise: str = setting("frozen weights in 8 or 4 bits (bitsandbytes)", choices=("none", "8bit", "4bit"))
    templates: list[str] = setting("published sets (movie, game, artist) or texts with [HistoryHere] (and [CansHere])")
    slots: bool = setting("item vectors stand in the prompt's slots; false: a text-only teacher")
    history: int = setting("latest items before the first one asked for that a prompt shows", low=1)
    context: int = setting("tokens of a prompt at most; older items give way", low=16)
    without_titles: bool = setting("train although more than half of the items have no title but their id")
    title_tokens: int = setting("tokens of a title at most", low=1)
    projector: str = setting(
        "slot vectors start at the slot token's embedding, or at random", choices=("slot", "random")
    )
    lora: LoraSettings = setting("low-rank experts beside frozen linear maps")
    gate: GateSettings = setting("from the student's user vector to the weights of the experts")
    rank: RankSettings | None = setting("the rank objective")
    generate: GenerateSettings | None = setting("the generate objective")
    batch: int = setting("prompts in a step", low=1)
    batch_tokens: int | str | None = setting(
        "tokens in a step, in place of a number of prompts; auto: the most that a GPU's memory holds, found by trying; "
        "null: batch prompts",
        low=64,
        words=AUTO,
    )
    accumulate: int = setting("parts of a step that are computed one after the other, to save memory", low=1)
    checkpointing: bool = setting("recompute activations in backward: less memory, a third more time")
    epochs: int = setting("passes over the training rows", low=1)
    steps: int | None = setting("optimizer steps at most; null: as many as the epochs have", low=1)
    optimizer: str = setting("adamw: decoupled weight decay; adam: as published", choices=("adamw", "adam"))
    learning_rate: float = setting("largest step size of experts, projector and head", above=0)
    gate_rate: float = setting("the gate's learning rate in multiples of the others'", above=0)
    floor_rate: float = setting("first and last learning rate in multiples of the largest", low=0, high=1)
    warmup: float = setting("share of the steps in which the learning rate rises", low=0, below=1)
    weight_decay: float = setting("weight decay of gate, projector and head; the experts have none", low=0)
    clip: float | None = setting("gradients are scaled down to this total norm", above=0)
    average: float | None = setting("decay of the running mean of weights that is evaluated and kept", above=0, below=1)
    evaluations: int = setting("evaluations over the whole training", low=1)
    evaluate_rows: int | None = setting("validation rows of an evaluation while training; null: all", low=1)
    patience: int = setting("evaluations without a new best before training ends; 0: never", low=0)

    def total_steps(self, per_epoch: int) -> int:
        """Optimizer steps of the whole training, where an epoch has ``per_epoch``."""
        whole = self.epochs * per_epoch
        return min(whole, self.steps or whole)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if getattr(self, self.objective) is None:
            yield self.objective, f"must have values, because teacher.objective={self.objective} uses them"
        if self.objective == "generate" and not self.templates:
            yield "templates", "must name at least one template"
        if self.batch % self.accumulate:
            yield "batch", f"must be a multiple of accumulate={self.accumulate}"
        if self.gate.top > self.lora.experts:
            yield "gate", f"has top={self.gate.top} of only {self.lora.experts} experts"
        if self.rank is not None and self.objective == "rank" and self.rank.targets > 1:
            if any(not text.endswith(("[HistoryHere]", "[HistoryHere],")) for text in self.templates):
                yield "templates", "must end with [HistoryHere] or [HistoryHere], as rank.targets > 1 reads each item"
            if self.rank.targets * (self.title_tokens + 2) + 16 > self.context:
                yield "context", f"is too short for rank.targets={self.rank.targets} titles of title_tokens each"
