"""What the cockpit costs, measured in a real pseudo-terminal against its budgets.

    python tests/benchmarks/cockpit_budgets.py [--seconds 15] [--only start,live,grid,heat,idle,low,slow,million]

A writer process reports ten events a second through the engine's own ``Run``. Key latency is the time from the key
press to the changed row on the screen. The emulator that reads the screen runs on the same machine: figures are upper
bounds. Prints one JSON object a measurement, with its limits; exits with 1 when one is missed.
"""

import argparse
import importlib.util
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from cockpit.models.chart import Chart, Trace, View
from cockpit.panes.chart import render
from cockpit.services.tail import RunFollower
from engine.jobs.device_log import DeviceLog
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import Exit, RunInfo

spec = importlib.util.spec_from_file_location("pty_terminal", Path(__file__).parents[1] / "cockpit" / "pty_terminal.py")
pty_terminal = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pty_terminal)

MANY = 10_000  # runs of a long list
MILLION = 1_000_000
LIMITS = {
    "start": {"first_picture_s": 0.8, "full_list_s": 1.5},
    "live": {"key_p50_ms": 15, "key_p95_ms": 50, "cpu_percent": 10, "kB_per_s": 20, "rss_MB": 150},
    "grid": {"key_p50_ms": 15, "key_p95_ms": 50, "cpu_percent": 10, "kB_per_s": 20},
    "heat": {"key_p50_ms": 15, "key_p95_ms": 50, "cpu_percent": 10, "kB_per_s": 20},
    "idle": {"cpu_percent": 1},
    "low": {"kB_per_s": 5},
    "slow": {"key_p95_ms": 300},
    "million": {"draw_ms": 10, "open_s": 1},
    "many": {"first_picture_s": 0.5, "full_list_s": 3, "key_p95_ms": 50},
}


