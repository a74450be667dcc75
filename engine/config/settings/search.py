"""How many trials on validation rows chose the present settings: a record, which changes no result.

Whoever searches longer finds more, so a comparison is fair only where both sides searched alike.
"""

from dataclasses import dataclass

from engine.config.settings import setting

MEANING = "trials on validation rows that chose the settings of {}; 0: none; null: not recorded"


@dataclass
class SearchSettings:
    """Trials behind the settings of each stage that trains a model; ``engine tune`` counts its own."""

    student: int | None = setting(MEANING.format("the student"), low=0)
    teacher: int | None = setting(MEANING.format("the teacher"), low=0)
    distill: int | None = setting(MEANING.format("distillation"), low=0)
