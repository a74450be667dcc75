"""What a plan asks about ``teacher``. No torch: the planner imports it."""

from engine.config import Config
from engine.errors import ConfigError
from engine.stages import Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened. ConfigError where the backbone is none that the teacher can use."""
    backbone = config.backbone
    if backbone.source == "none":
        raise ConfigError(
            "a teacher reads prompts with a language model, and this backbone has none",
            location="backbone.source",
            remedy="Choose one, with the sentence encoder beside it if you like: backbone=scratch "
            f"backbone.text_model={backbone.text_model}; or an experiment without a teacher: text-vectors, "
            "sequential-text.",
        )
    # Titles that a teacher has generated are looked up by the language model's own vectors of them.
    changed = [name for name in ("text_model", "whiten", "dimension") if getattr(backbone, name)]
    if changed and config.teacher.objective == "generate":
        raise ConfigError(
            "a teacher that generates titles needs text vectors of its own language model, unchanged",
            location=f"backbone.{changed[0]}",
            remedy="Set "
            + ", ".join(f"backbone.{name}={'false' if name == 'whiten' else 'null'}" for name in changed)
            + ", or teacher=rank.",
        )
    return list(stage.inputs)
