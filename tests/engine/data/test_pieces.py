"""Tables in pieces: which files are one table, in which order, and what the folders around them say."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.pieces import alike, in_order, partition, pieces_of, unpacked
from engine.data.sources import files
from engine.errors import DataError
from tests.engine.data.conftest import Sets

UUID = "8a3f2b1c-1d2e-4f5a-9b8c-7d6e5f4a3b2c"
EVENTS = [("u", "a"), ("u", "b"), ("v", "a"), ("v", "c")]


def table(sets: Sets, **changes: object) -> list[tuple[str, str]]:
    return sets.events(sets.read("table", **changes))


def write(sets: Sets, names: list[str]) -> None:
    """An event a file, in order of the names."""
    for name, (user, item) in zip(names, EVENTS, strict=False):
        sets.write(name, f"user,item,time\n{user},{item},1\n")


@pytest.mark.parametrize(
    "names",
    [
        ["part-1.csv", "part-2.csv", "part-10.csv"],
        [f"part-0000{n}-{UUID}-c000.csv" for n in range(3)],
        [f"part-{n}-{own}f2b1c-1d2e-4f5a-9b8c-7d6e5f4a3b2c.csv" for n, own in enumerate(("abc", "bcd", "cde"))],
        [f"events-{n:012}.csv.gz" for n in range(3)],
        ["x.csv/part.0.csv", "x.csv/part.1.csv", "x.csv/part.2.csv"],
        ["day=1/part-0.csv", "day=2/part-0.csv", "day=2/part-1.csv"],
        ["year=2024/day=9/a.csv", "year=2024/day=10/a.csv", "year=2025/day=1/a.csv"],
    ],
)
def test_files_of_one_name_but_for_numbers_are_one_table(sets: Sets, names: list[str]) -> None:
    write(sets, names)
    for beside in ("_SUCCESS", "._part-1.csv", ".part-1.csv.crc"):
        sets.write(str(Path(names[0]).parent / beside), "not a table")
    assert table(sets) == EVENTS[:3]
    assert files(sets.settings("table")) == sorted(sets.folder / name for name in names)


def test_files_that_differ_in_letters_have_to_be_named(sets: Sets) -> None:
    write(sets, ["train.csv", "test.csv"])
    with pytest.raises(DataError, match="several files"):
        table(sets)
    assert table(sets, file="train.csv") == EVENTS[:1]


def test_a_pattern_or_a_folder_may_be_named(sets: Sets) -> None:
    write(sets, ["events-1.csv", "events-2.csv", "other.csv"])
    assert table(sets, file="events-*.csv") == EVENTS[:2]
    assert table(sets, file=str(sets.folder / "events-*.csv")) == EVENTS[:2]
    write(sets, ["log/1.csv", "log/2.csv"])
    assert table(sets, file="log") == EVENTS[:2]


def test_other_formats_have_no_pieces(sets: Sets) -> None:
    for name in ("a1.inter", "a2.inter"):
        sets.write(name, "user_id:token\titem_id:token\nu\ta\n")
    sets.write("a.item", "item_id:token\n")
    with pytest.raises(DataError, match="several files"):
        sets.read("recbole")


def test_a_folder_names_the_value_of_a_column(sets: Sets) -> None:
    for day, item in (("2024-05-31", "a"), ("2024-05-01", "b")):
        (sets.folder / f"day={day}").mkdir()
        pa.parquet.write_table(pa.table({"user": ["u"], "item": [item]}), sets.folder / f"day={day}" / "0.parquet")
    columns = {"user": "user", "item": "item", "key": None, "time": "day", "rating": None, "title": None, "text": None}
    read = sets.read("table", columns=columns)
    assert sets.events(read) == [("u", "b"), ("u", "a")] and read.time is not None
    assert (read.time[1] - read.time[0]) / 86_400e6 == 30


def test_a_fault_in_a_piece_names_the_piece_and_its_line(sets: Sets) -> None:
    sets.write("p-1.csv", "user,item,time\nu,a,1\n")
    sets.write("p-2.csv", "user,item,time\nu,a,1\nu,,1\n")
    with pytest.raises(DataError) as error:
        table(sets)
    assert error.value.location.endswith("p-2.csv:3")


def test_whole_times_here_and_fractions_there_are_one_column(sets: Sets) -> None:
    sets.write("p-1.csv", "user,item,time\nu,a,7\n")
    sets.write("p-2.csv", "user,item,time\nu,b,7.5\n")
    assert sets.read("table").time.tolist() == [7.0, 7.5]  # type: ignore[union-attr]


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1))
def test_pieces_are_in_order_of_their_numbers(numbers: list[int]) -> None:
    paths = [Path(f"part-{number}.csv") for number in numbers]
    assert in_order(paths) == [Path(f"part-{number}.csv") for number in sorted(numbers)] and alike(paths)


def test_a_partition_is_what_the_folders_between_say(tmp_path: Path) -> None:
    assert partition(tmp_path / "a=1" / "b=x=y" / "f.csv", tmp_path) == {"a": "1", "b": "x=y"}
    assert partition(tmp_path / "f.csv", tmp_path) == {} == partition(Path("/a=1/f.csv"), tmp_path)


def test_a_folder_without_tables_has_no_pieces(tmp_path: Path) -> None:
    (tmp_path / "a=1").mkdir()
    (tmp_path / "notes.md").write_text("")
    assert pieces_of(tmp_path) == ()


@pytest.mark.parametrize(("name", "wanted"), [("a.csv.zst", "a.csv"), ("a.csv", "a.csv"), ("a.gz.csv", "a.gz.csv")])
def test_what_packs_a_file_is_no_part_of_its_name(name: str, wanted: str) -> None:
    assert unpacked(name) == wanted
