"""One word per thing: the field's standard terms in identifiers and settings, and one meaning per class name."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FILES = sorted(file for room in ("engine", "cockpit") for file in (ROOT / room).rglob("*.py"))

# A word of no meaning of its own, or with another one in the field -> what is written instead.
INSTEAD = {
    "place": "index, path, location, device, rank, row",
    "trusts": "student_weights",
    "voices": "lm_weights",
    "blind": "student_score_dropout",
    "warm": "head pretraining",
    "settle": "freeze",
    "told": "prediction, given, reported",
    "teller": "scorer",
    "asking": "rank collator",
    "telling": "generate collator",
    "questions": "prompt spans",
    "phrasebook": "prompt tokenizer",
    "ways": "scorers",
    "saying": "generative, annotate",
    "liking": "popularity",
    "furthest": "top_fraction",
    "brought": "imported",
    "taught": "teacher targets",
    "conductor": "training callback",
    "course": "training plan",
    "standing": "state, status",
    "folded": "merged",
    "material": "inputs",
    "journal": "event writer",
    "ticket": "queue entry",
    "turn": "queue entry",
    "said": "generative, message",
    "people": "users",
    "gains": "per-user gain",
    "desk": "context",
    "talk": "message line",
    "going": "navigate",
    "steering": "control",
    "taking": "export",
    "tryout": "recommend",
    "tried": "recommendation",
    "rung": "nice_step",
}
# Names of libraries, and words that mean what they say.
ALLOWED = {"JournalStorage", "JournalFileBackend", "journal"}


def parts(name: str) -> set[str]:
    """Words of a snake_case or CamelCase name, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def identifiers(file: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME and token.string not in ALLOWED:
            yield token.start[0], token.string


def test_identifiers_are_the_fields_words() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line} {name}: write {INSTEAD[word]}"
        for file in FILES
        for line, name in identifiers(file)
        for word in parts(name) & INSTEAD.keys()
    ]
    assert found == []


def test_files_and_folders_are_named_in_the_fields_words() -> None:
    names = {part for file in FILES for part in file.relative_to(ROOT).with_suffix("").parts}
    assert {name for name in names if parts(name) & INSTEAD.keys()} == set()


def keys(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield str(key)
            yield from keys(value)


@pytest.mark.parametrize("file", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda file: file.stem)
def test_settings_are_named_in_the_fields_words(file: Path) -> None:
    found = set(keys(yaml.safe_load(file.read_text(encoding="utf-8"))))
    assert {key for key in found if parts(key) & INSTEAD.keys()} == set()


def test_a_class_name_means_one_thing() -> None:
    homes = defaultdict(list)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(file.relative_to(ROOT).as_posix())
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
