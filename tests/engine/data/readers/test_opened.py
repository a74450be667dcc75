"""Bytes and text of files, however they are packed."""

import bz2
import gzip
import io
import lzma
import zipfile
from typing import Any

import pyarrow as pa
import pytest

from engine.data.readers.opened import binary, lines, text
from engine.data.sources import Source, Sources, watched
from engine.errors import DataError

BODY = "line\n" * 300_000
PACK = {"zst": lambda body: pa.compress(body, codec="zstd", asbytes=True), "xz": lzma.compress, "bz2": bz2.compress}


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst", "a.txt.xz", "a.txt.bz2", "a.zip", "b.zip"])
def test_any_packing_gives_the_same_bytes_and_tells_its_progress(sets: Any, name: str) -> None:
    if name == "a.zip":
        source = Source(sets.write_zip(name, {"x/a.txt": BODY}), "x/a.txt")
    elif name == "b.zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a.txt.gz", gzip.compress(BODY.encode()))
        source = Source(sets.write(name, packed.getvalue()), "a.txt.gz")
    else:
        pack = PACK.get(name.rpartition(".")[2], lambda body: body)
        source = Source(sets.write(name, pack(BODY.encode())))
    reports: list[tuple[int, int]] = []
    followed = watched(Sources("pairs", {"interactions": source}), lambda done, total: reports.append((done, total)))
    with binary(followed.parts["interactions"]) as file:
        assert file.read().decode() == BODY
    total = source.path.stat().st_size
    assert reports[-1] == (total, total) and [done for done, _ in reports] == sorted(done for done, _ in reports)


def test_what_a_listener_raises_ends_the_reading(sets: Any) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    source = watched(Sources("pairs", {"interactions": Source(sets.write("a.txt", BODY))}), stop).parts["interactions"]
    with pytest.raises(KeyboardInterrupt), binary(source) as file:
        file.read()


def test_lines_of_any_system_are_the_same(sets: Any) -> None:
    assert lines(Source(sets.write("a.txt", "a\r\nb\r\n\r\nc")), ("utf-8",)) == ["a", "b", "", "c"]
    assert lines(Source(sets.write("b.txt", "a\nb\n")), ("utf-8",)) == ["a", "b"]


def test_a_fallback_encoding_counts_only_where_no_line_is_utf_8(sets: Any) -> None:
    both = ("utf-8", "latin-1")
    assert text(Source(sets.write("a.txt", "é\n".encode("latin-1"))), both) == "é\n"
    assert text(Source(sets.write("b.txt", "é\n")), both) == "é\n"
    with pytest.raises(DataError, match="mixed") as error:
        text(Source(sets.write("c.txt", "plain\né\n".encode() + "é\n".encode("latin-1"))), both)
    assert error.value.location.endswith("c.txt:3")


def test_a_missing_file_is_an_error_with_its_location(sets: Any) -> None:
    with pytest.raises(DataError, match="cannot be read") as error:
        text(Source(sets.folder / "gone"), ("utf-8",))
    assert error.value.location.endswith("gone")


def test_an_encrypted_archive_is_an_error(sets: Any) -> None:
    path = sets.write_zip("a.zip", {"a.txt": BODY})
    content = bytearray(path.read_bytes())
    for header in (b"PK\x03\x04", b"PK\x01\x02"):  # the bit that says a member is encrypted
        at = content.index(header) + (6 if header == b"PK\x03\x04" else 8)
        content[at] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="encrypted"):
        text(Source(path, "a.txt"), ("utf-8",))


@pytest.mark.parametrize("kind", ["zst", "xz", "bz2"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_file_of_any_packing_is_an_error(sets: Any, kind: str, cut: bool) -> None:
    packed = PACK[kind](BODY.encode())
    source = Source(sets.write(f"a.txt.{kind}", packed[: len(packed) // 2] if cut else b"not packed" * 9))
    with pytest.raises(DataError) as error, binary(source) as file:
        file.read()
    assert error.value.location.endswith(f"a.txt.{kind}") and error.value.remedy
