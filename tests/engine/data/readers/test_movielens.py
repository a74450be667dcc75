"""MovieLens in three layouts: what is read, and every fault with its line."""

from typing import Any

import pytest

from engine.errors import DataError

FLAGS = "|0|1" + "|0" * 17
ITEMS = f"1|Toy Story (1995)|01-Jan-1995||http://x{FLAGS}\n2|Postino, Il (1994)|||{FLAGS}\n3|unknown|||{FLAGS}\n"
RATINGS = "196\t2\t3\t881250949\n186\t1\t4\t891717742\n196\t1\t5\t881250940\n"


def hundred(sets: Any, ratings: str | bytes = RATINGS, items: str | bytes = ITEMS) -> Any:
    sets.write("u.data", ratings)
    sets.write("u.item", items)
    return sets.read("ml-100k")


def fault(sets: Any, **files: str | bytes) -> DataError:
    with pytest.raises(DataError) as error:
        hundred(sets, **files)
    assert error.value.remedy
    return error.value


def test_100k_is_read_with_all_items_of_its_catalogue(sets: Any) -> None:
    read = hundred(sets)
    assert sets.events(read) == [("196", "2"), ("186", "1"), ("196", "1")]
    assert read.time.tolist() == [881250949, 891717742, 881250940] and read.rating.tolist() == [3, 4, 5]
    assert sets.titles(read) == {"1": "Toy Story", "2": "Il Postino", "3": "unknown"}
    assert sorted(read.items.to_pylist()) == ["1", "2", "3"]
    assert read.catalogue.text.to_pylist() == ["1995, Action", "1994, Action", "Action"]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_any_line_end_will_do(sets: Any, end: str) -> None:
    read = hundred(sets, RATINGS.rstrip("\n").replace("\n", end or "\n") + end, ITEMS.replace("\n", end or "\n"))
    assert sets.events(read) == [("196", "2"), ("186", "1"), ("196", "1")] and read.rating.tolist() == [3, 4, 5]
    assert read.time.tolist() == [881250949, 891717742, 881250940]
    assert sets.titles(read) == {"1": "Toy Story", "2": "Il Postino", "3": "unknown"}


def test_a_latin_1_catalogue_is_read_as_such(sets: Any) -> None:
    read = hundred(sets, items=ITEMS.replace("Toy Story", "Misérables, Les").encode("latin-1"))
    assert sets.titles(read)["1"] == "Les Misérables"


def test_a_utf_8_catalogue_with_a_byte_order_mark_is_read_as_such(sets: Any) -> None:
    read = hundred(sets, items=ITEMS.replace("Toy Story", "Cité").encode("utf-8-sig"))
    assert sets.titles(read)["1"] == "Cité"


def test_mixed_encodings_are_an_error_with_the_line(sets: Any) -> None:
    lines = ITEMS.encode().split(b"\n")
    lines[0] = lines[0].replace(b"Toy", "Tö".encode())
    lines[2] = lines[2].replace(b"unknown", "Tö".encode("latin-1"))
    error = fault(sets, items=b"\n".join(lines))
    assert "mixed" in error.cause and error.location.endswith("u.item:3")


def test_a_named_encoding_is_believed(sets: Any) -> None:
    sets.write("u.data", RATINGS)
    sets.write("u.item", ITEMS.replace("Toy", "Тест").encode("cp1251"))
    assert sets.titles(sets.read("ml-100k", encoding="cp1251"))["1"] == "Тест Story"
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        sets.read("ml-100k", encoding="klingon")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("196\t2\t3", "'196 2 3' is not 'user item rating time'"),
        ("196\t2\t3\t881250949\t7", "is not 'user item rating time'"),
        ("196\t2\tgood\t881250949", "rating is 'good', not a number"),
        ("196\t2\t\t881250949", "rating is '', not a number"),
        ("196\t2\tnan\t881250949", "rating is 'nan', not a number"),
        ("\t2\t3\t881250949", "user is empty"),
        ("196\t\t3\t881250949", "item is empty"),
        ("196\t2\t3\tyesterday", "time is 'yesterday'"),
        ("196\t2\t3\t-5", "the time -5 lies before 1970"),
        ("196\t2\t3\t881250949000", "too late, or in another unit"),
        ("196\t2\t3\t99999999999999999999", "too late, or in another unit"),
    ],
)
def test_a_line_that_is_no_rating_is_named(sets: Any, line: str, cause: str) -> None:
    error = fault(sets, ratings=RATINGS + line + "\n" + RATINGS)
    assert cause in error.cause and error.location.endswith("u.data:4")


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_file_is_an_error(sets: Any, content: str) -> None:
    assert "empty" in fault(sets, ratings=content).cause


def test_a_byte_that_is_no_text_is_named(sets: Any) -> None:
    error = fault(sets, ratings=RATINGS.encode() + b"\xff\xfe\t1\t1\t881250949\n")
    assert "0xff" in error.cause and error.location.endswith("u.data:4")


def test_an_item_without_an_entry_is_an_error(sets: Any) -> None:
    assert "item 9 is not in u.item" in fault(sets, ratings=RATINGS + "196\t9\t3\t881250949\n").cause


