"""The resident recommender against its limits: a catalogue of 60,000 titles and two untrained students.

    python tests/benchmarks/serve_local.py [--items 60000] [--users 20000] [--questions 40]

Prints one JSON object: wall and CPU seconds until titles are found and until the students are loaded, wall and CPU
milliseconds of searches and answers (median and 95th percentile over questions), memory. Exits with 1 when a limit is
missed in CPU time: 2 s of loading, 50 ms a search, 100 ms an answer. Wall times count what else the machine does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from engine import config
from engine.data.sequences import Rows
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import DISTILLED_MODEL, ITEMS, PROFILE, STUDENT_MODEL, TEST, USERS, Artifact
from engine.student.model import SequenceModel, save_student

LIMITS = {"load": 2.0, "search": 50.0, "answer": 100.0}  # seconds, milliseconds, milliseconds


def pipeline(root: Path, items: int, users: int) -> list[str]:
    """A data, student, distill and evaluate run with what a server opens; gives the titles."""
    draw = np.random.default_rng(0)
    words = ["".join(map(chr, draw.integers(97, 123, size))) for size in draw.integers(2, 10, 4000)]
    titles = [" ".join(words[word] for word in draw.integers(0, 4000, 4)) for _ in range(items)]
    inputs = {"data": {}, "student": {"data": "data"}, "distill": {"data": "data"}}
    inputs["evaluate"] = {name: name for name in inputs}
    for name, own in inputs.items():
        (root / name / ARTIFACTS).mkdir(parents=True)
        RunInfo(name, name, "benchmark", 1, name, own).write(root / name)

    def path_of(artifact: Artifact) -> Path:
        return root / artifact.stage / ARTIFACTS / artifact.file

    raw = [str(number) for number in range(1, items + 1)]
    pq.write_table(pa.table({"raw": raw, "title": titles}), path_of(ITEMS))
    pq.write_table(pa.table({"raw": [str(number) for number in range(users)]}), path_of(USERS))
    path_of(PROFILE).write_text(json.dumps({"name": "benchmark"}))
    start = np.arange(users) * 51
    Rows(draw.integers(1, items + 1, users * 51).astype(np.int32), start, start + 50, np.arange(users)).save(
        path_of(TEST)
    )
    model = SequenceModel(items, config.load(["data=ml-1m"]).student)
    for artifact in (STUDENT_MODEL, DISTILLED_MODEL):
        save_student(path_of(artifact), model)
    return titles


class Server:
    """The process, asked one question after another."""

    def __init__(self, root: Path) -> None:
        words = [sys.executable, "-m", "engine", "serve-local", "evaluate", "--runs", str(root)]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = psutil.Process(self.process.pid)

    def ask(self, method: str, **more: Any) -> dict[str, Any]:
        """The last line of the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"id": 1, "method": method, **more}).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            line: dict[str, Any] = json.loads(self.process.stdout.readline())
            if not line["more"]:
                return line

    def spent(self) -> tuple[float, float]:
        """Wall seconds since it began, and CPU seconds of its own."""
        times = self.seen.cpu_times()
        return time.perf_counter() - self.began, times.user + times.system

    def repeated(self, method: str, requests: list[dict[str, Any]]) -> dict[str, float]:
        """Milliseconds of each request: wall time at the pipe, and CPU time on average."""
        wall, before = [], self.spent()[1]
        for request in requests:
            begin = time.perf_counter()
            self.ask(method, **request)
            wall.append(1000 * (time.perf_counter() - begin))
        cpu = 1000 * (self.spent()[1] - before) / len(requests)
        return {
            "wall_median_ms": round(float(np.median(wall)), 1),
            "wall_p95_ms": round(float(np.percentile(wall, 95)), 1),
            "cpu_mean_ms": round(cpu, 1),
        }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--items", type=int, default=60_000)
    words.add_argument("--users", type=int, default=20_000)
    words.add_argument("--questions", type=int, default=40)
    given = words.parse_args()
    draw = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        titles = pipeline(Path(folder), given.items, given.users)
        server = Server(Path(folder))
        server.ask("search", text=titles[0])
        titles_wall, titles_cpu = server.spent()
        server.ask("recommend", row=0)
        load_wall, load_cpu = server.spent()
        asked = [titles[number] for number in draw.integers(0, given.items, given.questions)]
        typed = [text[: draw.integers(3, len(text))] for text in asked]
        rows = draw.integers(0, given.users, given.questions).tolist()
        result = {
            "items": given.items,
            "rows": given.users,
            "titles_after": {"wall_s": round(titles_wall, 2), "cpu_s": round(titles_cpu, 2)},
            "students_after": {"wall_s": round(load_wall, 2), "cpu_s": round(load_cpu, 2)},
            "search": server.repeated("search", [{"text": text} for text in typed]),
            "search_misspelt": server.repeated("search", [{"text": text[1:] + "x"} for text in asked]),
            "answer": server.repeated("recommend", [{"row": row} for row in rows]),
            "memory_mb": round(server.seen.memory_info().rss / 1e6),
        }
        assert server.process.stdin is not None and server.process.stdout is not None
        server.process.stdin.close()
        server.process.wait(10)
        server.process.stdout.close()
    print(json.dumps(result))
    missed = load_cpu > LIMITS["load"]
    missed |= any(result[name]["cpu_mean_ms"] > LIMITS["search"] for name in ("search", "search_misspelt"))
    sys.exit(1 if missed or result["answer"]["cpu_mean_ms"] > LIMITS["answer"] else 0)


if __name__ == "__main__":
    main()
