"""The filter language of the run list: words, fields, metrics, settings, AND/OR/NOT, sort and group.

student -tag:old                      bare words match id, experiment, tags and note; - is NOT
state:running,stalled  stage:teacher  fields: state stage tag name id exp git needs seed note has health in
val_recall@10>.08  last(loss)<.5      metrics: the best value, else the last; best(...) and last(...) choose one
metric>.08  eta<10m                   the columns of the list: metric is the main one of each stage
cfg.student.lr>=1e-3  cfg.data.name=ml-1m
age<2d  seed:1..3  (a OR b) AND NOT c
sort:-val_recall@10 (also metric age eta state stage seed name progress experiment)
group:experiment (also stage, state, cfg-seed: runs that differ only in the seed)
"""

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from cockpit.models.rows import OPEN, Row
from engine.runs.events import number

Test = Callable[[Row, float], bool]  # a run and the time now

FIELDS = ("state", "stage", "tag", "name", "id", "exp", "git", "needs", "seed", "note", "has", "health", "in")
STATES = ("waiting", "queued", "running", "stalled", "done", "failed", "stopped", "killed", "lost", "other", "open")
PRESENT = ("note", "tag", "warning", "error", "pin", "metric")
MAIN = "metric"  # the main metric of each run's stage, as the column is called
TEXT_SORTS = ("state", "stage", "name", "experiment")
SORTS = (*TEXT_SORTS, "age", "seed", "progress", "eta", MAIN)  # anything else is the name of a metric
GROUPS = ("experiment", "stage", "state", "cfg-seed")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_TOKEN = re.compile(r"""\s+|(?:best|last)\([^()\s]*\)[^\s()]*|(?:"[^"]*"|[^\s()"])+|.""")
_COMPARE = re.compile(r"^(?P<name>.+?)(?P<op><=|>=|!=|=|<|>)(?P<value>.*)$")
_CALL = re.compile(r"^(best|last)\((.+)\)$")
_OPS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class QueryError(Exception):
    """A filter that does not parse; ``position`` is that of the fault in the text."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class Query:
    """A parsed filter. ``sort`` is empty or a key with an optional leading minus."""

    test: Test
    sort: str = ""
    group: str = ""
    needs_config: bool = False
    metrics: tuple[tuple[str, int], ...] = ()  # names that have to be metrics of some run, and their positions


def parse(text: str) -> Query:
    """Parse a filter; raises QueryError."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, int]] = []
        for match in _TOKEN.finditer(text):
            if not match.group().isspace():
                self.tokens.append((match.group(), match.start()))
        self.at = 0
        self.length = len(text)
        self.sort = self.group = ""
        self.needs_config = False
        self.metrics: list[tuple[str, int]] = []

    def query(self) -> Query:
        test = self._either() if self.tokens else _always
        if self.at < len(self.tokens):
            raise QueryError("this ) has no (", self.tokens[self.at][1])
        return Query(test, self.sort, self.group, self.needs_config, tuple(self.metrics))

    def _peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def _either(self) -> Test:
        tests = [self._all()]
        while self._peek() == "OR":
            self.at += 1
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda row, now: any(test(row, now) for test in tests)

    def _all(self) -> Test:
        tests = [self._not()]
        while self._peek() not in ("", "OR", ")"):
            if self._peek() == "AND":
                self.at += 1
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda row, now: all(test(row, now) for test in tests)

    def _not(self) -> Test:
        if self._peek() == "NOT":
            self.at += 1
            test = self._not()
            return lambda row, now: not test(row, now)
        if self._peek() == "(":
            opened = self.tokens[self.at][1]
            self.at += 1
            test = self._either()
            if self._peek() != ")":
                raise QueryError("this ( is not closed", opened)
            self.at += 1
            return test
        if self._peek() in ("", "OR", "AND", ")"):
            at = self.tokens[self.at][1] if self.at < len(self.tokens) else self.length
            raise QueryError("something to look for is missing here", at)
        token, position = self.tokens[self.at]
        self.at += 1
        if len(token) > 1 and token[0] == "-" and not token[1].isdigit() and token[1] != ".":
            test = self._term(token[1:], position + 1)
            return lambda row, now: not test(row, now)
        return self._term(token, position)

    def _term(self, token: str, position: int) -> Test:
        if token.startswith('"'):
            return _words(token.strip('"'))
        compare = _COMPARE.match(token)
        field, colon, value = token.partition(":")
        if colon and (not compare or len(field) < len(compare["name"])):
            return self._field(field.lower(), value.strip('"'), position)
        if compare:
            return self._compare(compare["name"], compare["op"], compare["value"].strip('"'), position)
        return _words(token)

    def _field(self, field: str, value: str, position: int) -> Test:
        at = position + len(field) + 1
        if not value:
            raise QueryError(f"{field}: needs a value", at)
        if field == "sort":
            self.sort = value
            if value.lstrip("-") not in SORTS:
                self.metrics.append((value.lstrip("-"), at + value.startswith("-")))
            return _always
        if field == "group":
            if value not in GROUPS:
                raise QueryError(_unknown("group", value, GROUPS), at)
            self.group = value
            self.needs_config |= value == "cfg-seed"
            return _always
        values = value.lower().split(",")
        if field == "seed":
            return _seeds(value, at)
        if field == "state":
            for state in values:
                if not any(known.startswith(state) for known in STATES):
                    raise QueryError(_unknown("state", state, STATES), at)
            wanted = {known.upper() for known in STATES for state in values if known.startswith(state)}
            wanted |= set(OPEN) if "OPEN" in wanted else set()
            return lambda row, now: row.state in wanted
        if field == "has":
            for part in values:
                if part not in PRESENT:
                    raise QueryError(_unknown("has:", part, PRESENT), at)
            return lambda row, now: any(_has(row, part) for part in values)
        texts = _TEXTS.get(field)
        if texts is None:
            raise QueryError(_unknown("field", field, (*FIELDS, "sort", "group")), position)
        return lambda row, now: any(_like(text, part) for text in texts(row) for part in values)

    def _compare(self, name: str, op: str, value: str, position: int) -> Test:
        at = position + len(name) + len(op)
        if not value:
            raise QueryError(f"{name}{op} needs a value", at)
        if name == "age":
            age = _seconds(value)
            if age is None:
                raise QueryError("an age is a number with s, m, h, d or w: age<2d", at)
            return lambda row, now: _OPS[op](max(now - row.created, 0.0), age)
        if name == "eta":
            left = _seconds(value)
            if left is None:
                raise QueryError("a time is a number with s, m, h, d or w: eta<10m", at)
            return lambda row, now: row.open and row.eta is not None and _OPS[op](row.eta, left)
        wanted = _number(value)
        if name.startswith("cfg."):
            self.needs_config = True
            return _setting(name[4:], op, value, wanted)
        if name == "seed" and wanted is not None:
            return lambda row, now: row.seed is not None and _OPS[op](row.seed, wanted)
        if name in ("step", "epoch", "progress") and wanted is not None:
            return lambda row, now: (found := _progress(row, name)) is not None and _OPS[op](found, wanted)
        if name in FIELDS and op in ("=", "!="):
            test = self._field(name, value, position)
            return test if op == "=" else lambda row, now: not test(row, now)
        if wanted is None:
            raise QueryError(f"{value} is not a number (settings are compared as cfg.{name}{op}{value})", at)
        call = _CALL.match(name)
        which, metric = (call[1], call[2]) if call else ("", name)
        if metric != MAIN:
            self.metrics.append((metric, position + (len(which) + 1 if call else 0)))
        return lambda row, now: (found := value_of(row, metric, which)) is not None and _OPS[op](found, wanted)


