"""What titles are worth in the demo world: ``python tests/benchmarks/demo_world.py [--runs DIR] [key=value ...]``.

Makes the world, trains its SASRec (a run below DIR, reused when it is there), and ranks the test rows with popularity,
SASRec, a scorer that counts what titles say, and the generator's own oracle: over all rows, over targets that training
showed at most five times, and over targets that it never showed.

The title scorer is a conditional logit, fitted on the validation rows, of: log popularity, never seen, how often the
genre, the mood, the era and the series of a title stood in the latest titles, and whether it is the next part.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor
from torch.nn import functional

from engine.data.catalogue import titles
from engine.data.ids import rows as rows_of
from engine.data.sequences import Rows, Sequences
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import ITEMS, ORACLE, SEQUENCES, STUDENT_MODEL, TEST, VALIDATION
from engine.student.model import load_student

TITLE = re.compile(r"(?P<series>.+?)(?: (?P<part>\d+))?: (?P<mood>\w+) (?P<era>\w+) (?P<genre>\w+)")
FORGET = 0.7  # weight of an item against the one after it
TAIL = 5


def parsed(names: list[str]) -> dict[str, NDArray[np.int64]]:
    """What every title says, as numbers per item id; 0 for the padding."""
    matches = [TITLE.fullmatch(name) for name in names[1:]]
    columns: dict[str, NDArray[np.int64]] = {}
    for kind in ("series", "mood", "era", "genre"):
        words = [match[kind] if match else "" for match in matches]
        number = {word: column for column, word in enumerate(sorted(set(words)), start=1)}
        columns[kind] = np.array([0, *(number[word] for word in words)])
    columns["part"] = np.array([0, *(int(match["part"] or 1) if match else 0 for match in matches)])
    return columns


def features(rows: Rows, words: dict[str, NDArray[np.int64]], seen: NDArray[np.int64]) -> Tensor:  # [R, n + 1, 7]
    result = np.zeros((len(rows), len(seen), 7), dtype=np.float32)
    result[:, :, 0], result[:, :, 1] = np.log1p(seen), seen == 0
    for row in range(len(rows)):
        history = rows.items[rows.start[row] : rows.stop[row]][::-1]
        weight = FORGET ** np.arange(len(history))
        for column, kind in enumerate(("genre", "mood", "era", "series"), start=2):
            share = np.bincount(words[kind][history], weight / weight.sum(), minlength=words[kind].max() + 1)
            result[row, :, column] = share[words[kind]]
        same = words["series"] == words["series"][history[0]]
        result[row, :, 6] = same & (words["part"] == words["part"][history[0]] + 1)
    return torch.from_numpy(result)


def hidden(rows: Rows, count: int) -> Tensor:  # [R, n + 1]
    """The padding and what the user has seen, but not the target."""
    result = torch.zeros(len(rows), count, dtype=torch.bool)
    result[:, 0] = True
    for row in range(len(rows)):
        result[row, torch.from_numpy(rows.items[rows.start[row] : rows.stop[row]]).long()] = True
    result[torch.arange(len(rows)), torch.from_numpy(rows.targets).long()] = False
    return result


def fitted(values: Tensor, hide: Tensor, targets: Tensor) -> Tensor:
    """Weights [7] of the conditional logit."""
    weights = torch.zeros(values.shape[-1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy((values @ weights).masked_fill(hide, -1e9), targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return weights.detach()


def ndcg(scores: Tensor, hide: Tensor, targets: Tensor) -> NDArray[np.float64]:  # [R]
    scores = scores.double().masked_fill(hide, -torch.inf)
    target = scores[torch.arange(len(targets)), targets][:, None]
    rank = (1 + (scores > target).sum(1) + ((scores == target).sum(1) - 1) / 2).numpy()
    return np.where(rank <= 10, 1 / np.log2(rank + 1), 0)


def student_scores(path: Path, rows: Rows) -> Tensor:  # [R, n + 1]
    model = load_student(path, "cpu")
    histories = torch.zeros(len(rows), model.max_length, dtype=torch.long)
    for row in range(len(rows)):
        latest = rows.items[rows.start[row] : rows.stop[row]][-model.max_length :]
        histories[row, : len(latest)] = torch.from_numpy(latest)
    with torch.inference_mode():
        table, bias = model.item_table()
        return model.user_vectors(histories) @ table.T + (0 if bias is None else bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("words", nargs="*")
    chosen = parser.parse_args()
    runs = chosen.runs or Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "engine", "run", "student", *chosen.words, "--runs", str(runs), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    student = runs / json.loads(done.stdout.splitlines()[-1])["run"]
    data = runs / RunInfo.read(student).inputs["data"] / ARTIFACTS
    names, sequences = titles(data / ITEMS.file), Sequences.load(data / SEQUENCES.file)
    validation, test = Rows.load(data / VALIDATION.file), Rows.load(data / TEST.file)
    count = rows_of(len(names) - 1)
    seen, words = np.bincount(sequences.items, minlength=count), parsed(names)
    held, known = torch.from_numpy(validation.targets).long(), torch.from_numpy(test.targets).long()
    weights = fitted(features(validation, words, seen), hidden(validation, count), held)
    scores = {
        "popularity": torch.from_numpy(seen).repeat(len(test), 1),
        "sasrec": student_scores(student / ARTIFACTS / STUDENT_MODEL.file, test),
        "titles": features(test, words, seen) @ weights,
        "oracle": torch.from_numpy(load_file(data / ORACLE.file)["scores"]),
    }
    times = seen[test.targets]
    slices = {"all": times >= 0, f"seen at most {TAIL} times": times <= TAIL, "never seen": times == 0}
    hide = hidden(test, count)
    print(f"test NDCG@10, seen items hidden, {len(test):,} rows")
    print(f"{'':12}" + "".join(f"{f'{name} ({part.sum()})':>28}" for name, part in slices.items()))
    means = {}
    for model, score in scores.items():
        value = ndcg(score, hide, known)
        means[model] = [value[part].mean() for part in slices.values()]
        print(f"{model:12}" + "".join(f"{mean:>28.3f}" for mean in means[model]))
    gaps = [(t - s) / (o - s) for s, t, o in zip(means["sasrec"], means["titles"], means["oracle"], strict=True)]
    print(f"{'gap closed':12}" + "".join(f"{gap:>28.0%}" for gap in gaps))


if __name__ == "__main__":
    main()
