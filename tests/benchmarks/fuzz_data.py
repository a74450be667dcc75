"""Mutated small files through the data stage: never a traceback, never rows that vanish without a word.

``python tests/benchmarks/fuzz_data.py --files 2000 [--seed 1] [--cli 100]``

Each file is a small table of one format whose bytes are flipped, whose lines are cut, into which quotes, separators,
line breaks and foreign encodings are inserted. The data stage has to end in one of two ways: with an error that a
person can fix, which has a cause, a location and a remedy, or with a profile whose counts add up to the records that a
strict reader of the file counts. ``--cli N`` sends the first N files through ``engine run data`` as a process instead,
and also looks for tracebacks in what it prints. Exit status 1 when a file breaks the rule; ``--keep DIR`` keeps it.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine import config
from engine.data.stage import run as data_stage
from engine.errors import UserError
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo, new_id
from engine.stages import PROFILE

TABLE = ["data=table", "data.columns.title=title"]


@dataclass(frozen=True)
class Kind:
    """A format: its file's name, the overrides that read it, its separator, and how a row is written."""

    name: str
    file: str
    overrides: list[str]
    separator: str
    header: str
    row: Callable[[int, int, int, str], str]
    quoted: bool = True


KINDS = [
    Kind("csv", "x.csv", TABLE, ",", "user,item,time,title", lambda u, i, t, n: f'{u},{i},{t},"{n}"'),
    Kind("tsv", "x.tsv", TABLE, "\t", "user\titem\ttime\ttitle", lambda u, i, t, n: f"{u}\t{i}\t{t}\t{n}"),
    Kind("pairs", "x.txt", ["data=pairs", "data.file=x.txt"], " ", "", lambda u, i, t, n: f"{u} {i}", quoted=False),
    Kind(
        "ml-dat",
        "ratings.dat",
        ["data=ml-1m", "data.format=ml-dat"],
        "::",
        "",
        lambda u, i, t, n: f"{u}::{i}::5::{t}",
        quoted=False,
    ),
    Kind(
        "recbole",
        "x.inter",
        ["data=recbole"],
        "\t",
        "user_id:token\titem_id:token\ttimestamp:float",
        lambda u, i, t, n: f"{u}\t{i}\t{t}",
        quoted=False,
    ),
]


def sound(kind: Kind, chance: random.Random) -> bytes:
    """A file without a fault: 12 users of 6 events."""
    lines = [kind.header] if kind.header else []
    for user in range(1, 13):
        for event in range(6):
            item = chance.randrange(1, 20)
            name = chance.choice(["Toy Story", "Amélie, the film", "千と千尋", "A"]) + f" {item}"
            name = name if kind.name == "csv" else name.replace(",", "")
            lines.append(kind.row(user, item, 1_600_000_000 + 1000 * user + event, name))
    return ("\n".join(lines) + "\n").encode()


