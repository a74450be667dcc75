"""Which files belong to a set: found under every packing, identified by name, reported with a remedy where missing."""

import subprocess
import sys
from typing import Any

import pytest

from engine.config.settings.data import FORMATS
from engine.data.layouts import LAYOUTS
from engine.data.sources import files, find, folder_of
from engine.errors import DataError


def parts(sets: Any, choice: str, **changes: Any) -> dict[str, str]:
    given = sets.settings(choice, **changes)
    return {role: str(source)[len(str(sets.folder)) + 1 :] for role, source in find(given, sets.folder).parts.items()}


def test_every_format_of_the_settings_has_a_layout() -> None:
    assert {"auto", "demo", *LAYOUTS} == set(FORMATS)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_is_found_plain_or_packed(sets: Any, suffix: str) -> None:
    sets.write("u.data" + suffix, "")
    sets.write("u.item", "")
    assert parts(sets, "ml-100k") == {"interactions": "u.data" + suffix, "catalogue": "u.item"}


def test_members_of_a_zip_are_found_below_any_folder(sets: Any) -> None:
    archive = sets.write_zip("x.zip", {"ml-100k/u.data": "", "ml-100k/u.item": "", "__MACOSX/ml-100k/u.data": ""})
    wanted = {"interactions": "x.zip:ml-100k/u.data", "catalogue": "x.zip:ml-100k/u.item"}
    assert parts(sets, "ml-100k") == wanted
    assert find(sets.settings("ml-100k"), archive).parts["interactions"].member == "ml-100k/u.data"


def test_the_unpacked_file_comes_before_the_packed_one(sets: Any) -> None:
    sets.write("ratings.csv", "")
    sets.write("movies.csv", "")
    sets.write_zip("ml.zip", {"ratings.csv": "", "movies.csv": ""})
    assert parts(sets, "ml-20m") == {"interactions": "ratings.csv", "catalogue": "movies.csv"}


def test_a_zip_with_two_candidates_names_them(sets: Any) -> None:
    sets.write_zip("ml.zip", {"a/ratings.csv": "", "b/ratings.csv": "", "movies.csv": ""})
    with pytest.raises(DataError, match=r"a/ratings\.csv, b/ratings\.csv") as error:
        parts(sets, "ml-20m")
    assert "data.file" in error.value.remedy and error.value.location.endswith("ml.zip")


def test_two_tables_in_a_folder_have_to_be_told_apart(sets: Any) -> None:
    sets.write("a.csv", "")
    sets.write("b.csv", "")
    with pytest.raises(DataError, match=r"a\.csv, b\.csv"):
        parts(sets, "table")
    assert parts(sets, "table", file="b.csv", catalogue="a.csv") == {"interactions": "b.csv", "catalogue": "a.csv"}


def test_a_zipped_file_may_have_another_name_inside(sets: Any) -> None:
    sets.write_zip("events.csv.zip", {"export.txt": ""})
    assert parts(sets, "table", file="events.csv") == {"interactions": "events.csv.zip:export.txt"}


def test_the_path_may_be_the_file_itself(sets: Any) -> None:
    file = sets.write("mine.txt", "")
    given = sets.settings("pairs", path=str(file))
    assert find(given, folder_of(given)).parts["interactions"].path == file


@pytest.mark.parametrize(
    ("names", "format"),
    [
        (["u.data", "u.item"], "ml-100k"),
        (["ml-1m.txt.gz", "movies.dat", "sas_to_original_items.txt"], "pairs"),
        (["ratings.dat", "movies.dat"], "ml-dat"),
        (["ratings.csv", "movies.csv"], "ml-csv"),
        (["train_data.jsonl", "Val_data.jsonl.gz", "Test_data.jsonl", "id2name.txt"], "llara"),
        (["user_sequence.txt"], "sequences"),
        (["ml-100k.inter", "ml-100k.item"], "recbole"),
        (["events.parquet"], "table"),
    ],
)
def test_the_format_is_told_from_the_names(sets: Any, names: list[str], format: str) -> None:
    for name in names:
        sets.write(name, "")
    assert find(sets.settings("ml-1m"), sets.folder).format == format


def test_amazon_files_are_told_by_their_category(sets: Any) -> None:
    sets.write("Video_Games.jsonl.gz", "")
    sets.write("meta_Video_Games.jsonl.gz", "")
    wanted = {"interactions": "Video_Games.jsonl.gz", "catalogue": "meta_Video_Games.jsonl.gz"}
    assert parts(sets, "amazon-2023") == wanted
    with pytest.raises(DataError, match=r"Toys\.jsonl"):
        parts(sets, "amazon-2023", category="Toys")


def test_a_missing_file_lists_what_was_looked_for_and_what_is_there(sets: Any) -> None:
    sets.write("u.item", "")
    with pytest.raises(DataError, match=r"u\.data") as error:
        parts(sets, "ml-100k")
    assert "There is: u.item." in error.value.remedy and error.value.location == str(sets.folder)


