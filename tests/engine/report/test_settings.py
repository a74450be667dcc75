from pathlib import Path

import pytest

from engine.errors import UserError
from engine.report.settings import flat, settings_of
from engine.runs.schema import CONFIG


def test_a_tree_becomes_dotted_names() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_settings_are_read_flat_and_clean(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{student: {name: "x\\e[31my", sizes: [1, 2]}, seed: 3}')
    assert settings_of(tmp_path) == {"student.name": "xy", "student.sizes": [1, 2], "seed": 3}


def test_a_configuration_that_cannot_be_read_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("{a: [")
    with pytest.raises(UserError, match=f"engine rm {tmp_path.name}"):
        settings_of(tmp_path)
