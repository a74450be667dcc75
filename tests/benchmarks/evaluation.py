"""Ranking many rows against a large catalogue: time and peak memory of counting in blocks, beside a sort of every row.

    python tests/benchmarks/evaluation.py [--rows 100000] [--items 50000] [--width 64] [--threads 2]

Each way runs in a process of its own, so that its peak memory is its own. The sort holds all scores of its rows at once
and is given fewer rows; its time is scaled to all of them.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from torch import Tensor

from engine.metrics.ranking import ranks_in_blocks

SORTED_ROWS = 2000


def sorted_ranks(users: Tensor, table: Tensor, targets: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """The usual way: all scores, seen ones masked, an argsort, and the position of the target in it."""
    scores = users @ table.T
    scores[:, 0] = -torch.inf
    kept = scores.gather(1, targets[:, None])
    scores[rows, items] = -torch.inf
    scores.scatter_(1, targets[:, None], kept)
    order = scores.argsort(dim=1, descending=True)
    return (order == targets[:, None]).nonzero()[:, 1] + 1


def measured(way: str, rows: int, items: int, width: int, threads: int) -> dict[str, float]:
    """Seconds, peak memory and mean reciprocal rank of one way, in this process."""
    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(1)
    table = torch.randn(items + 1, width, generator=draw)
    users = torch.randn(rows, width, generator=draw)
    targets = torch.randint(1, items + 1, (rows,), generator=draw)
    length = 50
    seen = torch.randint(1, items + 1, (rows * length,), generator=draw)
    start = torch.arange(rows) * length
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, cpu = time.perf_counter(), time.process_time()
    if way == "blocks":
        ranks = ranks_in_blocks(users, table, targets, None, (seen, start, start + length))
    else:
        ranks = sorted_ranks(users, table, targets, torch.arange(rows).repeat_interleave(length), seen)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": peak / 1024,
        "added_mb": (peak - before) / 1024,
        "mrr": float((1 / ranks[:SORTED_ROWS].double()).mean()),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--items", type=int, default=50_000)
    options.add_argument("--width", type=int, default=64)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--way", choices=("blocks", "sort"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.way:
        print(json.dumps(measured(given.way, given.rows, given.items, given.width, given.threads)))
        return
    found = {}
    for way, rows in (("blocks", given.rows), ("sort", min(SORTED_ROWS, given.rows))):
        words = ["--way", way, "--rows", rows, "--items", given.items, "--width", given.width]
        words += ["--threads", given.threads]
        child = subprocess.run([sys.executable, __file__, *map(str, words)], capture_output=True, text=True, check=True)
        found[way] = json.loads(child.stdout)
    print(
        f"{given.rows:,} rows x {given.items:,} items, width {given.width}, {given.threads} threads, seen items hidden"
    )
    for way, one in found.items():
        scale = given.rows / one["rows"]
        flops = 2 * given.items * given.width * one["rows"] / one["seconds"] / 1e9
        print(
            f"{way:<8} {one['rows']:>9,.0f} rows  {one['seconds']:8.1f} s  ({one['seconds'] * scale:8.1f} s for all)  "
            f"cpu {one['cpu'] * scale:7.1f} s  peak {one['peak_mb']:8,.0f} MB  {flops:6.1f} GFLOP/s of scores"
        )
    print(f"the sort would hold {given.rows * (given.items + 1) * 12 / 2**30:,.0f} GiB of scores and indices at once")
    same = abs(found["blocks"]["mrr"] - found["sort"]["mrr"])
    if given.rows <= SORTED_ROWS:
        print(f"both find the same ranks: mean reciprocal ranks differ by {same:.1e}")


if __name__ == "__main__":
    main()
