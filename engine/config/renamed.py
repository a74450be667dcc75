"""Settings that were renamed. An old name is refused on the command line, and read from old run folders.

Fingerprints are made under the first name of each setting, so that a rename makes no finished run obsolete.
"""

from typing import Any

RENAMED = {  # old name -> new name
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
WORDS = {"evaluate.hide_seen", "knowledge.hide_seen"}  # once true or false, now words of which these are two


def translated(tree: Any, prefix: str = "", names: dict[str, str] = RENAMED) -> Any:
    """A copy of a tree of settings below the section ``prefix`` in which every old name is the new one."""
    if not isinstance(tree, dict):
        return tree
    found = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if name in WORDS:
            value = {"true": True, "false": False}.get(value, value) if names is FIRST_NAMES else _word(value)
        found[names.get(name, name).rpartition(".")[2]] = translated(value, f"{name}.", names)
    return found


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
