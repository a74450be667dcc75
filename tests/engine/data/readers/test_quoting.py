"""The quoting of delimited files: a block at a time gives what a character at a time gives."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.data.readers.delimited import ID, TEXT, Dialect, table
from engine.data.readers.quoting import Quotes, quoted_breaks
from engine.data.sources import Source
from engine.errors import DataError

PIECES = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "é"]), max_size=30)


def slowly(text: str) -> tuple[int, tuple[int, int | None] | None]:
    """Line breaks inside quotes and the fault, read a character at a time; offsets in characters."""
    breaks, opened, start, position = 0, -1, True, 0
    while position < len(text):
        character = text[position]
        if opened >= 0:
            if character == '"' and text[position + 1 : position + 2] == '"':
                position += 1
            elif character == '"':
                if text[position + 1 : position + 2] not in ("", ",", "\n", "\r"):
                    return breaks, (opened, position)
                opened = -1
            elif character in "\r\n" and text[position : position + 2] != "\r\n":
                breaks += 1
            start = False
        elif character == '"' and start:
            opened, start = position, False
        else:
            start = character in ",\r\n"
        position += 1
    return breaks, (opened, None) if opened >= 0 else None


@given(PIECES, st.integers(1, 7))
@example(['"', "\r\n", '"'], 1)
@example(['"', '"', "a"], 1)
def test_blocks_of_any_size_have_the_faults_of_a_reader_of_characters(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    content, quotes = text.encode("latin-1"), Quotes(",")  # one byte a character
    for at in range(0, len(content), size):
        quotes.see(content[at : at + size])
    quotes.see(b"", last=True)
    breaks, fault = slowly(text)
    assert quotes.fault == fault
    assert fault is not None or quotes.breaks == breaks


@pytest.mark.parametrize(
    ("body", "line", "cause"),
    [
        ('u,"open\nv,b\n', 2, "none closes it"),
        ('u,"a"\nv,"open\nw,c', 3, "none closes it"),
        ('u,"a"b\n', 2, "the quote that closes it has text after it"),
        ('u,"a\nv,"b\n', 2, "on line 3 has text after it"),
        ('u,a\n\r\nv,""b\n', 4, "has text after it"),
    ],
)
@pytest.mark.parametrize("packed", ["x.csv", "x.csv.gz"])
def test_a_stray_quote_is_refused_with_its_line_and_read_as_text_on_request(
    sets: Any, body: str, line: int, cause: str, packed: str
) -> None:
    source = Source(sets.write(packed, "\ufeffuser,item\n" + body))
    with pytest.raises(DataError, match=cause) as error:
        table(source, Dialect(","), {"user": ID, "item": ID})
    assert error.value.location == f"{source}:{line}" and "data.quoted=false" in error.value.remedy
    plain = table(source, Dialect(",", quoted=False), {"user": ID, "item": ID})
    assert len(plain) == len(body.split()) and sum('"' in item.as_py() for item in plain["item"]) == body.count(',"')


@pytest.mark.parametrize(
    ("field", "value"), [('12" disc', '12" disc'), ('"say ""a"", b"', 'say "a", b'), ('""', ""), ('a""', 'a""')]
)
def test_sound_quotes_are_read_as_before(sets: Any, field: str, value: str) -> None:
    source = Source(sets.write("x.csv", f"item,title\n1,{field}\n2,b\n"))
    assert table(source, Dialect(","), {"item": ID, "title": TEXT})["title"].to_pylist() == [value, "b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "shift_jis"])
def test_the_line_is_right_in_any_encoding(sets: Any, encoding: str) -> None:
    source = Source(sets.write("x.csv", 'user|item\r\na|"b\r\nc"\r\nd|"e\r\nf'.encode(encoding)))
    with pytest.raises(DataError) as error:
        quoted_breaks(source, "|", encoding)
    assert error.value.location.endswith(":4")


def test_line_breaks_in_quotes_are_read_across_blocks_and_named_once(
    sets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.data.readers.delimited.BLOCK", 64)
    monkeypatch.setattr("engine.data.readers.quoting.BLOCK", 64)
    body = "".join(f'{number},"first, line\nsecond {number}"\n' for number in range(200))
    heard: list[str] = []
    source = Source(sets.write("x.csv", "item,title\n" + body), warn=heard.append)
    read = table(source, Dialect(","), {"item": ID, "title": TEXT})
    assert read["title"].to_pylist() == [f"first, line\nsecond {number}" for number in range(200)]
    assert len(heard) == 1 and "x.csv:2: the first of 200 line breaks" in heard[0] and "data.quoted=false" in heard[0]
    assert quoted_breaks(Source(sets.write("y.csv", 'item,title\n1,"a"\n')), ",", "utf-8") == (0, 0)