def mutated(content: bytes, separator: str, chance: random.Random) -> bytes:
    """``content`` with one to four faults."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content)) if content else 0
        match chance.randrange(10):
            case 0:
                content = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
            case 1:
                content = content[:at]
            case 2:
                content = content[:at] + b'"' + content[at:]
            case 3:
                content = content[:at] + separator.encode() + content[at:]
            case 4:
                content = content[:at] + chance.choice([b"\n", b"\r", b"\r\n", b"\n\n"]) + content[at:]
            case 5:
                content = (
                    content[:at]
                    + chance.choice(["é", "中", "Ω"]).encode(chance.choice(["utf-8", "utf-16-le", "gb18030"]))
                    + content[at:]
                )
            case 6:
                content = b"\xef\xbb\xbf" + content
            case 7:
                lines = content.split(b"\n")
                del lines[chance.randrange(len(lines))]
                content = b"\n".join(lines)
            case 8:
                words = [b"", b"nan", b"NULL", b" 7", b"7.0", b"1e400", b"-1", b"2024-05-31T10:00:00Z", b"x" * 5000]
                fields = content.split(separator.encode())
                fields[chance.randrange(len(fields))] = chance.choice(words)
                content = separator.encode().join(fields)
            case 9:
                content = content[:at] + b"\x00" + content[at:]
    return content


def records(text: str, separator: str, quoted: bool) -> tuple[int, bool]:
    """Records that are not empty, and whether the quoting is sound: closed, nothing behind a closing quote."""
    count, filled, position, whole = 0, False, 0, True
    start = True
    while position < len(text):
        if quoted and start and text[position] == '"':
            close = position + 1
            while (close := text.find('"', close)) >= 0 and text[close + 1 : close + 2] == '"':
                close += 2
            if close < 0:
                return count + 1, False
            position, filled, start = close + 1, True, False
            whole &= position == len(text) or text.startswith((separator, "\n", "\r"), position)
        elif text[position] in "\r\n":
            count, filled, start = count + filled, False, True
            position += 1
        elif text.startswith(separator, position):
            filled, start, position = True, True, position + len(separator)
        else:
            filled, start, position = True, False, position + 1
    return count + filled, whole


def verdict(kind: Kind, content: bytes, folder: Path) -> str:
    """ "read", "refused", or what is wrong."""
    root = folder / "runs"
    overrides = [*kind.overrides, f"data.path={folder}", "data.core_users=0", "data.core_items=0"]
    info = RunInfo(new_id("data"), "data", "fuzz", 1, "fuzz")
    try:
        settings = config.load(overrides)
        place = root / info.id
        place.mkdir(parents=True)
        (place / CONFIG).write_text(config.dump(settings), encoding="utf-8")
        info.write(place)
        with Run.open(place) as run:
            data_stage(settings, run)
    except UserError as error:
        return "refused" if error.cause and error.location and error.remedy else f"poor message: {error!r}"
    except BaseException:
        return traceback.format_exc(limit=-3)
    profile = json.loads((place / ARTIFACTS / PROFILE.file).read_text(encoding="utf-8"))
    return counted(kind, content, profile)


def counted(kind: Kind, content: bytes, profile: dict[str, object]) -> str:
    """Whether the counts of a profile add up to the records of the file."""
    text = content.decode("utf-8-sig", errors="replace") if kind.name != "ml-dat" else content.decode("latin-1")
    count, whole = records(text, kind.separator, kind.quoted)
    count -= bool(kind.header)
    if not whole:
        return "read although its quoting is not sound"
    if profile["read"] != count:
        return f"{count} records, but {profile['read']} read"
    dropped = profile["dropped"]
    assert isinstance(dropped, dict)
    if profile["interactions"] != count - sum(dropped.values()):
        return f"{count} records, {profile['interactions']} kept and {dropped} dropped"
    return "read"


def by_command(kind: Kind, folder: Path) -> str:
    """The same through the command line."""
    words = ["run", "data", *kind.overrides, f"data.path={folder}", "--runs", str(folder / "cli-runs"), "--json"]
    done = subprocess.run([sys.executable, "-m", "engine", *words], capture_output=True, text=True)
    if "Traceback" in done.stdout + done.stderr:
        return done.stderr[-2000:]
    return {0: "read", 2: "refused"}.get(done.returncode, f"exit status {done.returncode}: {done.stderr[-500:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cli", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None)
    options = parser.parse_args()
    tally: Counter[str] = Counter()
    wrong: list[tuple[int, str, str]] = []
    for number in range(options.files):
        chance = random.Random(f"{options.seed} {number}")
        kind = chance.choice(KINDS)
        content = mutated(sound(kind, chance), kind.separator, chance)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / kind.file).write_bytes(content)
            found = by_command(kind, folder) if number < options.cli else verdict(kind, content, folder)
            if found not in ("read", "refused"):
                wrong.append((number, kind.name, found))
                if options.keep is not None:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(folder / kind.file, options.keep / f"{number}-{kind.file}")
        tally[found if found in ("read", "refused") else "wrong"] += 1
    for number, name, found in wrong[:20]:
        print(f"file {number} ({name}): {found}\n")
    print(f"{options.files} files: {dict(tally)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
