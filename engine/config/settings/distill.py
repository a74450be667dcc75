"""Settings of the ``distill`` stage: the student that is trained again, and what it takes from the teacher."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting
from engine.config.settings.student import StudentSettings

SELECTIONS = ("all", "asked", "kl-divergence", "ground-truth-error")
TABLES = ("inputs", "both")
BETTER = "better"


@dataclass
class InjectionSettings:
    """Teacher's item vectors, projected and added to the student's: x = E + weight * P(v)."""

    weight: float = setting("weight of the projected vectors; 0: none are added", low=0)
    tables: str = setting(
        "where they are added: to the vectors that are read (sasrec scores with them too), or to both tables of others",
        choices=TABLES,
    )
    hidden: int | None = setting("width inside a two-layer projector; null: one linear layer", low=1)
    standardise: bool = setting("vectors are centred and brought to a mean square of 1 before they are projected")


@dataclass
class RankingSettings:
    """DLLM2Rec's importance-weighted ranking distillation."""

    weight: float = setting("lambda, weight of the whole term; 0: no ranking distillation", low=0)
    top: int = setting("K, the teacher's first items that are taught", low=1)
    rows: int | None = setting("positions of a batch that are taught, drawn anew each step; null: all", low=1)
    position: float = setting("gamma of the weight exp(-place)", low=0)
    confidence: float = setting("gamma of the weight exp(-distance)", low=0)
    consistency: float = setting("gamma of the weight of items that are among the student's own first K", low=0)


@dataclass
class DroSettings:
    """Distributionally robust optimisation with propensities."""

    alpha: float = setting("weight beside the base loss and inside the ranking term; 0: none", low=0)
    beta: float = setting("temperature: squared scores are divided by it", above=0)
    power: float = setting("propensity = share of training targets to this power", low=0)


@dataclass
class KlSettings:
    """The teacher's probabilities of its first items as soft targets."""

    weight: float = setting("share of the true target that the teacher's distribution takes; 0: none", low=0, high=1)
    top: int = setting("K, the teacher's first items", low=1)
    temperature: float = setting("the teacher's distances are divided by it", above=0)


@dataclass
class DistillSettings:
    """One student, taught."""

    student: StudentSettings = setting("network and training: those of the student section unless changed here")
    seed: int = setting("seed of the positions and negatives that are drawn for teaching", low=0, high=2**31 - 1)
    as_released: bool = setting("the arithmetic of the published DLLM2Rec program, its two slips included")
    select: str = setting(
        "positions with teacher targets: asked, those the teacher ranked; all, the same but every one must be ranked; "
        "kl-divergence or ground-truth-error, of those the ones where the student differs most",
        choices=SELECTIONS,
    )
    share: float = setting("part of the answered positions that a selection by the student keeps", above=0, high=1)
    injection: InjectionSettings = setting("item vectors of the teacher inside the student's")
    own_vectors: bool = setting(
        "items have a trained vector of their own beside the projected one; false: the projected one alone, which "
        "begins in the size student.initial whatever injection.weight, the speed at which it then moves"
    )
    ranking: RankingSettings = setting("the teacher's first items above drawn ones")
    dro: DroSettings = setting("robust loss, of the target and of the teacher's items")
    kl: KlSettings = setting("the teacher's distribution beside the true target")
    last_position: float = setting(
        "weight of each history's last position, where the next item is held out and the teacher's distribution "
        "(kl.top items at kl.temperature) is the only target; 1: as much as a training row; 0: windows stop before it",
        low=0,
    )
    choose: str = setting(
        "the model that is written: distilled; or better, the distilled one where the 95 % interval of its gain over "
        "the baseline on validation rows lies above zero, else the baseline itself",
        choices=(BETTER, "distilled"),
    )
    hint: float = setting("weight of 1 - cos(mapped state, vector that the teacher expects by its kl.top items)", low=0)

    @property
    def ranked_items(self) -> int:
        """Items of a ranking that are read."""
        return max(self.ranking.top, self.kl.top)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.student.init_from is not None:
            yield "student", "must have init_from=null: a distillation begins with new weights"
        if not self.own_vectors:
            if not self.injection.weight:
                yield "own_vectors", "must be true where distill.injection.weight=0, or items would have no vector"
            if self.student.model != "sasrec" and self.injection.tables != "both":
                yield (
                    "own_vectors",
                    f"must be true, or distill.injection.tables=both, because {self.student.model} scores with "
                    "other vectors than it reads",
                )
        if self.injection.weight and self.student.model == "caser" and self.injection.tables == "both":
            yield "injection", "must have tables=inputs, because caser's states are wider than its item vectors"
        if self.select in ("all", "asked") and self.share != 1.0:
            yield "share", f"must be 1.0, because distill.select={self.select} keeps every answered position"
        if self.as_released:
            if self.student.loss != "bce" or self.student.negatives != 1:
                yield "as_released", "needs distill.student.loss=bce with distill.student.negatives=1, as published"
            if self.kl.weight or self.last_position or self.hint or self.select not in ("all", "asked"):
                yield "as_released", "needs kl.weight=0, last_position=0, hint=0, select=all or asked, as published"
