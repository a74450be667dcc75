"""Bytes and text of a source file, packed or not, and the errors that readers share; every fault names its line."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from engine.data.sources import Source
from engine.errors import DataError
from engine.runs.text import clean

COPY_AGAIN = "Fetch or copy the file again."
CORRECT = "Correct or delete this line."
BUFFER = 1 << 20  # bytes


class _Watched(io.FileIO):
    """A file that reports how many bytes are read from it."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.path)
        self._watch = source.watch

    def readinto(self, buffer: Any, /) -> int | None:
        return self._counted(super().readinto(buffer))

    def readall(self) -> bytes:
        content = super().readall()
        self._counted(len(content))
        return content

    def _counted(self, count: int | None) -> int | None:
        if self._watch is not None and count:
            self._watch(count)
        return count


def _unpacked(file: IO[bytes], name: str) -> IO[bytes]:
    """The content of a file that its name says is packed."""
    match name.rpartition(".")[2]:
        case "gz":
            return cast(IO[bytes], gzip.open(file))
        case "xz":
            return cast(IO[bytes], lzma.open(file))
        case "bz2":
            return cast(IO[bytes], bz2.open(file))
        case "zst":
            import pyarrow as pa

            stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
            return cast(IO[bytes], io.BufferedReader(stream, BUFFER))
    return file


@contextmanager
def binary(source: Source) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file. Raises DataError when it is damaged or cannot be read."""
    try:
        with io.BufferedReader(_Watched(source), BUFFER) as file:
            if source.member:
                with (
                    zipfile.ZipFile(file) as archive,
                    archive.open(source.member) as member,
                    _unpacked(member, source.member) as content,
                ):
                    yield content
            else:
                with _unpacked(file, source.path.name) as content:
                    yield content
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(
            f"the packed file is damaged or cut short ({error})", location=str(source), remedy=COPY_AGAIN
        ) from error
    except (OSError, NotImplementedError, RuntimeError) as error:  # the latter two: an encrypted zip
        raise DataError(f"the file cannot be read ({error})", location=str(source), remedy=COPY_AGAIN) from error


def text(source: Source, encodings: tuple[str, ...]) -> str:
    """The whole file as text in the first encoding that fits all of it, without a byte order mark.

    Raises DataError with the line where none fits, or where some lines are UTF-8 and others are not.
    """
    with binary(source) as file:
        content = file.read()
    for encoding in encodings:
        try:
            decoded = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "utf-8" and "utf-8" in encodings:
            _refuse_mixture(content, source)
        return decoded
    raise not_decodable(content, source, encodings)


def lines(source: Source, encodings: tuple[str, ...]) -> list[str]:
    """The file's lines; an empty one at the end does not count."""
    result = text(source, encodings).replace("\r\n", "\n").split("\n")
    return result[:-1] if not result[-1] else result


def broken_line(source: Source, number: int, problem: str) -> DataError:
    return DataError(problem, location=f"{source}:{number}", remedy=CORRECT)


def empty_file(source: Source) -> DataError:
    return DataError("the file is empty", location=str(source), remedy="Give a file with interactions.")


class NoColumn(DataError):
    """A column that settings name is not there."""


def no_column(name: str, names: Iterable[str], location: str, alternative: str = "") -> NoColumn:
    return NoColumn(
        f"there is no column '{name}'",
        location=location,
        remedy=f"Its columns are: {clean(', '.join(names))}. Name them in data.columns{alternative}.",
    )


def not_decodable(content: bytes, source: Source, encodings: tuple[str, ...]) -> DataError:
    """Names the first line that is in none of the encodings."""
    try:
        content.decode(encodings[0])
    except UnicodeDecodeError as error:
        number = content[: error.start].decode(encodings[0], errors="replace").count("\n") + 1
        return DataError(
            f"a byte 0x{content[error.start]:02x} is no {encodings[0]}",
            location=f"{source}:{number}",
            remedy="If the whole file has another encoding, name it, for example data.encoding=latin-1; "
            "if only some lines have, convert them to UTF-8.",
        )
    raise ValueError(f"{source} is {encodings[0]}")


def _refuse_mixture(content: bytes, source: Source) -> None:
    """Latin-1 takes any byte: a line with UTF-8 letters in such a file shows that two encodings were mixed."""
    if content.isascii():
        return
    fitting, first_other = False, 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            fitting = True
        except UnicodeDecodeError:
            first_other = first_other or number
    if fitting:
        raise DataError(
            "encodings are mixed: this line is not UTF-8, others are",
            location=f"{source}:{first_other}",
            remedy="Convert the file to one encoding, or name the one to believe: data.encoding=latin-1.",
        )
