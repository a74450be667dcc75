import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RunError
from engine.runs import files
from engine.runs.files import Replacing, hold, read_json, refused, require_folder, to_line, write_json


def test_a_record_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, 2.5, None, "é"], "b": {"c": True}})
    assert read_json(tmp_path / "x.json") == {"a": [1, 2.5, None, "é"], "b": {"c": True}}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_becomes_one_line_of_strict_json(value: object) -> None:
    line = to_line(value)
    assert b"\n" not in line
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_damaged_record_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert read_json(tmp_path / "x.json") is None


def test_texts_of_a_record_are_cleaned(tmp_path: Path) -> None:
    (tmp_path / "escaped.json").write_text('{"name": "a\\u001b[2Jb"}')
    (tmp_path / "raw.json").write_text('{"name": "a\u202eb\x7f"}')
    assert read_json(tmp_path / "escaped.json") == {"name": "ab"}
    assert read_json(tmp_path / "raw.json") == {"name": "a\ufffdb\ufffd"}


def test_a_failed_write_leaves_the_old_record_and_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "x.json", {"old": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left on device\n.*MiB free\. Make room \(engine rm"):
        write_json(tmp_path / "x.json", {"new": 1})
    assert read_json(tmp_path / "x.json") == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    final = tmp_path / "artifacts" / "model.safetensors"
    with Replacing(final) as scratch:
        assert scratch.suffix == ".safetensors"  # libraries choose a format by it
        scratch.write_bytes(b"half")
        assert not final.exists()
        scratch.write_bytes(b"whole")
    assert final.read_bytes() == b"whole"
    with pytest.raises(KeyError), Replacing(final) as scratch:
        scratch.write_bytes(b"half of another")
        raise KeyError
    assert final.read_bytes() == b"whole"
    assert not scratch.exists()


def test_a_folder_appears_whole_and_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with Replacing(tmp_path / "model") as scratch:
            scratch.mkdir()
            (scratch / name).write_text(name)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["second"]


def test_two_files_may_be_written_at_the_same_time(tmp_path: Path) -> None:
    with Replacing(tmp_path / "a") as one, Replacing(tmp_path / "b") as two:
        one.write_text("1")
        two.write_text("2")
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("1", "2")


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nothing was written"), Replacing(tmp_path / "a"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_in_the_middle_of_a_file_is_an_error_with_a_remedy(tmp_path: Path, number: int) -> None:
    with pytest.raises(RunError) as caught, Replacing(tmp_path / "model") as scratch:
        scratch.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert caught.value.location == str(tmp_path / "model")
    assert "engine resume" in caught.value.remedy
    assert not (tmp_path / "model").exists()
    assert not scratch.exists()


def test_a_librarys_own_error_on_a_full_disk_is_reported_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(RunError, match="No space left"), Replacing(tmp_path / "model"):
        raise ValueError("PytorchStreamWriter failed writing file")


def test_other_errors_inside_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Replacing(tmp_path / "model"):
        (tmp_path / "missing").read_text()
    error = RunError("already described")
    with pytest.raises(RunError) as caught, Replacing(tmp_path / "model"):
        raise error
    assert caught.value is error


def test_each_refusal_names_its_own_remedy(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "x"
    assert "ulimit -f" in refused(OSError(errno.EFBIG, ""), path).remedy
    assert "writable" in refused(OSError(errno.EROFS, ""), path).remedy
    assert "MiB free" in refused(OSError(errno.ENOSPC, ""), path).remedy
    assert "engine resume" not in refused(OSError(errno.ENOSPC, ""), path, "choose another file").remedy


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EIO, errno.EMFILE])
def test_no_error_but_a_full_disk_speaks_of_room(tmp_path: Path, number: int) -> None:
    error = refused(OSError(number, ""), tmp_path / "x")
    assert os.strerror(number) in error.cause
    assert "room" not in error.remedy
    assert "MiB" not in error.remedy


def test_an_error_without_a_number_keeps_its_own_words(tmp_path: Path) -> None:
    assert refused(OSError("the stream was closed"), tmp_path / "x").cause == "cannot be written: the stream was closed"


def test_a_path_that_cannot_exist_is_refused_and_not_looked_for(tmp_path: Path) -> None:
    assert "too long" in refused(OSError(errno.ENAMETOOLONG, ""), tmp_path / ("x" * 300)).cause
    require_folder(tmp_path / ("x" * 300))  # the error comes with the first access


def test_a_file_or_what_lies_below_one_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(RunError, match="is a file, not a folder") as caught:
            require_folder(path)
        assert caught.value.location == str(tmp_path / "file")
    require_folder(tmp_path)
    require_folder(tmp_path / "not" / "there")


def test_a_lock_is_held_by_one_until_its_last_copy_is_closed(tmp_path: Path) -> None:
    first = hold(tmp_path / "lock")
    assert first is not None
    assert hold(tmp_path / "lock") is None
    copy = os.dup(first)
    os.close(first)
    assert hold(tmp_path / "lock") is None
    os.close(copy)
    again = hold(tmp_path / "lock")
    assert again is not None
    os.close(again)


def test_a_lock_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: No such file"):
        hold(tmp_path / "missing" / "lock")


def test_a_file_system_without_locks_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with pytest.raises(RunError, match=r"cannot be locked: No locks available\n.*local disk"):
        hold(tmp_path / "lock")
