"""What a run used of its machine: a line for each device, or charts over the same x axis as the curves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cockpit.models.chart import Chart, Trace, View
from cockpit.models.devices import Devices
from cockpit.models.series import TIME, Series
from cockpit.panes.chart import render as chart
from cockpit.render.heat import heights
from cockpit.render.lines import Line, Lines, beside, box, ends, fit, width
from engine.report import numbers
from engine.report.tables import column
from engine.runs.events import number

if TYPE_CHECKING:
    from cockpit.models.series import Floats

LOW = 9  # lines below which there are no charts
NARROWEST = 36  # columns of a chart
MEGA, GIGA = 1e-6, 1 / (1 << 30)
NAME, SPARKLINE = 7, 12  # cells of a device's name, and at least of its readings over time


def render(
    devices: Devices,
    steps: Series | None,
    view: View,
    across: int,
    down: int,
    focused: bool = False,
    total: float | None = None,
) -> Lines:
    """``steps``: the run's own series that translates the times of readings into steps; ``total``: of a run at work."""
    rows = _rows(devices)
    title: Line = [("devices", "title"), *_processes(devices)]
    if devices.count < 2 or down < LOW or across < NARROWEST:
        size = max(10, min(max(len(text) for _, text, _ in rows), across - 2 - NAME - SPARKLINE))
        return box(title, [_row(*row, size, across - 2) for row in rows], across, down, focused)
    charts = _charts(devices, steps, view)
    for one in charts:
        one.total, one.growing = total or 0.0, total is not None
    most = max(1, (down - 1) // (LOW - 3)) * (across // NARROWEST)
    columns = min(len(charts), max(1, across // NARROWEST))
    charts = charts[:most]
    lines = -(-len(charts) // columns)
    out: Lines = []
    own = view if steps is not None else replace(view, axis=TIME, left=0.0, right=1.0, cursor=None)
    own = replace(own, log=False, smoothing=0.0)
    for index in range(lines):
        shown = charts[index * columns : (index + 1) * columns]
        high = (down - 1) // lines + (index < (down - 1) % lines)
        sizes = [across // len(shown) + (i < across % len(shown)) for i in range(len(shown))]
        out += beside([chart(one, own, size, high, focused) for one, size in zip(shown, sizes, strict=True)])
    return [*out, fit(ends([(" ", ""), *_status(devices)], [], across), across)]


def _charts(devices: Devices, steps: Series | None, view: View) -> list[Chart]:
    """Processors, then GPUs, memory and disks."""
    where = None if view.axis == TIME else steps

    def traces(*shown: tuple[str, str, float]) -> list[Trace]:
        made = [(label, devices.series(figure, scale, where)) for label, figure, scale in shown]
        return [Trace(label, series, colour) for colour, (label, series) in enumerate(made) if series.count]

    cores, limit = devices.total("cores"), devices.total("limit")
    found = [
        Chart(
            "cpu cores",
            traces(("run", "cpu", 1.0), ("busiest", "top", 1.0)),
            note=[("  " + _cpu(devices, False), "dim")],
        )
    ]
    for gpu in devices.gpus:
        index, size = gpu["i"], number(gpu.get("mem"))
        shown = [("busy", f"{index} busy", 100.0)]
        if size:
            shown.append(("memory", f"{index} mem", 100.0 / size))
        found.append(Chart(f"gpu{index} %", traces(*shown), note=[("  " + _gpu(devices, gpu, False), "dim")]))
    memory = traces(("run", "mem", GIGA), ("machine", "used", GIGA))
    found.append(Chart("memory GiB", memory, note=[(f"  of {numbers.size(limit)}" if limit else "", "dim")]))
    found.append(Chart("disk MB/s", traces(("read", "rd", MEGA), ("write", "wr", MEGA))))
    for one in found:
        one.floor = 0.0
    if cores:
        found[0].line = cores
    return [one for one in found if one.traces]


def _rows(devices: Devices) -> list[tuple[str, str, Floats]]:
    """(name, figures, readings over time) of each device, and remarks."""
    if not devices.count:
        remark = devices.problem or "no readings yet"
        return [("", remark, np.array([])), *_remarks(devices)]
    rows = [("cpu", _cpu(devices, True), devices.values("cpu"))]
    for gpu in devices.gpus:
        rows.append((f"gpu{gpu['i']}", _gpu(devices, gpu, True), devices.values(f"{gpu['i']} busy")))
    rows.append(("memory", _memory(devices), devices.values("mem")))
    rows.append(("disk", _disk(devices), devices.values("rd") + devices.values("wr")))
    return [*rows, *_remarks(devices)]


def _remarks(devices: Devices) -> list[tuple[str, str, Floats]]:
    found = [str(devices.machine["note"])] if devices.machine.get("note") else []
    found += [devices.problem] if devices.problem and devices.count else []
    return [("", text, np.array([])) for text in found]


def _row(name: str, text: str, values: Floats, size: int, across: int) -> Line:
    line: Line = [(name.ljust(NAME) if name else "", "dim"), (column(text, size) if len(values) else text, "")]
    room = across - width(line) - 1
    known = values[~np.isnan(values)]
    if room > 3 and len(known):
        line += [(" ", ""), (heights(known, min(room, len(known))), "series0")]
    return line


def _status(devices: Devices) -> Line:
    free = devices.now("free")
    line: Line = [(f"cpu {_cpu(devices, True)}   ", "dim")]
    line += [(f"gpu{gpu['i']} {_gpu(devices, gpu, True)}   ", "dim") for gpu in devices.gpus]
    if free is not None:
        line.append((f"{numbers.size(free)} of disk free   ", "dim"))
    return line + [(f"{text}   ", "dim") for _, text, _ in _remarks(devices)]


def _processes(devices: Devices) -> Line:
    count = devices.now("n")
    if count is None:
        return []
    return [(f"  {count:.0f} process{'es' * (count != 1)}, latest of {devices.count} readings", "dim")]


def _cpu(devices: Devices, whole: bool) -> str:
    cores, used, busy = devices.total("cores"), devices.now("cpu"), devices.now("busy")
    text = numbers.figure(used, 2) + (f" of {cores:.0f}" if cores else "")
    return text + " cores" * whole + (f", machine {busy:.0%}" if whole and busy is not None else "")


def _memory(devices: Devices) -> str:
    used, peak, limit = devices.now("mem"), devices.peak("mem"), devices.total("limit")
    return f"{_size(used)}, most {_size(peak)}" + (f" of {numbers.size(limit)}" if limit else "")


def _disk(devices: Devices) -> str:
    read, written, free = (devices.now(name) for name in ("rd", "wr", "free"))
    rates = "" if read is None or written is None else f"{_size(read)}/s read, {_size(written)}/s written, "
    return rates + f"{_size(free)} free"


def _gpu(devices: Devices, gpu: dict[str, Any], whole: bool) -> str:
    busy, used = (devices.now(f"{gpu['i']} {name}") for name in ("busy", "mem"))
    text, size = numbers.MISSING if busy is None else f"{busy:.0%}", number(gpu.get("mem"))
    if used is not None:
        text += f" {numbers.size(used)}" + (f" of {numbers.size(size)}" if size else "")
    return text + _heat(devices, gpu) * whole


def _heat(devices: Devices, gpu: dict[str, Any]) -> str:
    watts, heat = (devices.now(f"{gpu['i']} {name}") for name in ("w", "c"))
    return ("" if watts is None else f" {watts:.0f}W") + ("" if heat is None else f" {heat:.0f}°C")


def _size(size: float | None) -> str:
    return numbers.MISSING if size is None else numbers.size(size)
