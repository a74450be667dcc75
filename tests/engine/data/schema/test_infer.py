"""Tables as other people write them, read by their path alone: what is inferred is right, or a person is asked."""

import shlex
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from engine.config import load
from engine.data.interactions import Interactions
from engine.data.readers import read
from engine.data.schema.infer import completed
from engine.data.sources import find, folder_of
from engine.errors import DataError
from tests.fixtures.foreign_tables import ASKED, EVENTS, MOVIES, SECONDS, SHAPES, STARS, TITLES, csv, frame, parquet


def path_of(sets: Any, files: dict[str, str | bytes]) -> str:
    for name, content in files.items():
        if name:
            sets.write(name, content)
    return str(sets.folder / next(iter(files)))


def found(path: str, *overrides: str) -> tuple[list[str], Interactions]:
    words, _ = completed([*overrides, f"data.path={path}"])
    settings = load(words).data
    return words, read(settings, find(settings, folder_of(settings)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_is_read_by_its_path_alone(sets: Any, shape: str) -> None:
    files, columns, titled = SHAPES[shape]
    words, events = found(path_of(sets, files))
    inferred = {
        word.split("=", 1)[0].removeprefix("data.columns."): word.split("=", 1)[1]
        for word in words
        if "columns" in word
    }
    assert {role: column for role, column in inferred.items() if column != "null"} == {
        r: c for r, c in columns.items() if c
    }
    wanted = [(user, f"B00000{item}" if "amazon's" in shape else item) for user, item in EVENTS]
    assert sets.events(events) == wanted
    if "time" in columns:
        unit = 1 if events.time[1] - events.time[0] == 86_399 else 86_399 / (events.time[1] - events.time[0])
        steps = [round(float(step - events.time[0]) * unit) for step in events.time]
        assert steps == [second - SECONDS[0] for second in SECONDS] or "dates" in shape
    if titled:
        assert {item: sets.titles(events)[item] for item in TITLES} == TITLES


@pytest.mark.parametrize("shape", SHAPES)
def test_the_words_that_are_shown_say_the_same_without_a_look_at_the_file(sets: Any, shape: str) -> None:
    path = path_of(sets, SHAPES[shape][0])
    words, text = completed([f"data.path={path}"])
    assert completed(words) == (words, "")
    assert load(words).data.columns is not None and "in words: " in text


@pytest.mark.parametrize("shape", ASKED)
def test_what_is_not_sure_is_asked_at_once_and_an_answer_is_enough(sets: Any, shape: str) -> None:
    files, message, answer = ASKED[shape]
    path = path_of(sets, files)
    with pytest.raises(DataError) as error:
        found(path)
    assert [part for part in message if part not in str(error.value)] == []
    assert len(sets.events(found(path, *answer)[1])) == len(EVENTS)


def test_settings_that_are_given_win(sets: Any) -> None:
    path = sets.write(
        "x.csv", csv(frame("user", "item", customer=[u + "c" for u, _ in EVENTS], time=SECONDS, rating=STARS))
    )
    words, events = found(str(path), "data.columns.user=customer", "data.columns.time=null", "data.name=mine")
    assert events.users.to_pylist() == ["207c", "208c", "209c"] and events.time is None
    assert [word for word in words if word.startswith("data.name")] == ["data.name=mine"]
    _, text = completed(["data.columns.user=customer", "data.columns.time=null", f"data.path={path}"])
    typed = shlex.split(text.split("in words: ")[1])
    assert load(typed).data.columns == load(words).data.columns  # what is shown is whole
    assert {word.partition("=")[0] for word in typed if typed.count(word) > 1} == set()


def test_a_chosen_set_or_experiment_is_not_looked_into(sets: Any) -> None:
    for words in (["data=table", "data.path=/nowhere"], ["experiment=ml-1m", "data.path=/nowhere"], ["seed=3"]):
        assert completed(words) == (words, "")
    with pytest.raises(DataError, match="no such file"):
        completed(["data.path=/nowhere"])


def test_an_experiment_about_the_demo_is_run_on_the_table(sets: Any) -> None:
    path = sets.write("x.csv", csv(frame(time=SECONDS)))
    config = load(completed(["experiment=no-gate", f"data.path={path}"])[0])
    assert config.data.format == "table" and config.teacher.gate.kind == "uniform"


@pytest.mark.parametrize(
    ("files", "format", "name"),
    [
        ({"": "", "u.data": "1\t2\t3\t4\n", "u.item": "2|a|||\n"}, "ml-100k", "ml-100k"),
        ({"ratings.dat": "1::2::3::4\n", "movies.dat": "2::a::b\n"}, "ml-dat", None),
        (
            {"": "", "a.inter": "user_id:token\titem_id:token\n1\t2\n", "a.item": "item_id:token\n2\n"},
            "recbole",
            "recbole",
        ),
        (
            {
                "": "",
                "ratings.csv": csv(frame("userId", "movieId", rating=5, timestamp=1)),
                "movies.csv": "movieId,title,genres\n",
            },
            "ml-csv",
            None,
        ),
    ],
)
def test_files_of_a_published_layout_are_read_as_such(sets: Any, files: Any, format: str, name: str | None) -> None:
    words, text = completed([f"data.path={path_of(sets, files)}"])
    settings = load(words).data
    named = sets.folder.name if "" in files else "ratings"
    assert settings.format == format and settings.name == (name or named) and "published layout" in text
    assert settings.core_users == 0 and settings.min_rating is None  # nothing is filtered that nobody asked for


@pytest.mark.parametrize("marks", [(";", ";"), (",", ";"), ("\t", "\t")])
def test_files_that_have_only_the_names_of_movielens_are_a_table(sets: Any, marks: tuple[str, str]) -> None:
    events = [("userId", "movieId", "rating", "timestamp")]
    events += [(f"u{n % 7}", n % 11 + 20, n % 5 + 1, 1_600_000_000 + n * 977) for n in range(60)]
    films = [("movieId", "title"), *((n + 20, f"A film of {n} parts") for n in range(11))]
    for name, rows, mark in zip(("ratings.csv", "movies.csv"), (events, films), marks, strict=True):
        sets.write(name, "".join(mark.join(map(str, row)) + "\n" for row in rows))
    words, text = completed([f"data.path={sets.folder}"])
    data = load(words).data
    assert data.format == "table" and "published layout" not in text
    assert (data.columns.user, data.columns.item, data.file) == ("userId", "movieId", "ratings.csv")


def test_the_data_set_is_called_as_its_file(sets: Any) -> None:
    path = sets.write("purchases 2024.csv.gz", csv(frame()))
    assert load(found(str(path))[0]).data.name == "purchases 2024"


def test_a_path_in_the_home_folder_is_one(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.write("x.csv", csv(frame()))
    monkeypatch.setenv("HOME", str(sets.folder))
    assert len(sets.events(found("~/x.csv")[1])) == len(EVENTS)


def test_a_large_file_is_known_from_its_beginning(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.data.schema.delimited.BLOCK", 150)
    path = sets.write("x.csv", csv(frame("userId", "movieId", timestamp=SECONDS)) + "broken line\n")
    assert "data.columns.user=userId" in completed([f"data.path={path}"])[0]


def test_a_table_of_other_ids_beside_has_no_titles_of_these_items(sets: Any) -> None:
    sets.write("countries.csv", "id,name\n" + "".join(f"{number},Land {number}\n" for number in range(9)))
    sets.write("again.csv", "id,name\n" + "".join(f"{item},Thing {n}\n" for n, (_, item) in enumerate(EVENTS)))
    path = sets.write("x.csv", csv(frame(time=SECONDS)))
    words, _ = found(str(path))
    assert not any("catalogue" in word or "title" in word for word in words)  # the second repeats its ids


def test_titles_in_two_tables_beside_are_asked_for(sets: Any) -> None:
    for name in ("films", "movies"):
        sets.write(f"{name}.csv", "item,title\n" + MOVIES.replace(",Drama|Comedy", ""))
    path = sets.write("x.csv", csv(frame(time=SECONDS)))
    with pytest.raises(DataError) as error:
        found(str(path))
    assert "data.catalogue=films.csv data.columns.title=title or data.catalogue=movies.csv" in error.value.remedy
    for answer in (["data.columns.title=title"], [], ["data.columns.key=item"]):
        _, events = found(str(path), "data.catalogue=films.csv", *answer)
        assert sets.titles(events)["1101"] == TITLES["1101"]
    sets.write("films.csv", "film,called\n1101,Blue\n")
    with pytest.raises(DataError, match="no column of titles") as error:
        found(str(path), "data.catalogue=films.csv")
    answer = ["data.columns.title=called", "data.columns.key=film"]
    assert sets.titles(found(str(path), "data.catalogue=films.csv", *answer)[1]) == {"1101": "Blue"}


def test_a_broken_file_beside_is_no_catalogue_and_stops_nothing(sets: Any) -> None:
    sets.write("movies.parquet", b"PAR1 cut short")
    assert len(sets.events(found(str(sets.write("x.csv", csv(frame(time=SECONDS)))))[1])) == len(EVENTS)


@pytest.mark.parametrize("marks", [(",", ";"), (";", ","), ("|", "\t"), ("\t", ";")])
@pytest.mark.parametrize("named", [False, True])
def test_a_catalogue_may_have_a_separator_of_its_own(sets: Any, marks: tuple[str, str], named: bool) -> None:
    table = frame("user", "item", time=SECONDS)
    sets.write("events.csv", csv(table, marks[0]))
    titles = pd.DataFrame({"item": sorted(set(table["item"]))})
    titles["title"] = [f"The film {name}, one; two" for name in titles["item"]]
    sets.write("titles.csv", csv(titles, marks[1]))
    given = ["data.catalogue=titles.csv"] if named else []
    words, events = found(str(sets.folder / "events.csv"), *given)
    assert sets.titles(events) == dict(zip(titles["item"], titles["title"], strict=True))
    settings = load(words).data
    assert settings.catalogue == "titles.csv" and settings.catalogue_separator is not None


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_dates_with_dots_name_the_day_first_where_a_day_is_above_twelve(sets: Any, name: str) -> None:
    days = ["31.05.2024", "01.06.2024", "02.06.2024", "1.12.2024", "11.12.2024", "3.1.2025", *["04.01.2025"] * 3]
    table = frame("user", "item", date=days)
    path = sets.write(name, csv(table) if name.endswith("csv") else parquet(pa.Table.from_pandas(table)))
    _, events = found(str(path))
    assert [moment / 86_400e6 - events.time[0] / 86_400e6 for moment in events.time] == [0, 1, 2, 184, 194, 217] + [
        218
    ] * 3
    assert "(day.month.year)" in completed([f"data.path={path}"])[1]


def test_a_day_above_31_or_a_month_above_12_is_named_by_its_line(sets: Any) -> None:
    sets.write("x.csv", "user,item,date\nu,a,31.05.2024\nu,b,05.31.2024\n")
    with pytest.raises(DataError, match=r"date is '05\.31\.2024'") as error:
        sets.read("table", columns={"user": "user", "item": "item", "time": "date", "key": None, "rating": None,
                                    "title": None, "text": None})  # fmt: skip
    assert error.value.location.endswith(":3")
