"""Several folders of runs: their names, and which one a run lies in."""

import pytest

from cockpit.services.folders import named
from engine.errors import UserError


def test_a_folder_is_called_as_it_is_named_or_as_on_the_disk(tmp_path):
    found = named([str(tmp_path / "a" / "runs"), f"big={tmp_path / 'b' / 'runs'}", str(tmp_path / "c" / "runs")])
    assert list(found.named) == ["runs", "big", "c/runs"] and found.several
    assert found.main == found.named["runs"] == tmp_path / "a" / "runs"


def test_a_folder_whose_own_name_has_an_equals_sign_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x=y").mkdir()
    assert named(["x=y"]).main == tmp_path / "x=y"


def test_a_run_lies_in_its_folder_and_a_command_in_that_of_the_runs_it_names(tmp_path):
    found = named([f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}"])
    found.where = {"student-1": "a", "student-2": "b"}
    assert found / "student-2" == tmp_path / "b" / "student-2" and found / "new" == tmp_path / "a" / "new"
    assert found.of(["stop", "student-2"]) == tmp_path / "b" and found.of(["config"]) is None
    assert found.of(["compare", "A=student-2,student-2"]) == tmp_path / "b"
    assert "different folders (a and b)" in found.trouble(["compare", "A=student-1", "B=student-2"])
    assert not found.trouble(["rm", "student-1"])


def test_what_cannot_be_is_an_error_with_its_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="two folders are called 'a'"):
        named([f"a={tmp_path}", f"a={tmp_path / 'b'}"])
    with pytest.raises(UserError, match="given twice"):
        named([str(tmp_path), f"again={tmp_path}"])
    with pytest.raises(UserError, match="is a file"):
        named([str(tmp_path / "file")])
