"""Time and memory of preparing generated ratings: ``python tests/benchmarks/data_preparation.py [EVENTS]``.

Writes a MovieLens-32M look-alike (CSV, users in order, times in none, 160 events a user, 87,000 items), runs the data
stage on it in a process of its own, and prints seconds and peak memory. With ``--pieces`` it is a folder of Parquet
files with users in no order, as Spark writes them; ``--dates``: with times as dates. The targets are 60 s and 6 GB for
32 million events as CSV on two cores, and 20 bytes an event in pieces.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

EVENTS_A_USER, ITEMS, BATCH = 160, 87_000, 2_000_000
PIECES = [f"data.columns.{role}={name}" for role, name in (("user", "user_id"), ("item", "item_id"))] + [
    f"data.columns.{role}={name}" for role, name in (("time", "timestamp"), ("rating", "rating"), ("title", "title"))
]
CHILD = """
import json, re, sys, time
from pathlib import Path
from engine.config import load
from engine.data.stage import run as data
from engine.runs.run import Run
from engine.runs.schema import RunInfo
folder = Path(sys.argv[1])
folder.mkdir()
RunInfo(folder.name, "data", "benchmark", 1, "f").write(folder)
begin, cpu = time.perf_counter(), time.process_time()
with Run.open(folder) as run:
    data(load(sys.argv[2:]), run)
peak = 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
print(json.dumps({"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu, "peak": peak}))
"""


def generate(folder: Path, events: int) -> None:
    """ratings.csv and movies.csv with users in order and times in none, as the published files have them."""
    draw = np.random.default_rng(1)
    schema = pa.schema(
        [("userId", pa.int32()), ("movieId", pa.int32()), ("rating", pa.float32()), ("timestamp", pa.int64())]
    )
    with pyarrow.csv.CSVWriter(folder / "ratings.csv", schema) as writer:
        for begin in range(0, events, BATCH):
            count = min(BATCH, events - begin)
            columns = [
                np.sort((begin + draw.random(count) * count) // EVENTS_A_USER).astype(np.int32) + 1,
                (ITEMS * draw.random(count) ** 3).astype(np.int32) + 1,
                (draw.integers(1, 11, count) / 2).astype(np.float32),
                draw.integers(820_000_000, 1_700_000_000, count),
            ]
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema))
    lines = [f'{item},"Film number {item}, The ({1950 + item % 70})",Drama|War\n' for item in range(1, ITEMS + 1)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(lines), encoding="utf-8")


def generate_pieces(folder: Path, events: int, dates: bool) -> None:
    """A folder of Parquet files of two million events with users and times in no order, and a catalogue beside it."""
    draw = np.random.default_rng(1)
    (folder / "ratings").mkdir()
    for number, begin in enumerate(range(0, events, BATCH)):
        count = min(BATCH, events - begin)
        seconds = draw.integers(820_000_000, 1_700_000_000, count)
        columns = {
            "user_id": draw.integers(1, max(2, events // EVENTS_A_USER), count),
            "item_id": (ITEMS * draw.random(count) ** 3).astype(np.int64) + 1,
            "rating": (draw.integers(1, 11, count) / 2).astype(np.float32),
            "timestamp": pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC")) if dates else seconds,
        }
        pa.parquet.write_table(pa.table(columns), folder / "ratings" / f"part-{number:05}.parquet")
    items = pa.array(np.arange(1, ITEMS + 1))
    titles = pa.array([f"Film number {item}" for item in items.to_pylist()])
    pa.parquet.write_table(pa.table({"item_id": items, "title": titles}), folder / "titles.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=lambda text: int(float(text)), default=32_000_000)
    parser.add_argument("words", nargs="*", help="more settings, for example data.split=temporal")
    parser.add_argument("--pieces", action="store_true", help="a folder of Parquet files")
    parser.add_argument("--dates", action="store_true", help="with --pieces: times as dates")
    parser.add_argument("--repeats", type=int, default=1, help="the median of so many runs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "set"
        source.mkdir()
        begin = time.perf_counter()
        if chosen.pieces:
            generate_pieces(source, chosen.events, chosen.dates)
            words = ["data=table", "data.file=ratings", "data.catalogue=titles.parquet", *PIECES]
        else:
            generate(source, chosen.events)
            words = ["data=ml-32m"]
        size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        print(f"generated {chosen.events:,} events, {size / 1e6:,.0f} MB, in {time.perf_counter() - begin:.0f} s")
        usages = []
        for number in range(chosen.repeats):
            run = Path(temporary) / f"run-{number}"
            command = [sys.executable, "-c", CHILD, str(run), *words, f"data.path={source}", *chosen.words]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            usages.append(json.loads(done.stdout.splitlines()[-1]))
        usage = {name: statistics.median(one[name] for one in usages) for name in usages[0]}
        profile = json.loads((run / "artifacts" / "profile.json").read_text())
        print(f"{profile['users']:,} users, {profile['items']:,} items, rows {profile['rows']}")
        print(
            f"prepared in {usage['seconds']:.1f} s ({usage['cpu']:.1f} s of CPU, {os.cpu_count()} cores), "
            f"peak memory {usage['peak'] / 1e9:.3f} GB"
        )


if __name__ == "__main__":
    main()
