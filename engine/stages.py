"""The table of stages: what each one is called, needs, makes and reports. Everything else derives from it.

Standard library only: the command line, the run folder and the cockpit all import this file.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """A file that one stage makes and later stages may open, below ``runs/<id>/artifacts/``."""

    stage: str
    file: str
    help: str


@dataclass(frozen=True)
class Metric:
    """A number that a stage reports. ``goal`` is "max", "min" or "" (neither is better)."""

    name: str
    goal: str
    help: str
    unit: str = ""


@dataclass(frozen=True)
class Stage:
    """One word: the package in ``engine/``, the group in ``conf/``, the folder in ``tests/engine/``."""

    name: str
    help: str
    needs: tuple[Artifact, ...]
    makes: tuple[Artifact, ...]
    metrics: tuple[Metric, ...]
    groups: tuple[str, ...]  # parameter groups whose gradients are reported; group.0-10: its blocks 0 to 10
    gates: bool  # reports gate weights
    version: int  # raise it when the same settings give other results: finished runs are then not reused
    work: tuple[str, str]  # the noted fact that counts a run's work, and its unit: the speeds of engine bench
    alternatives: tuple[Metric, ...] = ()  # each the main metric of runs that report it instead of the first one

    @property
    def built(self) -> bool:
        """Whether the stage can run in this version of the program."""
        return (Path(__file__).parent / self.name / "stage.py").is_file()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the stages whose artifacts are opened, in table order."""
        makers = {artifact.stage for artifact in self.needs}
        return tuple(name for name in STAGES if name in makers)

    def main_metric(self, reported: Collection[str] = ()) -> Metric | None:
        """The metric that charts and tables show first, of a run that has reported metrics of these names."""
        instead = (metric for metric in self.alternatives if metric.name in reported)
        return next(chain(instead, self.metrics), None)


PROFILE = Artifact("data", "profile.json", "counts, split, order rule, hash of the test targets")
ITEMS = Artifact("data", "items.parquet", "one row per item id 1..n: raw id, title, text, times seen in training")
USERS = Artifact("data", "users.parquet", "one row per user index 0..m-1: raw id")
SEQUENCES = Artifact("data", "sequences.safetensors", "training sequences: flat item ids and offsets")
VALIDATION = Artifact("data", "validation.safetensors", "validation rows: histories and targets")
TEST_HISTORIES = Artifact("data", "test_histories.safetensors", "history of each test row, without the target")
TEST = Artifact("data", "test.safetensors", "held-out test rows: only evaluate may open them")
ORACLE = Artifact("data", "oracle.safetensors", "demo world only: the generator's own scores of the test rows")

STUDENT_MODEL = Artifact("student", "model.safetensors", "weights of the best evaluation, settings in the header")
STUDENT_REFIT = Artifact(
    "student", "refit.safetensors", "weights of a second training, on training and validation events (student.refit)"
)

LANGUAGE_MODEL = Artifact("backbone", "language_model", "frozen language model and tokenizer (a folder)")
TEXT_VECTORS = Artifact("backbone", "text_vectors.safetensors", "one text vector per item id, row 0 is the padding's")

ADAPTER = Artifact("teacher", "adapter.safetensors", "trained tensors and buffers: LoRA, gate, projector, head")

RANKINGS = Artifact("knowledge", "rankings.safetensors", "the teacher's first items and distances of training rows")
LAST_POSITION = Artifact("knowledge", "last_position.safetensors", "the same after each user's last training event")
RANKINGS_REFIT = Artifact(
    "knowledge",
    "rankings_refit.safetensors",
    "rankings that count validation events, too (student.refit)",
)
ITEM_VECTORS = Artifact("knowledge", "item_vectors.safetensors", "the teacher's vector of every item")
GATE_WEIGHTS = Artifact("knowledge", "gate_weights.safetensors", "expert weights of every ranked and held-out row")
TEACHER_HELD_OUT = Artifact("knowledge", "held_out.safetensors", "the teacher's validation and test queries")

DISTILLED_MODEL = Artifact("distill", "model.safetensors", "weights of the best evaluation, settings in the header")
DISTILLED_REFIT = Artifact(
    "distill", "refit.safetensors", "weights of a second training, on training and validation events (student.refit)"
)

METRICS_TABLE = Artifact("evaluate", "metrics.csv", "one row per model, split and protocol")
SLICES_TABLE = Artifact("evaluate", "slices.csv", "the same for parts of the test rows: head, tail, short ...")
COMPARISONS = Artifact("evaluate", "comparisons.csv", "differences of models over the same test rows")
OVERLAPS = Artifact("evaluate", "overlaps.csv", "share of common first items, of every two models")
ROW_RANKS = Artifact("evaluate", "ranks.parquet", "rank of the target, per row, model and protocol")
CANDIDATES = Artifact(
    "evaluate", "candidates.safetensors", "the target and its negatives per row, for candidate ranking"
)

