"""What a plan asks about ``distill``. No torch: the planner imports it."""

from engine.config import Config
from engine.config.settings.distill import BETTER
from engine.stages import STUDENT_MODEL, Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened: the baseline only where it may be written in place of the distilled student."""
    needed = config.distill.choose == BETTER
    return [name for name in stage.inputs if needed or name != STUDENT_MODEL.stage]
