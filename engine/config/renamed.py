"""Settings of earlier versions: what was renamed since, what became another type, and what was added.

An old name is refused on the command line and read from old run folders. Fingerprints are made as before a rename or an
addition, so that neither makes a finished run obsolete.
"""

from collections.abc import Callable
from typing import Any

RENAMED = {  # old name -> new name, of the same section
    "teacher.rank.trusts": "teacher.rank.student_weights",
    "teacher.rank.voices": "teacher.rank.lm_weights",
    "teacher.rank.blind": "teacher.rank.student_score_dropout",
    "teacher.rank.hide_slots": "teacher.rank.slot_dropout",
    "teacher.rank.warm_epochs": "teacher.rank.pretrain_epochs",
    "teacher.rank.warm_rate": "teacher.rank.pretrain_learning_rate",
    "knowledge.rows": "knowledge.query_selection",
    "knowledge.ends": "knowledge.last_position",
    "distill.ends": "distill.last_position",
}
FIRST_NAMES = {new: old for old, new in RENAMED.items()}
# Once true or false, now words of which these are two.
WORDS = {"evaluate.hide_seen", "knowledge.hide_seen", "trainer.cuda_graph"}
ADDED = {  # new setting -> the value that gives what earlier versions did
    "data.quoted": True,
    "data.columns.key": None,
    "data.known": None,
    "data.catalogue_separator": None,
    "student.init_from": None,
    "distill.student.init_from": None,
    "student.refit": False,
    "distill.student.refit": False,
    "teacher.without_titles": False,
    "backbone.sha256": None,
    "backbone.blocks": None,
    "backbone.text_model": None,
    "backbone.whiten": False,
    "backbone.dimension": None,
    "teacher.batch_tokens": None,
    "teacher.rank.text_score_dropout": 0.0,
    "knowledge.batch_tokens": None,
    "knowledge.models": ["teacher"],
    "knowledge.weights": None,
    "knowledge.choose_weights": False,
    "knowledge.refit": False,
    "distill.own_vectors": True,
    "distill.choose": "distilled",
    "trainer.strategy": "ddp",
    "health.gpu_idle": 0.0,
    "health.memory": 1.0,
    "search.student": None,
    "search.student_epochs": None,
    "search.teacher": None,
    "search.teacher_epochs": None,
    "search.distill": None,
    "search.distill_epochs": None,
}
ADDED_SECTIONS = ("search",)


def translated(tree: Any, prefix: str = "") -> Any:
    """A copy of the settings below ``prefix`` under today's names, with the settings that were added."""
    found = _renamed(tree, prefix, RENAMED, lambda value: str(value).lower() if isinstance(value, bool) else value)
    if isinstance(found, dict) and not prefix:
        for section in ADDED_SECTIONS:
            found.setdefault(section, {})
    for key, value in ADDED.items():
        *sections, name = key.removeprefix(prefix).split(".")
        node = found if key.startswith(prefix) else None
        for section in sections:
            node = node.get(section) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.setdefault(name, value)
    return found


def original(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings below ``prefix`` as the first version would have written them, for fingerprints."""
    found: dict[str, Any] = _renamed(
        _before(settings, prefix), prefix, FIRST_NAMES, lambda word: {"true": True, "false": False}.get(word, word)
    )
    return found


def _before(tree: Any, prefix: str) -> Any:
    """The settings without those that were added and do what earlier versions did."""
    if not isinstance(tree, dict):
        return tree
    kept = {key: value for key, value in tree.items() if ADDED.get(prefix + key, ...) != value}
    return {key: _before(value, f"{prefix}{key}.") for key, value in kept.items()}


def _renamed(tree: Any, prefix: str, names: dict[str, str], word: Callable[[Any], Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    found = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        value = word(value) if name in WORDS else _renamed(value, f"{name}.", names, word)
        found[names.get(name, name).rpartition(".")[2]] = value
    return found