def make(store, stage, created, seed, end=True, **inputs):
    """One run with a short history."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(created))
    info = RunInfo(
        f"{stage}-{stamp}-{seed:04x}", stage, f"exp-{seed % 9}", seed, f"{seed:016x}", inputs, created=created
    )
    folder = store.create(info, yaml.safe_dump({"seed": seed, stage: {"hidden": 64, "lr": 1e-3 * (seed % 5 + 1)}}))
    clock = [created]
    with Run(folder, clock=lambda: clock[0]) as run:
        for step in range(20, 201, 20):
            clock[0] += 10
            run.progress(step, 200, "training", rate=50.0)
            run.scalars(step, {"loss": 1 + math.exp(-step / 50)})
            run.evaluation(step, {"val_recall@10": 0.09 * (1 - math.exp(-step / 60)) + seed * 1e-6})
    if end:
        Exit(1, 0, None, "self", "", 100.0, 10**8, False, clock[0]).write(folder)
    return folder


def write_live(root, count):
    """The writer process: ``count`` runs at work, the first with ten events a second, gates and a console."""
    store = Store(Path(root))
    runs = []
    for number in range(count):
        info = RunInfo(
            f"teacher-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{number + 0xF000:04x}",
            "teacher",
            "live",
            number,
            f"{number:016x}",
        )
        runs.append(Run(store.create(info, yaml.safe_dump({"seed": number, "teacher": {"rank": 8}}))))
    groups = {f"block{i:02}": 1000 for i in range(48)}
    main = runs[-1]
    main.describe(groups)
    print("ready", flush=True)
    chance = random.Random(1)
    console = (main.folder / "console.log").open("a", buffering=1)
    step = 0
    gpu = {"i": 0, "name": "H200", "mem": 139 << 30}
    devices = DeviceLog(main.folder, {"cores": 16, "limit": 128 << 30, "disk": 4e12, "gpus": [gpu]})
    while True:
        step += 10
        if step % 100 == 0:
            use = {"i": 0, "busy": 0.9 + chance.gauss(0, 0.02), "mem": 61 << 30, "w": 412 + chance.gauss(0, 5), "c": 54}
            machine = {"busy": 0.2, "used": 40 << 30, "free": 1e12, "rd": 1e6 * chance.random(), "wr": 1e6}
            devices.add({"n": 5, "cpu": 3 + chance.gauss(0, 0.2), "top": 0.98, "mem": 9e9, "gpus": [use]} | machine)
        value = 0.09 * (1 - math.exp(-step / 5000)) + chance.gauss(0, 0.0004)
        main.scalars(step, {"loss": 1 + math.exp(-step / 4000) + chance.gauss(0, 0.02), "lr": 1e-3})
        main.gradients(step, 0.8 + chance.gauss(0, 0.1), [abs(chance.gauss(0.2, 0.1)) for _ in groups], 1.0, False)
        if step % 50 == 0:
            counts = [[max(0.0, 20 + chance.gauss(0, 4) - abs(b - 4 * e)) for b in range(32)] for e in range(8)]
            main.gate(step, "layers.11", counts, [0.125] * 8, 1.9 + chance.gauss(0, 0.05))
            main.evaluation(step, {"val_recall@10": value, "val_ndcg@10": value / 2})
            print(f"12:00:00 epoch {step // 1000} step {step} loss {value:.4f}", file=console)
        main.progress(step, 100_000, "training")
        if step % 100 == 0:
            for run in runs[:-1]:
                run.progress(step, 100_000, "training")
        time.sleep(0.2)


class Bench:
    """A folder of runs, its writer, and cockpits to look at it."""

    def __init__(self, folder, runs, live):
        self.root = Path(folder) / "runs"
        store = Store(self.root)
        now = time.time()
        for number in range(runs - live):
            make(store, "student", now - 86400 - 60 * number, number)
        self.writer = None
        if live:
            command = [sys.executable, __file__, "--write", str(self.root), str(live)]
            self.writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self.writer.stdout.readline() == "ready\n"

    def open(self, *options, size=(200, 60), rate=0):
        command = [sys.executable, "-m", "cockpit", "--runs", str(self.root), *options]
        environment = {"COCKPIT_SETTINGS": str(self.root.parent / "none.toml"), "OMP_NUM_THREADS": "1"}
        return pty_terminal.PtyTerminal(command, size, environment, rate)

    def close(self):
        if self.writer:
            self.writer.kill()
            self.writer.wait()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(terminal, seconds, keys=True):
    """Bytes, processor time and key latency over some seconds. The digits 7 to 9 mean nothing: they give a message."""
    process = psutil.Process(terminal.pid)
    row = terminal.height - (2 if terminal.height >= 30 else 1)
    start, before = time.perf_counter(), terminal.bytes
    used = sum(process.cpu_times()[:2])
    latencies, wait_until, pressed, digit = [], start + 0.3, None, 7
    while time.perf_counter() - start < seconds or (pressed and time.perf_counter() - pressed < 10):
        terminal.read(0.001)
        now = time.perf_counter()
        if pressed is None and keys and now >= wait_until:
            digit = 7 + (digit - 6) % 3
            terminal.type(str(digit))
            pressed = now
        elif pressed is not None and terminal.row(row).lstrip().startswith(f"{digit} has"):
            latencies.append(now - pressed)
            pressed, wait_until = None, now + random.uniform(0.1, 0.5)
    wall = time.perf_counter() - start
    out = {
        "cpu_percent": round(100 * (sum(process.cpu_times()[:2]) - used) / wall, 1),
        "kB_per_s": round((terminal.bytes - before) / wall / 1000, 2),
        "rss_MB": round(process.memory_info().rss / 1e6),
    }
    if keys:
        out |= {"keys": len(latencies), "key_p50_ms": round(1000 * percentile(latencies, 0.5), 1)}
        out["key_p95_ms"] = round(1000 * percentile(latencies, 0.95), 1)
    return out


def many(seconds):
    """A folder of ten thousand runs: until the list is whole, and keys on it."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, MANY, 0)
        found = start(bench, f"{MANY:,}/{MANY:,}", 3)
        terminal = bench.open()
        terminal.shows(f"{MANY:,}/{MANY:,}", seconds=60)
        found |= measure(terminal, seconds)
        terminal.close()
        bench.close()
        return found


