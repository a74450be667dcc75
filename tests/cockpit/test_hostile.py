"""Whatever lies in names, tags, logs, metrics and settings: nothing reaches the terminal raw, nothing breaks."""

import json
import random
import unicodedata

import pytest
import yaml

from cockpit.compose import draw
from cockpit.dispatch import paste
from cockpit.render.lines import plain
from engine.runs.schema import Meta

EVIL = [
    "\x1b]0;PWNED\x07",
    "\x1b]52;c;aGk=\x07",
    "\x1b[2J\x1b[31m",
    "\x9b2J\x9d0;x\x9c",
    "\x1bP1$r\x1b\\",
    "[/] [@click=app.quit]x[/] [b +",
    "\u202egnp.exe\u2066",
    "\x00\x07\x08\x7f",
    "日本語 👩‍👩‍👧 e\u0301\u200b",
    "\ud800",
    "a\rb\nc\td",
    "x" * 5000,
    "${jndi:ldap://x} $(reboot) `id`",
]
ALPHABET = [
    "\x1b",
    "[",
    "]",
    "0;",
    "m",
    "\x07",
    "\\",
    "\x9b",
    "\x9d",
    "\x9c",
    "\u202e",
    "\x00",
    "é",
    "日",
    "/",
    "H",
    "\r",
]


def keys_of(context, press, sizes=((80, 24), (120, 40), (200, 60))):
    """Every screen at every size, with what the keys on it open."""
    pictures = []
    for keys in (
        [],
        ["m"],
        ["escape", "enter"],
        ["z"],
        ["escape", "L"],
        ["escape", "1", "slash"],
        ["escape", "t"],
        ["escape", "3", "m"],
    ):
        press(context, *keys)
        for size in sizes:
            pictures.append(draw(context, *size))
    press(context, "escape")
    return pictures


def assert_harmless(lines):
    text = plain(lines).replace("\n", "")
    bad = {
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cs") or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"
    }
    assert not bad, sorted(map(ascii, bad))
    assert "PWNED" not in text and "aGk=" not in text


def poisoned(maker, evil):
    """A run with hostile text in every place that holds text."""
    safe = evil.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    folder = maker.planned("teacher", experiment=safe, git={"sha": safe})

    def report(run, tick):
        run.describe({safe: 1, "gate": 1})
        run.scalars(1, {safe: 1.0, "loss": 2.0})
        run.gradients(1, 1.0, [None, 0.5], 1.0, False)
        run.gate(1, safe, [[1.0, 2.0], [3.0, 4.0]], [0.5, 0.5], 0.6)
        run.progress(1, 10, safe, unit=safe)
        run.health(safe, "error", safe, [safe])
        run.log("error", safe)
        run.note(**{"note": safe})
        run.evaluation(1, {"val_recall@10": 0.5, safe: 1.0})

    maker.reported(folder, report)
    Meta(tags=[safe], note=safe).write(folder)
    maker.console(folder, (safe + "\n").encode() * 3 + b"\xff\xfe\x9b2J" + evil.encode("utf-8", "replace"))
    (folder / "config.yaml").write_text(yaml.safe_dump({"teacher": {"rank": safe, safe: 1}, safe: safe}))
    return folder


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_every_screen_shows_it_harmless(context, ready, maker, press, evil):
    folder = poisoned(maker, evil)
    ready(context).list.go_to(folder.name)
    ready(context)
    for lines in keys_of(context, press):
        assert_harmless(lines)


def test_random_hostile_text_is_harmless(context, ready, maker, press):
    chance = random.Random(7)
    for _ in range(12):
        poisoned(maker, "".join(chance.choices(ALPHABET, k=chance.randint(1, 40))))
    for index in range(12):
        ready(context).list.cursor = index
        for lines in keys_of(context, press, sizes=((120, 40),)):
            assert_harmless(lines)


def test_random_bytes_in_every_file_break_nothing(context, ready, maker, press):
    chance = random.Random(11)
    for _ in range(6):
        folder = maker.trained(maker.planned("teacher"), end="", gates=True)
        for name in (
            "events.jsonl",
            "summary.json",
            "run.json",
            "meta.json",
            "console.log",
            "config.yaml",
            "exit.json",
        ):
            if chance.random() < 0.6:
                data = bytearray((folder / name).read_bytes() if (folder / name).exists() else b"")
                for _ in range(chance.randint(1, 60)):
                    data[chance.randrange(len(data) + 1) : chance.randrange(len(data) + 1)] = chance.randbytes(3)
                (folder / name).write_bytes(bytes(data))
    for index in range(6):
        ready(context).list.cursor = index
        for lines in keys_of(context, press, sizes=((120, 40),)):
            assert_harmless(lines)


def test_records_of_the_wrong_shape_break_nothing(context, ready, maker, press):
    shapes = [None, [], {}, "x", 3, True, {"a": None}, [[]], {"v": {"v": []}}]
    chance = random.Random(3)
    for _ in range(12):
        folder = maker.trained(maker.planned("teacher"), end="", gates=True)
        for name in ("summary.json", "run.json", "meta.json"):
            path = folder / name
            record = json.loads(path.read_text()) if path.exists() else {}
            for key in record:
                if chance.random() < 0.3:
                    record[key] = chance.choice(shapes)
            path.write_text(json.dumps(record))
        with (folder / "events.jsonl").open("a") as events:
            for kind in ("s", "val", "grad", "gate", "prog", "health", "log", "schema", "start", "end"):
                event = {"v": 1, "t": 1, "q": 1, "k": kind, "step": 999}
                fields = ("m", "g", "total", "c", "mx", "load", "ent", "layer", "n", "groups", "names", "code", "level")
                event |= {field: chance.choice([*shapes, 1.0, "text"]) for field in (*fields, "hint", "phase", "unit")}
                events.write(json.dumps(event) + "\n")
    for index in range(12):
        ready(context).list.cursor = index
        keys_of(context, press, sizes=((120, 40),))


def test_a_hostile_paste_is_typed_as_plain_text(context, ready, world, press):
    press(ready(context), "slash")
    paste(context, "a\x1b]52;c;aGk=\x07b\x1b[2J\nc")
    assert context.prompt.edit.text == "ab c"
    assert_harmless(draw(context, 80, 24))
