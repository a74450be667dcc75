"""Time and memory of preparing generated ratings: ``python tests/benchmarks/data_preparation.py [EVENTS]``.

Writes a MovieLens-32M look-alike (CSV, unsorted times, 200,000 users, 87,000 items), runs the data stage on it in a
process of its own, and prints seconds and peak memory. The target is 60 s and 6 GB for 32 million events on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

USERS, ITEMS, BATCH = 200_000, 87_000, 2_000_000
CHILD = """
import json, resource, sys, time
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
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu, "peak": used.ru_maxrss}))
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
                np.sort(((begin + draw.random(count) * count) / events * USERS).astype(np.int32)) + 1,
                (ITEMS * draw.random(count) ** 3).astype(np.int32) + 1,
                (draw.integers(1, 11, count) / 2).astype(np.float32),
                draw.integers(820_000_000, 1_700_000_000, count),
            ]
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema))
    lines = [f'{item},"Film number {item}, The ({1950 + item % 70})",Drama|War\n' for item in range(1, ITEMS + 1)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=lambda text: int(float(text)), default=32_000_000)
    parser.add_argument("words", nargs="*", help="more settings, for example data.split=temporal")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "set"
        source.mkdir()
        begin = time.perf_counter()
        generate(source, chosen.events)
        size = (source / "ratings.csv").stat().st_size
        print(f"generated {chosen.events:,} events, {size / 1e6:,.0f} MB, in {time.perf_counter() - begin:.0f} s")
        words = ["data=ml-32m", f"data.path={source}", *chosen.words]
        command = [sys.executable, "-c", CHILD, str(Path(temporary) / "run"), *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        usage = json.loads(done.stdout.splitlines()[-1])
        profile = json.loads((Path(temporary) / "run" / "artifacts" / "profile.json").read_text())
        print(f"{profile['users']:,} users, {profile['items']:,} items, rows {profile['rows']}")
        print(
            f"prepared in {usage['seconds']:.1f} s ({usage['cpu']:.1f} s of CPU, {os.cpu_count()} cores), "
            f"peak memory {usage['peak'] / 1e6:.2f} GB"
        )


if __name__ == "__main__":
    main()