def test_a_missing_file_in_a_folder_below_is_pointed_out(sets: Any) -> None:
    sets.write("ml-100k/u.data", "")
    with pytest.raises(DataError) as error:
        parts(sets, "ml-100k")
    assert f"data.path={sets.folder / 'ml-100k'}" in error.value.remedy


def test_an_unknown_layout_lists_the_formats(sets: Any) -> None:
    sets.write("notes.md", "")
    with pytest.raises(DataError, match="no layout") as error:
        parts(sets, "ml-1m")
    assert "notes.md" in error.value.remedy and "recbole" in error.value.remedy


def test_a_named_catalogue_that_is_missing_is_an_error(sets: Any) -> None:
    sets.write("a.txt", "")
    with pytest.raises(DataError, match=r"names\.txt"):
        parts(sets, "pairs", file="a.txt", catalogue="names.txt")


def test_a_damaged_archive_is_an_error(sets: Any) -> None:
    sets.write("x.zip", "PK but not a zip")
    with pytest.raises(DataError, match="damaged"):
        parts(sets, "ml-100k")


def test_a_folder_that_is_not_there_is_an_error(sets: Any) -> None:
    with pytest.raises(DataError, match="no such") as error:
        files(sets.settings("ml-100k", path=str(sets.folder / "nowhere")))
    assert "data.path" in error.value.remedy


def test_the_planner_hashes_what_is_read_and_nothing_for_made_or_fetched_sets(sets: Any) -> None:
    data, item = sets.write("u.data.gz", ""), sets.write("u.item", "")
    sets.write("u.user", "")
    assert files(sets.settings("ml-100k")) == sorted([data, item])
    assert files(sets.settings("demo")) == []
    assert files(sets.settings("ml-100k", path=None)) == []


def test_a_set_without_files_that_may_not_be_fetched_says_so(sets: Any) -> None:
    with pytest.raises(DataError, match="may not be fetched") as error:
        files(sets.settings("lastfm", path=None))
    assert "data.path=DIR" in error.value.remedy


def test_asking_for_files_imports_the_standard_library_only() -> None:
    code = (
        "import sys, engine.data.sources, engine.data.download\n"
        "print(sorted({'numpy', 'pyarrow', 'pandas', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["ratings[1].csv", "ratings[1].csv.gz", "a b*.csv", "q?.csv"])
def test_a_name_with_brackets_is_that_file_and_not_a_pattern(sets: Any, name: str) -> None:
    path = sets.write(name, "x")
    sets.write("ratings1.csv", "another")
    sets.write("a bc.csv", "another")
    found = find(sets.settings("table", file=name.removesuffix(".gz")), sets.folder)
    assert found.parts["interactions"].path == path


def test_a_name_with_brackets_may_be_a_member_of_a_zip(sets: Any) -> None:
    sets.write_zip("a.zip", {"in/ratings[1].csv": "x", "in/ratings1.csv": "y"})
    found = find(sets.settings("table", file="ratings[1].csv"), sets.folder)
    assert found.parts["interactions"].member == "in/ratings[1].csv"


def test_a_pattern_still_finds_a_file(sets: Any) -> None:
    path = sets.write("ratings1.csv", "x")
    assert find(sets.settings("table", file="ratings[12].csv"), sets.folder).parts["interactions"].path == path


def test_absolute_paths_name_files_outside_of_the_folder(sets: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("out [1]")
    for name in ("x.csv", "items.csv.gz"):
        (outside / name).write_bytes(b"x")
    names = {"file": str(outside / "x.csv"), "catalogue": str(outside / "items.csv")}
    settings = sets.settings("table", **names)
    for given in (settings, sets.settings("table", path=None, **names)):
        parts = find(given, folder_of(given)).parts
        assert parts["interactions"].path == outside / "x.csv" and parts["catalogue"].path == outside / "items.csv.gz"


@pytest.mark.parametrize("name", ["gone/x.csv", "/gone/x.csv", "**x", "[", "x.csv/y.csv", "../x[.csv"])
def test_a_named_file_that_is_not_there_lists_those_there_are(sets: Any, name: str) -> None:
    sets.write("x.csv", "x")
    with pytest.raises(DataError, match="needs") as error:
        find(sets.settings("table", file=name), sets.folder)
    assert "There is: x.csv" in error.value.remedy


def test_a_named_file_comes_before_the_file_that_the_path_is(sets: Any) -> None:
    one, other = sets.write("x.csv", "x"), sets.write("y.csv", "y")
    for name, path in (("y.csv", other), ("x.csv", one), (None, one)):
        settings = sets.settings("table", file=name, path=str(one))
        assert find(settings, folder_of(settings)).parts["interactions"].path == path
