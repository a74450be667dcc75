"""The gates of one layer: a histogram of gate weights for each expert, their statistics, and the load over time."""

from cockpit.models.gates import Gates, Layer
from cockpit.render.heat import heights, strip
from cockpit.render.lines import Line, Lines, box
from engine.report import numbers
from engine.report.tables import right

NAME = 4  # cells of an expert's name
FRAME = 4  # lines of a layer's histograms beside those of its experts


def chosen(gates: Gates, index: int) -> tuple[str, Layer] | None:
    """Name and layer at an index, which wraps around."""
    if not gates.layers:
        return None
    name = list(gates.layers)[index % len(gates.layers)]
    return name, gates.layers[name]


def histograms(gates: Gates, index: int, across: int, down: int, focused: bool = False) -> Lines:
    """One row per expert: the histogram of its gate weights, 0 on the left, 1 on the right."""
    found = chosen(gates, index)
    if found is None:
        return box([("gate weights", "title")], [[("no gates reported", "dim")]], across, down, focused)
    name, layer = found
    size = across - 2 - NAME - 6
    lines: Lines = []
    shown = max(1, down - FRAME)
    for expert in range(min(layer.experts, shown)):
        share = layer.load[expert]
        lines.append(
            [
                (f"e{expert}".ljust(NAME), "dim"),
                (heights(layer.counts[expert], size), f"series{expert % 6}"),
                (right(numbers.figure(share, 2), 6), "bad" if expert in layer.dead else "dim"),
            ]
        )
    if layer.experts > shown:
        lines[-1] = [(f"... {layer.experts - shown + 1} more experts", "dim")]
    lines.append([(" " * NAME + "0" + "·.5".center(size - 2) + "1", "dim")])
    lines.append(_facts(layer))
    title: Line = [
        ("gate weights", "title"),
        (f"  layer {name} ({index % len(gates.layers) + 1}/{len(gates.layers)})  step {layer.steps[-1]:,.0f}", "dim"),
    ]
    return box(title, lines, across, down, focused)


def layers(gates: Gates, index: int, across: int, down: int, focused: bool = False) -> Lines:
    """The histograms of as many layers as there is room for, from the layer ``index`` on."""
    found = chosen(gates, index)
    most = max((layer.experts for layer in gates.layers.values()), default=1) + FRAME
    count = max(1, min(len(gates.layers), down // most))
    if found is None or count == 1:
        return histograms(gates, index, across, down, focused)
    out: Lines = []
    for offset in range(count):
        height = (down - len(out)) // (count - offset)
        out += histograms(gates, index + offset, across, height, focused and not offset)
    return out


def _facts(layer: Layer) -> Line:
    return [
        (
            f"entropy {numbers.figure(layer.entropy, 2)}/{numbers.figure(layer.most_entropy, 2)}",
            "warn" if layer.collapsed else "",
        ),
        (f"  load cv {numbers.figure(layer.variation, 2)}", ""),
        (f"  dead {len(layer.dead)}/{layer.experts}", "bad" if layer.dead else ""),
    ]


def heat_strip(gates: Gates, index: int, across: int, down: int, focused: bool = False) -> Lines:
    """Load of each expert over time: an even load is half dark, a dead expert stays blank."""
    found = chosen(gates, index)
    if found is None:
        return box([("gate load over time", "title")], [[("no gates reported", "dim")]], across, down, focused)
    name, layer = found
    rows = strip(layer.loads_over_time, across - 2 - NAME)
    lines: Lines = [
        [(f"e{expert}".ljust(NAME), "dim"), (row, f"series{expert % 6}")] for expert, row in enumerate(rows)
    ]
    title: Line = [("gate load over time", "title"), (f"  layer {name}  {len(layer.steps)} reports", "dim")]
    room = max(1, down - 2)
    if len(lines) > room:
        lines[room - 1 :] = [[(f"... {len(lines) - room + 1} more experts", "dim")]]
    return box(title, lines, across, down, focused)
