"""What holds for every format."""

from typing import Any

import pytest

from engine.data.layouts import LAYOUTS
from engine.errors import DataError

EMPTY: dict[str, tuple[str, dict[str, str]]] = {
    "ml-100k": ("ml-100k", {"u.data": "", "u.item": ""}),
    "pairs": ("pairs", {"ml-1m.txt": "\n\n"}),
    "ml-dat": ("ml-10m", {"ratings.dat": "", "movies.dat": ""}),
    "ml-csv": ("ml-20m", {"ratings.csv": "userId,movieId,rating,timestamp\n", "movies.csv": ""}),
    "llara": (
        "lastfm",
        {"train_data.jsonl": "", "Val_data.jsonl": "", "Test_data.jsonl": "", "id2name.txt": "0::a\n"},
    ),
    "sequences": ("sequences", {"user_sequence.txt": " \n"}),
    "amazon-2014": ("amazon-2014", {"reviews_Video_Games_5.json": ""}),
    "amazon-2018": ("amazon-2018", {"Video_Games_5.json": "\n"}),
    "amazon-2023": ("amazon-2023", {"Video_Games.jsonl": ""}),
    "recbole": ("recbole", {"x.inter": "user_id:token\titem_id:token\ttimestamp:float\n"}),
    "table": ("table", {"x.csv": "user,item,time\n"}),
}


@pytest.mark.parametrize("format", LAYOUTS)
def test_an_empty_set_is_an_error_with_its_file_and_a_remedy(sets: Any, format: str) -> None:
    choice, files = EMPTY[format]
    for name, content in files.items():
        sets.write(name, content)
    with pytest.raises(DataError, match="empty") as error:
        sets.read(choice)
    assert error.value.location.startswith(str(sets.folder)) and error.value.remedy


@pytest.mark.parametrize("format", LAYOUTS)
def test_a_folder_with_the_name_of_a_file_is_not_read_as_it(sets: Any, format: str) -> None:
    choice, files = EMPTY[format]
    for name in files:
        (sets.folder / name).mkdir()
    with pytest.raises(DataError) as error:
        sets.read(choice)
    assert error.value.remedy


HOSTILE = "\x1b[2Jx\x07\u202e"
BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "ml-100k": ("ml-100k", {"u.data": f"1\t1\t{HOSTILE}\t1\n", "u.item": "1|T|||" + "|0" * 19 + "\n"}),
    "catalogue": ("ml-100k", {"u.data": "1\t1\t1\t1\n", "u.item": HOSTILE + "\n"}),
    "header": ("ml-20m", {"ratings.csv": HOSTILE + ",b\n1,2\n", "movies.csv": ""}),
    "sequences": ("sequences", {"user_sequence.txt": HOSTILE + "\n"}),
    "llara": (
        "lastfm",
        {"train_data.jsonl": "{}", "Val_data.jsonl": "{}", "Test_data.jsonl": "{}", "id2name.txt": HOSTILE + "\n"},
    ),
    "json": ("amazon-2023", {"Video_Games.jsonl": f'"{HOSTILE}"\n'.replace("\x1b", "\\u001b").replace("\x07", "")}),
    "recbole": ("recbole", {"x.inter": HOSTILE + "\n"}),
    "names": ("ml-1m", {HOSTILE: ""}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_fault_is_quoted_without_what_a_terminal_would_obey(sets: Any, case: str) -> None:
    choice, files = BROKEN[case]
    for name, content in files.items():
        sets.write(name, content)
    with pytest.raises(DataError) as error:
        sets.read(choice)
    assert str(error.value).replace("\n", "").isprintable()
