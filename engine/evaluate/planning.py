"""What a plan and a benchmark ask about ``evaluate``. No torch: the planner imports it."""

from pathlib import Path

from engine.config import Config
from engine.errors import ConfigError
from engine.report.evaluation import read
from engine.stages import BASELINE, DISTILLED, METRICS_TABLE, MODELS, REFITS, SEQUENCES, TEACHER, Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened: the data, and the makers of the models that are ranked."""
    if config.knowledge.files is not None and TEACHER in config.evaluate.models:
        raise ConfigError(
            "no teacher can be ranked, because knowledge.files holds rankings of training rows alone",
            location="evaluate.models",
            remedy="Leave teacher out: evaluate.models=[popularity,student,distilled].",
        )
    trained = {BASELINE: config.student.refit, DISTILLED: config.distill.student.refit}
    for model in config.evaluate.models:
        if not trained.get(REFITS.get(model, ""), True):
            raise ConfigError(
                f"no {model} is trained",
                location="evaluate.models",
                remedy=f"Set student.refit=true, or leave {model} out.",
            )
    optional = {artifact.stage for artifact in MODELS.values()} - {SEQUENCES.stage}
    wanted = {MODELS[model].stage for model in config.evaluate.models}
    return [name for name in stage.inputs if name not in optional or name in wanted]


def work_done(folder: Path) -> int:
    """Rankings that the run at ``folder`` made."""
    return sum(int(row["rows"]) for row in read(folder, METRICS_TABLE))