VAL_RECALL = Metric("val_recall@10", "max", "share of validation rows whose target is among the first ten")
VAL_NDCG = Metric("val_ndcg@10", "max", "1 / log2(rank + 1) where the target is among the first ten, else 0; mean")
VAL_LM_NDCG = Metric(
    "val_lm_ndcg@10", "", "val_ndcg@10 of the language model's states alone, without student and text vectors"
)
CANDIDATE_HR = Metric(
    "candidate_hr@1",
    "max",
    "share of validation rows whose target the teacher names among the candidates in its prompt",
)
CANDIDATE_HR_OF_VALID = Metric("candidate_hr@1_of_valid", "max", "the same, of the rows on which it names a candidate")
VALID_RATIO = Metric("valid_ratio", "max", "share of validation rows on which the teacher names a candidate")
LOSS = Metric("loss", "min", "training loss", "nats")
LEARNING_RATE = Metric("lr", "", "learning rate")
SPEED = Metric("positions_per_second", "max", "supervised positions trained per second of wall time", "1/s")
POSITIONS = ("positions", "positions")  # the work of a stage that trains
TRAINED = (VAL_RECALL, VAL_NDCG, LOSS, LEARNING_RATE, SPEED)

# The terms of distill's loss, each reported with its weight and its share of the gradient.
TERMS = {
    "base": "the student's own loss",
    "dro": "robust loss over propensities",
    "ranking": "importance-weighted ranking distillation",
    "kl": "divergence from the teacher's probabilities",
    "last_position": "divergence from the teacher's probabilities after the last event of each history",
    "hint": "distance to the teacher's item vectors",
}
TERM_METRICS = tuple(
    metric
    for name, what in TERMS.items()
    for metric in (
        Metric(name, "min", f"term of the loss: {what}", "nats" if name != "hint" else ""),
        Metric(f"{name}_weight", "", f"weight in the loss: {what}"),
        Metric(f"{name}_share", "", f"share of the gradient's norm: {what}"),
    )
)

_TABLE = (
    Stage(
        "data",
        "raw files to id sequences, titles and splits",
        needs=(),
        makes=(PROFILE, ITEMS, USERS, SEQUENCES, VALIDATION, TEST_HISTORIES, TEST, ORACLE),
        metrics=(),
        groups=(),
        gates=False,
        version=2,
        work=("interactions", "events"),
    ),
    Stage(
        "student",
        "trains a sequential recommender on the data alone: the baseline, and the teacher's user encoder",
        needs=(PROFILE, SEQUENCES, VALIDATION),
        makes=(STUDENT_MODEL, STUDENT_REFIT),
        metrics=TRAINED,
        groups=("embedding", "blocks", "output"),
        gates=False,
        version=3,
        work=POSITIONS,
    ),
    Stage(
        "backbone",
        "makes the frozen language model ready: hub, local folder, or pre-trained here on the catalogue's own text",
        needs=(ITEMS, SEQUENCES),
        makes=(LANGUAGE_MODEL, TEXT_VECTORS),
        metrics=(Metric("val_loss", "min", "held-out loss per token", "nats"), LOSS, LEARNING_RATE),
        groups=("embedding", "blocks", "output"),
        gates=False,
        version=1,
        work=POSITIONS,
    ),
    Stage(
        "teacher",
        "trains iLoRA on the frozen backbone, gated by the frozen student's user vectors",
        needs=(PROFILE, ITEMS, SEQUENCES, VALIDATION, STUDENT_MODEL, LANGUAGE_MODEL, TEXT_VECTORS),
        makes=(ADAPTER,),
        metrics=(*TRAINED, VAL_LM_NDCG, CANDIDATE_HR, CANDIDATE_HR_OF_VALID, VALID_RATIO),
        groups=("lora_a", "lora_b", "gate", "projector", "head"),
        gates=True,
        version=6,
        work=POSITIONS,
        alternatives=(CANDIDATE_HR,),  # of one that generates titles
    ),
    Stage(
        "knowledge",
        "ranks the catalogue for every training row with the teacher, once, and stores the rankings",
        needs=(
            PROFILE,
            ITEMS,
            SEQUENCES,
            VALIDATION,
            TEST_HISTORIES,
            STUDENT_MODEL,
            LANGUAGE_MODEL,
            TEXT_VECTORS,
            ADAPTER,
        ),
        makes=(RANKINGS, LAST_POSITION, RANKINGS_REFIT, ITEM_VECTORS, GATE_WEIGHTS, TEACHER_HELD_OUT),
        metrics=(VAL_RECALL, VAL_NDCG),
        groups=(),
        gates=True,
        version=7,
        work=("rows", "rows"),
    ),
    Stage(
        "distill",
        "trains the student again with the teacher's knowledge (DLLM2Rec)",
        needs=(
            PROFILE,
            SEQUENCES,
            VALIDATION,
            STUDENT_MODEL,
            STUDENT_REFIT,
            RANKINGS,
            LAST_POSITION,
            RANKINGS_REFIT,
            ITEM_VECTORS,
        ),
        makes=(DISTILLED_MODEL, DISTILLED_REFIT),
        metrics=(*TRAINED, *TERM_METRICS),
        groups=("embedding", "blocks", "output", "projector"),
        gates=False,
        version=5,
        work=POSITIONS,
    ),
    Stage(
        "evaluate",
        "ranks the test rows with every model, the same way",
        needs=(
            PROFILE,
            ITEMS,
            SEQUENCES,
            VALIDATION,
            TEST,
            ORACLE,
            STUDENT_MODEL,
            STUDENT_REFIT,
            TEACHER_HELD_OUT,
            DISTILLED_MODEL,
            DISTILLED_REFIT,
        ),
        makes=(METRICS_TABLE, SLICES_TABLE, COMPARISONS, OVERLAPS, ROW_RANKS, CANDIDATES),
        metrics=(
            Metric(
                "ndcg@10",
                "max",
                "1 / log2(rank + 1) where the target is among the first ten, else 0; mean over test rows",
            ),
            Metric("hr@10", "max", "share of test rows whose target is among the first ten"),
        ),
        groups=(),
        gates=False,
        version=4,
        work=("", "rankings"),
    ),
)

