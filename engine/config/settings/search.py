"""How long a search on validation rows chose the present settings: a record, which changes no result.

Whoever searches longer finds more, so a comparison is fair only where both sides searched alike. Trials of unequal
length are no equal search: beside their number stand the epochs that they trained, all seeds of a trial included.
"""

from dataclasses import dataclass

from engine.config.settings import setting

MEANING = "trials on validation rows that chose the settings of {}; 0: none; null: not recorded"
EPOCHS = {  # stage that trains a model -> the setting with the most epochs of a training
    "student": "student.epochs",
    "teacher": "teacher.epochs",
    "distill": "distill.student.epochs",
}
LENGTH = "epochs that all these trials for {} trained at most; null: not recorded"


@dataclass
class SearchSettings:
    """The search behind the settings of each stage that trains a model; ``engine tune`` counts its own."""

    student: int | None = setting(MEANING.format("the student"), low=0)
    student_epochs: int | None = setting(LENGTH.format("the student"), low=0)
    teacher: int | None = setting(MEANING.format("the teacher"), low=0)
    teacher_epochs: int | None = setting(LENGTH.format("the teacher"), low=0)
    distill: int | None = setting(MEANING.format("distillation"), low=0)
    distill_epochs: int | None = setting(LENGTH.format("distillation"), low=0)


def epochs_of(trials: str) -> str:
    """The setting with the epochs of the trials that the setting ``trials`` counts."""
    return f"{trials}_epochs"