def start(bench, whole="1,000/1,000", times=5):
    best = {}
    for _ in range(times):
        terminal = bench.open()
        first = terminal.shows("cockpit ▸", seconds=20)
        terminal.until(lambda t=terminal: whole in t.text and " reading" not in t.row(0), 60)
        full = time.perf_counter() - terminal.started
        terminal.close()
        best = {
            "first_picture_s": round(min(first, best.get("first_picture_s", 99)), 3),
            "full_list_s": round(min(full, best.get("full_list_s", 99)), 3),
        }
    return best


def live(bench, seconds, *options, rate=0, keys="", shows=()):
    terminal = bench.open(*options, rate=rate)
    terminal.shows("1,000/1,000", seconds=60)
    terminal.type("2")
    terminal.shows("gate load over time", "val_recall@10", "gpu0 %", seconds=60)
    if keys:
        terminal.type(keys)
        terminal.shows(*shows, seconds=30)
    settled = time.perf_counter() + 4
    terminal.until(lambda: time.perf_counter() > settled)
    out = measure(terminal, seconds)
    terminal.close()
    return out


def idle(seconds):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, 1000, 0)
        terminal = bench.open()
        terminal.shows("1,000/1,000", seconds=60)
        settled = time.perf_counter() + 5
        terminal.until(lambda: time.perf_counter() > settled)
        out = measure(terminal, seconds, keys=False)
        terminal.close()
        bench.close()
        return out


def million():
    """A history of a million points: how long until a curve stands, until it is whole, and one picture of it."""
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "events.jsonl").open("w") as file:
            for step in range(MILLION):
                event = {
                    "v": 1,
                    "t": step + 0.5,
                    "q": step,
                    "k": "s",
                    "m": {"loss": math.sin(step / 1e5)},
                    "step": step,
                }
                file.write(json.dumps(event, separators=(",", ":")) + "\n")
        begin = time.perf_counter()
        follower = RunFollower(Path(folder))
        chart = Chart("loss", [Trace("a", follower.data.series["loss"], 0)], total=MILLION)
        render(chart, View(), 120, 30)
        opened = time.perf_counter() - begin
        while follower.loading:
            follower.poll(0.005)
        whole = time.perf_counter() - begin
        chart = Chart("loss", [Trace("a", follower.data.series["loss"], 0)], total=MILLION)
        draws = []
        for _ in range(9):
            begin = time.perf_counter()
            render(chart, View(), 120, 30)
            draws.append(time.perf_counter() - begin)
        return {
            "open_s": round(opened, 3),
            "whole_s": round(whole, 2),
            "draw_ms": round(1000 * percentile(draws, 0.5), 2),
            "points": follower.data.series["loss"].count,
        }


def main():
    top = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    top.add_argument("--seconds", type=float, default=15)
    top.add_argument("--only", default=",".join(LIMITS))
    top.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    options = top.parse_args()
    if options.write:
        write_live(options.write[0], int(options.write[1]))
        return 0
    wanted = options.only.split(",")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, 1000, 20) if set(wanted) - {"idle", "million"} else None
        measurements = {
            "start": lambda: start(bench),
            "live": lambda: live(bench, options.seconds),
            "grid": lambda: live(bench, options.seconds, keys="V", shows=("all metrics", "gate entropy")),
            "heat": lambda: live(bench, options.seconds, keys="v", shows=("grad over time", "gates over time")),
            "low": lambda: live(bench, options.seconds, "--low-bandwidth"),
            "slow": lambda: live(bench, options.seconds, rate=20_000),
            "idle": lambda: idle(options.seconds),
            "million": million,
            "many": lambda: many(options.seconds),
        }
        for name in wanted:
            found = measurements[name]()
            broken = [key for key, limit in LIMITS[name].items() if found[key] > limit]
            missed += len(broken)
            load = round(os.getloadavg()[0], 1)
            print(
                json.dumps({"measured": name, **found, "limits": LIMITS[name], "missed": broken, "load": load}),
                flush=True,
            )
        if bench:
            bench.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
