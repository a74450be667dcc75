"""The use of the machine in one line and in one pane."""

from cockpit.models.chart import Chart, Trace, View
from cockpit.models.series import Limits, Series
from cockpit.panes.chart import render as chart
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, box
from cockpit.services.system import Machine
from engine.report import numbers


def percent(share: float | None) -> str:
    return "--" if share is None else f"{share:.0%}"


def summary(system: Machine) -> str:
    """For the top line: the busiest GPU if there is one, CPU and memory."""
    parts = []
    if system.gpus:
        gpu = max(system.gpus, key=lambda g: g.busy or 0.0)
        more = f" of {len(system.gpus)}" if len(system.gpus) > 1 else ""
        parts.append(f"GPU{more} {percent(gpu.busy)}" + (f" {numbers.size(gpu.used)}" if gpu.used else ""))
    if system.cpu is not None:
        parts.append(f"CPU {percent(system.cpu)}")
    if system.memory_used is not None and system.memory_total:
        parts.append(f"MEM {numbers.size(system.memory_used)}/{numbers.size(system.memory_total)}")
    return "  ".join(parts)


def render(system: Machine, history: dict[str, Series], across: int, down: int, focused: bool = False) -> Lines:
    """Bars of the current use and, where there is room, a chart of the last minutes."""
    lines: Lines = []
    size = max(6, min(20, across - 34))
    for index, gpu in enumerate(system.gpus):
        share = gpu.used / gpu.total if gpu.used is not None and gpu.total else None
        heat = "" if gpu.celsius is None else f" {gpu.celsius:.0f}°C"
        watts = "" if gpu.watts is None else f" {gpu.watts:.0f}W"
        lines.append(_line(f"gpu{index}", gpu.busy, f"{gpu.name}{heat}{watts}", size))
        if gpu.used is not None and gpu.total is not None:
            lines.append(_line("  mem", share, f"{numbers.size(gpu.used)} of {numbers.size(gpu.total)}", size))
    if not system.gpus:
        lines.append([("gpu   ", "dim"), (system.gpu_note or "looking", "dim")])
    lines.append(_line("cpu", system.cpu, "", size))
    if system.memory_used is not None and system.memory_total:
        text = f"{numbers.size(system.memory_used)} of {numbers.size(system.memory_total)}"
        lines.append(_line("mem", system.memory_used / system.memory_total, text, size))
    if system.disk_free is not None and system.disk_total:
        used = 1 - system.disk_free / system.disk_total
        lines.append(_line("disk", used, f"{numbers.size(system.disk_free)} free", size, "bad" if used > 0.97 else ""))
    top = len(lines) + 2
    if down - top < 7 or not history:
        return box([("system", "title")], lines, across, down, focused)
    traces = [Trace(name, series, colour) for colour, (name, series) in enumerate(history.items())]
    use = Chart("use %", traces, growing=True, limits=Limits((0.0, 100.0)))
    drawn = chart(use, View(axis="time"), across, down - top)
    return [*box([("system", "title")], lines, across, top, focused), *drawn]


def _line(name: str, share: float | None, text: str, size: int, style: str = "") -> Line:
    return [
        (name.ljust(6), "dim"),
        (bar(share or 0.0, size), style or "series0"),
        (f" {percent(share):>4} ", ""),
        (text, "dim"),
    ]
