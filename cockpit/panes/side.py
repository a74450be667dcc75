"""The side bar of the live screen: runs, progress, difference to the best run, lineage and notes."""

from collections.abc import Mapping

from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.panes.run_table import appearance, progress
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, box, ends, selected, width
from engine.report import numbers
from engine.report.settings import SEED, differing
from engine.report.tables import column, right
from engine.stages import STAGES, pipeline


def heading(name: str, across: int) -> Line:
    return [("── ", "border"), (name + " ", "dim"), ("─" * max(0, across - len(name) - 4), "border")]


def run_lines(runs: RunList, current: str, across: int, down: int) -> Lines:
    """The runs around the current one, a line each."""
    rows = runs.shown
    here = next((i for i, row in enumerate(rows) if row.id == current), 0)
    top = min(max(0, here - down // 2), max(0, len(rows) - down))
    lines: Lines = []
    for row in rows[top : top + down]:
        mark, word, style = appearance(row)
        scored = row.score is not None and row.state in ("DONE", "RUNNING")
        line: Line = [
            ("▸" if row.id in runs.marks else " ", "mark"),
            (mark + " ", style),
            (column(f"{row.stage} {row.shortened(max(5, across - 12 - len(row.stage)))}", across - 11), _weight(row)),
            (right(numbers.figure(row.score) if scored else word.lower(), 7) + " ", "dim"),
        ]
        lines.append(selected(line, across) if row.id == current else line)
    return lines


def _weight(row: Row) -> str:
    return "bold" if row.live else ""


def progress_lines(row: Row, across: int) -> Lines:
    """Phase, bar, steps, speed and remaining time."""
    style = appearance(row)[2]
    reason = "" if row.phase or not row.reason else row.reason.splitlines()[0]
    lines: Lines = [[(row.state_text, style), ("  " + (row.phase or reason), "")]]
    if row.share is not None:
        percent = f" {row.share:4.0%}"
        lines.append([(bar(row.share, max(4, across - len(percent) - 1)), style), (percent, "")])
    steps = _units(row)
    epoch = f"  epoch {row.epoch:.4g}" if row.epoch is not None else ""
    lines.append([(steps + epoch, "")])
    lines.append(ends([(_speed(row), "dim")], [(_time(row), "")], across))
    if row.attempt > 1:
        lines.append([(f"attempt {row.attempt}", "dim")])
    return lines


def progress_line(row: Row, across: int) -> Line:
    """The same in one line, for screens without room for a side bar."""
    end: Line = [(part, "") for part in (f"{_speed(row)}  ", _time(row)) if part.strip()]
    share = "" if row.share is None else f"{row.share:.0%}"
    line: Line = [(f" {row.phase or row.state_text.lower()}  ", ""), (f"{share} ", "bold")]
    line.append((f" {_units(row)}", ""))
    line.append((f"  epoch {row.epoch:.4g}  " if row.epoch is not None else "  ", ""))
    room = across - width(line) - width(end) - 2
    if row.share is not None and row.live and room >= 8:
        line.append((bar(row.share, min(room, 40)), appearance(row)[2]))
    return ends(line, [*end, (" ", "")], across)


def _units(row: Row) -> str:
    """Units of its phase that are done; of an ended evaluation, whose last phase compares models, those of no phase."""
    known = (row.total or row.step) and not (row.state == "DONE" and row.model)
    return f"{row.unit} {progress(row)}" if known else ""


def _speed(row: Row) -> str:
    return f"{numbers.figure(row.rate, 3)} {row.unit}/s" if row.rate and row.live else ""


def _time(row: Row) -> str:
    return f"eta {numbers.duration(row.eta)}" if row.open else f"took {numbers.duration(row.wall)}"


def lineage_lines(row: Row, rows: Mapping[str, Row], across: int) -> Lines:
    """The inputs of the run and the runs that use it."""
    lines: Lines = []
    for stage in [name for name in STAGES if name in row.inputs]:
        maker = rows.get(row.inputs[stage])
        lines.append(_relative(maker) if maker else [("? ", "warn"), (column(stage, 10), ""), ("gone", "warn")])
    lines.append([("▸ ", "mark"), (column(row.stage, 10), "bold"), (row.name, "")])
    lines += [[("  ", ""), *_relative(other)] for other in rows.values() if row.id in other.inputs.values()]
    return lines


def _relative(row: Row) -> Line:
    mark, word, style = appearance(row)
    return [(mark + " ", style), (column(row.stage, 10), ""), (row.name[-11:] + "  ", "dim"), (word.lower(), style)]


def kept_and_best(row: Row, metric: str) -> str:
    """A metric of the checkpoint that was kept, and its best value where that is another one, with their steps."""
    best, kept = row.best.get(metric), row.kept.get(metric)
    texts = [("kept", kept)] if kept else []
    if best and (kept is None or best[0] != kept[0]):
        goals = {one.name: one.goal for one in STAGES[row.stage].metrics} if row.stage in STAGES else {}
        texts.append(({"max": "max", "min": "min"}.get(goals.get(metric, ""), "best"), best))
    return "".join(f"  {word} {numbers.figure(value)}@{numbers.count(step)}" for word, (value, step) in texts)


def difference(row: Row, best: Row | None) -> Lines:
    """Settings that can have an effect and differ from the best run of the stage, whose value comes first."""
    if best is None or best.id == row.id:
        return [[("this is the best run of its stage" if best else "no other run to compare with", "dim")]]
    if row.config is None or best.config is None:
        return [[("reading settings", "dim")]]
    lines: Lines = []
    keys = [key for key in differing([best.config, row.config]) if _has_effect(key, row.stage)]
    keys.sort(key=lambda key: not key.startswith(row.stage + "."))  # its own first
    for key in [*([SEED] if row.seed != best.seed else []), *keys]:
        old, new = numbers.setting(best.config.get(key)), numbers.setting(row.config.get(key))
        lines.append([(key + "  ", ""), (f"{old} → ", "dim"), (new, "bold")])
    if row.git != best.git or row.dirty != best.dirty:
        lines.append([("git  ", ""), (f"{best.git[:7]} → ", "dim"), (row.git[:7] + "*" * row.dirty, "bold")])
    return lines or [[("same settings", "dim")]]


def _most(lines: Lines, count: int) -> Lines:
    """At most ``count`` lines; the last one says how many more there are."""
    return lines if len(lines) <= count else [*lines[: count - 1], [(f"and {len(lines) - count + 1} more", "dim")]]


def _has_effect(key: str, stage: str) -> bool:
    """Whether a setting is one of the stage or of a stage that it is made from."""
    return key.partition(".")[0] in {maker.name for maker in pipeline(stage)} if stage in STAGES else True


def render(row: Row, runs: RunList, across: int, down: int, focused: bool = False) -> Lines:
    """The whole side bar; the list of runs gives way to the rest on low screens."""
    inside = across - 2
    best = runs.best.get(row.peers)
    facts = [
        heading("progress", inside),
        *progress_lines(row, inside),
        heading(f"diff to best{' ' + best.name if best and best.id != row.id else ''}", inside),
        *_most(difference(row, best), 8),
        heading("lineage", inside),
        *lineage_lines(row, runs.rows, inside),
    ]
    if row.tags or row.note:
        facts += [heading("notes", inside), [(" ".join(row.tags), "mark")], [(row.note, "")]]
    room = max(4, down - 2 - len(facts))
    listed = run_lines(runs, row.id, inside, min(room, max(len(runs.shown), 1)))
    return box([("runs", "title")], [*listed, *facts], across, down, focused)
