"""The health of a run: faults with their likely causes, the worst first, and the checks that passed."""

import math

from cockpit.models.gates import Gates
from cockpit.models.rows import WORST, Row
from cockpit.models.run_data import RunData
from cockpit.render.lines import Line, Lines, box, wrap
from engine.report import numbers

GLYPHS = {"error": ("✗", "bad"), "warning": ("⚠", "warn"), "info": ("·", "dim")}


def lines(row: Row, data: RunData) -> Lines:
    """Faults by severity, then passed checks."""
    bad: Lines = []
    if row.state in ("FAILED", "KILLED", "LOST"):
        bad.append([("✗ ", "bad"), (row.state.lower() + ": " + row.reason, "bad")])
    if row.state in ("WAITING", "QUEUED"):
        bad.append([("◌ ", "dim"), (f"{row.state.lower()}: {row.waits or row.reason}", "")])
    if row.state == "STALLED":
        bad.append([("⚠ ", "warn"), (row.reason, "warn")])
    notes = {**row.health, **data.health}
    for code, note in sorted(notes.items(), key=lambda item: -WORST.get(str(item[1].get("level")), 0)):
        glyph, style = GLYPHS.get(str(note.get("level")), GLYPHS["info"])
        groups = ", ".join(str(group) for group in note.get("groups") or ())
        where = f" ({groups})" if groups else ""
        bad.append([(f"{glyph} {code}{where}: ", style), (str(note.get("hint", "")), "")])
    for message, level in data.warnings.items():
        glyph, style = GLYPHS[level]
        bad.append([(f"{glyph} ", style), (message, "")])
    if data.nan_since is not None:
        bad.append([("✗ ", "bad"), (f"NaN since step {data.nan_since:,.0f}", "bad")])
    gradients = data.gradients
    if gradients.always_clipped:
        text = f"{gradients.clip_share:.0%} of the gradients were cut to {gradients.clip:g}: "
        bad.append([("⚠ clip: ", "warn"), (text + "raise the clip, or lower the learning rate", "")])
    return bad + _passed(data)


def _passed(data: RunData) -> Lines:
    good: Line = []
    loss = data.series.get("loss")
    if loss and loss.count and math.isfinite(loss.values[-1]):
        good += [("✓ ", "ok"), ("loss finite   ", "")]
    groups = data.gradients.groups()
    reached = sum(1 for group in groups if group.norm is not None and group.norm > 0)
    if groups:
        mark = ("✓ ", "ok") if reached == len(groups) else ("· ", "dim")  # a fault once it lasts: then it is noted
        good += [mark, (f"grads reach {reached}/{len(groups)} groups", "")]
    out: Lines = [good] if good else []
    gate = _gate_line(data.gates)
    return [*out, gate] if gate else out


def _gate_line(gates: Gates) -> Line:
    layers = gates.layers.values()
    if not layers:
        return []
    worst = min(layers, key=lambda layer: layer.entropy)
    dead = sum(len(layer.dead) for layer in layers)
    fine = not dead and not any(layer.collapsed for layer in layers)
    text = (
        f"gate entropy {numbers.figure(worst.entropy, 2)}/{numbers.figure(worst.most_entropy, 2)}"
        f"  load cv {numbers.figure(worst.variation, 2)}  dead {dead}/{sum(layer.experts for layer in layers)}"
    )
    return [("✓ " if fine else "⚠ ", "ok" if fine else "warn"), (text, "")]


def render(row: Row, data: RunData, across: int, down: int, focused: bool = False) -> Lines:
    title: Line = [("health", "title")]
    if data.unread:
        title.append((f"  {data.unread} events not understood", "warn"))
    body = [part for line in lines(row, data) for part in wrap(line, across - 2)]
    body = body or [[("nothing reported yet", "dim")]]
    return box(title, body, across, down, focused)
