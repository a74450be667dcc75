"""What a plan asks about ``distill``. No torch: the planner imports it."""

from engine.config import Config
from engine.config.settings.distill import BETTER
from engine.errors import ConfigError
from engine.stages import STUDENT_MODEL, Stage
from engine.student.planning import one_device


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened: the baseline only where it may be written in place of the distilled student."""
    needed, student = config.distill.choose == BETTER, config.distill.student
    one_device(student, config, "distill.student")
    if needed and student.refit and not config.student.refit:
        raise ConfigError(
            "where the baseline is written in place of the distilled student, no second model of it is there",
            location="distill.student.refit",
            remedy="Set student.refit=true, or distill.choose=distilled.",
        )
    return [name for name in stage.inputs if needed or name != STUDENT_MODEL.stage]