def test_a_catalogue_line_cut_short_is_named(sets: Any) -> None:
    error = fault(sets, items=ITEMS + "4|Half a li")
    assert error.location.endswith("u.item:4") and "24 fields" in error.cause


def test_a_packed_file_cut_short_is_an_error(sets: Any) -> None:
    packed = sets.write("u.data.gz", RATINGS * 5000)
    packed.write_bytes(packed.read_bytes()[:-40])
    sets.write("u.item", ITEMS)
    with pytest.raises(DataError, match="damaged or cut short"):
        sets.read("ml-100k")


def test_hostile_text_in_titles_is_harmless_in_the_items_table(sets: Any) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2JBad\u202e (1999)"
    sets.write("u.data", "".join(f"{user}\t{item}\t3\t88{item}\n" for user in range(3) for item in (1, 2, 3)))
    sets.write("u.item", ITEMS.replace("unknown", hostile))
    titles = sets.prepare("ml-100k").items["title"].to_pylist()
    assert titles[:2] == ["Toy Story", "Il Postino"] and titles[2].isprintable() and "\u202e" not in titles[2]


def test_dat_files_are_read_and_films_of_two_years_told_apart(sets: Any) -> None:
    sets.write("ratings.dat", "1::10::5::978300760\n2::7::3.5::978302109\n")
    sets.write("movies.dat", "10::Emma (1996)::Drama|Romance\n7::Emma (2020)::Drama\n8::Léon: Pro (1994)::Crime\n")
    read = sets.read("ml-10m")
    assert sets.events(read) == [("1", "10"), ("2", "7")] and read.rating.tolist() == [5, 3.5]
    assert sets.titles(read) == {"10": "Emma (1996)", "7": "Emma (2020)", "8": "Léon: Pro"}
    assert read.catalogue.text[0].as_py() == "1996, Drama, Romance"


@pytest.mark.parametrize("line", ["1::10::5", "1::10::five::978300760", "1:10:5:978300760"])
def test_a_broken_dat_line_is_named(sets: Any, line: str) -> None:
    sets.write("ratings.dat", f"1::10::5::978300760\n{line}\n")
    sets.write("movies.dat", "10::Emma (1996)::Drama\n")
    with pytest.raises(DataError) as error:
        sets.read("ml-10m")
    assert error.value.location.endswith("ratings.dat:2")


def test_csv_files_are_read_with_quoted_titles(sets: Any) -> None:
    sets.write("ratings.csv", "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n")
    movies = 'movieId,title,genres\n296,"Pulp ""X"", The (1994)",Comedy|Crime\n306,Red,(no genres listed)\n'
    sets.write("movies.csv", movies)
    read = sets.read("ml-20m")
    assert sets.events(read) == [("1", "296"), ("1", "306")]
    assert sets.titles(read) == {"296": 'The Pulp "X"', "306": "Red"}
    assert read.catalogue.text.to_pylist() == ["1994, Comedy, Crime", ""]


@pytest.mark.parametrize("file", ["ratings.csv", "movies.csv"])
def test_a_stray_quote_in_either_csv_file_is_refused_or_read_as_text(sets: Any, file: str) -> None:
    sets.write("ratings.csv", "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n2,306,5.0,1147880044\n")
    sets.write("movies.csv", "movieId,title,genres\n296,Pulp,Crime\n306,Red,Drama\n")
    content = (sets.folder / file).read_text().replace(",306,", ',"306,').replace(",Red,", ',"Red,')
    sets.write(file, content)
    with pytest.raises(DataError, match="none closes it") as error:
        sets.read("ml-20m")
    assert error.value.location.endswith(f"{file}:3")
    assert len(sets.read("ml-20m", quoted=False)) == 2


def test_csv_columns_may_stand_in_any_order(sets: Any) -> None:
    sets.write("ratings.csv", "timestamp,rating,extra,movieId,userId\n1147880044,5.0,x,296,1\n")
    sets.write("movies.csv", "movieId,title,genres\n")
    assert sets.events(sets.read("ml-20m")) == [("1", "296")]


def test_a_csv_without_a_needed_column_lists_those_there_are(sets: Any) -> None:
    sets.write("ratings.csv", "user,movie,rating\n1,2,3\n")
    sets.write("movies.csv", "movieId,title,genres\n")
    with pytest.raises(DataError, match="no column 'userId'") as error:
        sets.read("ml-20m")
    assert "user, movie, rating" in error.value.remedy and error.value.location.endswith("ratings.csv:1")


def test_a_broken_movies_line_is_named(sets: Any) -> None:
    sets.write("ratings.csv", "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n")
    sets.write("movies.csv", "movieId,title,genres\n1,Toy Story\n")
    with pytest.raises(DataError) as error:
        sets.read("ml-20m")
    assert error.value.location.endswith("movies.csv:2")


def test_members_of_a_zip_are_read_like_files(sets: Any) -> None:
    sets.write_zip("ml-100k.zip", {"ml-100k/u.data": RATINGS, "ml-100k/u.item": ITEMS})
    assert sets.events(sets.read("ml-100k"))[0] == ("196", "2")