# Facts that a run notes about what it chose on validation rows: its figure there minus that on others.
BEST_OPTIMISM = "best_optimism"  # of the evaluation that a training kept
GAMMA_OPTIMISM = "gamma_optimism"  # of the gamma that knowledge chose
WEIGHTS_OPTIMISM = "weights_optimism"  # of the weights of a mixture that knowledge chose

REFIT_SECONDS = "refit_seconds"  # wall time of a second training

# Median milliseconds of one request: fact of a knowledge run and column of the metrics table, by what computed it.
PROCESSOR_TIME, GPU_TIME = "ms_per_request", "ms_per_request_gpu"
REQUEST_TIMES = (PROCESSOR_TIME, GPU_TIME)
TRAIN_TOKENS = "train_tokens"  # of prompts, read by the language model: a fact of a teacher and a column of its table


def request_time(device: str) -> str:
    """The name of the time that was measured on a device."""
    return PROCESSOR_TIME if device == "cpu" else GPU_TIME


# What can be ranked against each other, and the artifact it is ranked by: popularity is the floor, oracle the ceiling.
FLOOR, TRANSITIONS, TITLES, BLEND = "popularity", "transitions", "titles", "transitions+titles"
CEILING, BASELINE, TEACHER, DISTILLED = "oracle", "student", "teacher", "distilled"
# What knows validation events, too, and is ranked on test rows alone: by name the model that it is otherwise.
BLEND_AGAIN, BASELINE_AGAIN, DISTILLED_AGAIN = "transitions+titles-refit", "student-refit", "distilled-refit"
REFITS = {BLEND_AGAIN: BLEND, BASELINE_AGAIN: BASELINE, DISTILLED_AGAIN: DISTILLED}
MODELS: dict[str, Artifact] = {
    FLOOR: SEQUENCES,
    TRANSITIONS: SEQUENCES,
    TITLES: ITEMS,
    BLEND: ITEMS,
    BLEND_AGAIN: ITEMS,
    CEILING: ORACLE,
    BASELINE: STUDENT_MODEL,
    BASELINE_AGAIN: STUDENT_REFIT,
    TEACHER: TEACHER_HELD_OUT,
    DISTILLED: DISTILLED_MODEL,
    DISTILLED_AGAIN: DISTILLED_REFIT,
}
UNTRAINED = (FLOOR, TRANSITIONS, TITLES, BLEND)  # they need the data alone, and a trained model has to beat them
REFERENCES = (*UNTRAINED, BLEND_AGAIN, CEILING)  # the same for every run on the same data

EXPORTED = (DISTILLED, BASELINE, BASELINE_AGAIN, DISTILLED_AGAIN)  # the first one there is, unless a name is given

STAGES: dict[str, Stage] = {stage.name: stage for stage in _TABLE}


def makes(stage: str, artifact: Artifact) -> bool:
    """Whether runs of this stage make the artifact."""
    return artifact.stage == stage


def pipeline(target: str) -> Iterator[Stage]:
    """``target`` and every stage it may need, makers first."""
    wanted: set[str] = set()

    def visit(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for maker in STAGES[name].inputs:
                visit(maker)

    visit(target)
    return (stage for name, stage in STAGES.items() if name in wanted)