def value_of(row: Row, metric: str, which: str = "") -> float | None:
    """The value of a metric by the name that a filter has for it."""
    return row.value(row.metric if metric == MAIN else metric, which)


def _always(row: Row, now: float) -> bool:
    return True


_TEXTS: dict[str, Callable[[Row], list[str]]] = {
    "stage": lambda row: [row.stage],
    "tag": lambda row: row.tags,
    "name": lambda row: [row.name],
    "id": lambda row: [row.id],
    "exp": lambda row: [row.experiment],
    "git": lambda row: [row.git],
    "needs": lambda row: list(row.inputs.values()),
    "note": lambda row: [row.note],
    "health": lambda row: list(row.health),
    "in": lambda row: [row.folder],
}


def _like(text: str, pattern: str) -> bool:
    """Whether ``pattern`` (lower case) occurs in the text; with * or ? it has to match the whole text."""
    text = text.lower()
    return fnmatch.fnmatchcase(text, pattern) if "*" in pattern or "?" in pattern else pattern in text


def _words(text: str) -> Test:
    text = text.lower()
    return lambda row, now: any(_like(part, text) for part in (row.id, row.experiment, row.note, *row.tags))


def _has(row: Row, part: str) -> bool:
    present = {"note": bool(row.note), "tag": bool(row.tags), "pin": row.pinned, "metric": row.score is not None}
    return present.get(part, row.level == part)


def _seeds(text: str, position: int) -> Test:
    first, dots, last = text.partition("..")
    try:
        seeds = set(range(int(first), int(last) + 1)) if dots else {int(part) for part in text.split(",")}
    except ValueError:
        raise QueryError("seeds are numbers: seed:1, seed:1,2 or seed:1..3", position) from None
    return lambda row, now: row.seed in seeds


def _setting(key: str, op: str, text: str, wanted: float | None) -> Test:
    def test(row: Row, now: float) -> bool:
        if row.config is None or key not in row.config:
            return False
        value = row.config[key]
        found = number(value)
        if found is not None and wanted is not None:
            return _OPS[op](found, wanted)
        same = _like(str(value), text.lower()) if "*" in text else str(value).lower() == text.lower()
        return same if op == "=" else not same if op == "!=" else False

    return test


def _progress(row: Row, name: str) -> float | None:
    return {"step": float(row.step), "epoch": row.epoch, "progress": row.share}[name]


def _number(text: str) -> float | None:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    count = _number(text[:-1])
    return count * SECONDS[text[-1]] if count is not None and text[-1] in SECONDS else None


def _unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, 1)
    return f"unknown {what} {word}: " + (f"did you mean {near[0]}?" if near else "there are " + ", ".join(known))
