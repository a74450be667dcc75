import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.errors import RunError
from engine.report.evaluation import best_untrained, candidates, costs, read, render
from engine.report.tables import WIDTH
from engine.report.verdicts import sentences, shown
from engine.runs.schema import ARTIFACTS, CONFIG, SUMMARY
from engine.stages import COMPARISONS, GPU_TIME, METRICS_TABLE, OVERLAPS, SLICES_TABLE, TRAIN_TOKENS


def test_the_table_fits_a_narrow_terminal_and_names_its_protocol(finished: Path) -> None:
    text = render(finished)
    assert max(map(len, text.splitlines())) <= WIDTH
    head = read(finished, METRICS_TABLE)[0]
    assert text.startswith("tiny: 40 users, 60 items, 40 test rows (leave-one-out), targets " + head["targets_hash"])
    assert "seen items hidden, ranked among all items, ties share their average rank" in text
    assert "seen items not hidden:" in text
    assert "ranked among 20 candidates (the target and 19 fixed random negatives):" in text


def test_a_ranking_of_candidates_shows_one_draw_beside_all_of_them(finished: Path) -> None:
    few = [r for r in read(finished, METRICS_TABLE) if (r["split"], r["candidates"]) == ("test", "20")]
    header, *lines = candidates(few)
    assert header.split() == ["model", "hr@1", "all", "draws", "ndcg@10"]
    for row, line in zip(few, lines, strict=True):
        assert f"{float(row['expected_hr@1']):.4f} ±" in line and f"{float(row['hr@1']):.4f} ±" in line
    text = render(finished).splitlines()
    assert text.index(next(line for line in text if "mean of hr@1 over all draws" in line)) > text.index(header)
    earlier = [row | {"expected_hr@1": ""} for row in few]
    assert candidates(earlier)[0].split() == ["model", "hr@1", "ndcg@10", "mrr"]


def test_floor_comes_first_and_ceiling_last_in_every_block(finished: Path) -> None:
    text = render(finished)
    names = re.findall(r"^(popularity \(floor\)|student|oracle \(ceiling\))  ", text, flags=re.MULTILINE)
    assert names == ["popularity (floor)", "student", "oracle (ceiling)"] * 4


def test_figures_stand_beside_half_their_interval_and_their_cost(finished: Path) -> None:
    (row,) = [
        r for r in read(finished, METRICS_TABLE) if (r["model"], r["split"], r["main"]) == ("student", "test", "true")
    ]
    lines = render(finished).splitlines()
    line, *_ = [line for line in lines if line.startswith("student ")]
    assert any(line.startswith("student ") and "12.5" in line for line in lines)
    for metric in ("hr@10", "ndcg@10"):
        value, low, high = (float(row[name]) for name in (metric, f"{metric} low", f"{metric} high"))
        assert low < value < high and f"{value:.4f} ±{max(value - low, high - value):.4f}" in line
    assert "± the farther end of the 95 % interval over rows" in render(finished).splitlines()


def test_the_time_on_a_gpu_has_a_column_where_it_was_measured(finished: Path) -> None:
    rows = [row for row in read(finished, METRICS_TABLE) if (row["split"], row["main"]) == ("test", "true")]
    assert costs(rows)[0].split()[-2:] == ["s", "ms/request"]
    header, *lines = costs([row | {GPU_TIME: "8.1" if row["model"] == "student" else ""} for row in rows])
    assert header.endswith("ms/request  on GPU")
    assert {line.split()[0]: line.split()[-1] for line in lines}["student"] == "8.10"


def test_tokens_have_a_column_where_a_language_model_was_trained(finished: Path) -> None:
    rows = [row for row in read(finished, METRICS_TABLE) if (row["split"], row["main"]) == ("test", "true")]
    assert "tokens" not in costs(rows)[0]
    header, *lines = costs([row | {TRAIN_TOKENS: "1234567" if row["model"] == "student" else ""} for row in rows])
    assert header.split()[2:] == ["train", "s", "tokens", "ms/request"]
    assert {line.split()[0]: line.split()[-2] for line in lines}["student"] == "1,234,567"


def test_figures_of_an_earlier_version_stand_beside_their_standard_errors(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evaluate-9"
    shutil.copytree(finished, folder)
    path = folder / ARTIFACTS / METRICS_TABLE.file
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in rows[0] if not name.endswith((" low", " high"))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    (row,) = [r for r in rows if (r["model"], r["split"], r["main"]) == ("student", "test", "true")]
    text = render(folder)
    assert f"{float(row['hr@10']):.4f} ±{1.96 * float(row['hr@10 se']):.4f}" in text
    assert "± 1.96 standard errors over rows: 95 % where 30 rows or more hit" in text.splitlines()


def test_the_main_table_counts_rows_and_gives_figures_on_tail_and_cold_items(finished: Path) -> None:
    lines = render(finished).splitlines()
    head = next(index for index, line in enumerate(lines) if line.startswith("model"))
    assert lines[head].split() == ["model", "hr@10", "ndcg@10", "tail", "cold"]
    for position, part in ((-2, "tail"), (-1, "cold")):
        slices = {
            r["model"]: r for r in read(finished, SLICES_TABLE) if r["slice"] == part and r["hide_seen"] == "true"
        }
        assert lines[head + 1].split()[position] == (slices["student"]["rows"] if slices else "0")
        for line in lines[head + 2 : head + 5]:
            row = slices.get(line.split()[0])
            assert line.split()[position] == (f"{float(row['ndcg@10']):.4f}" if row else "-")


def test_a_table_without_tail_and_cold_items_has_no_figure_there(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evaluate-9"
    shutil.copytree(finished, folder)
    path = folder / ARTIFACTS / SLICES_TABLE.file
    lines = [line for line in path.read_text().splitlines() if ",tail," not in line and ",cold," not in line]
    path.write_text("\n".join(lines) + "\n")
    text = render(folder).splitlines()
    head = next(index for index, line in enumerate(text) if line.startswith("model"))
    assert [line.split()[-2:] for line in text[head + 1 : head + 3]] == [["0", "0"], ["-", "-"]]


def test_a_winner_below_an_untrained_model_is_not_called_better() -> None:
    pair = {"metric": "ndcg@10", "slice": "all", "rows": "60", "relative": "", "difference": "0.1", "low": "0.05"}
    pair |= {"high": "0.15", "p": "0.001"}
    rows = [
        pair | {"model": "student", "baseline": "titles", "verdict": "worse", "below": ""},
        pair | {"model": "teacher", "baseline": "titles", "verdict": "worse", "below": ""},
        pair | {"model": "teacher", "baseline": "student", "verdict": "better", "below": "titles"},
    ]
    text = list(sentences(rows, "titles"))
    assert text[1].startswith("teacher ranks above student, but below titles, which needs no training: not called ")
    assert text[2] == "against the best model that needs no training, as validation rows choose it:"
    assert text[3].startswith("student < titles:") and text[4].startswith("teacher < titles:")


def test_validation_rows_choose_the_best_untrained_model() -> None:
    def row(model: str, split: str, ndcg: float, main: str = "true") -> dict[str, Any]:
        return {"model": model, "split": split, "ndcg@10": ndcg, "main": main}

    rows = [row("titles", "test", 0.9), row("titles", "validation", 0.1), row("transitions", "validation", 0.2)]
    rows += [row("student", "validation", 0.5), row("titles", "validation", 0.7, "false")]
    assert best_untrained(rows) == "transitions"
    assert best_untrained(rows[:1]) == "titles"  # there are no validation rows
    assert best_untrained(rows[3:4]) == ""


def test_a_difference_is_a_sentence_with_its_interval(finished: Path) -> None:
    (row,) = [r for r in read(finished, COMPARISONS) if (r["metric"], r["slice"]) == ("ndcg@10", "all") and asked(r)]
    words = {"better": "student > popularity", "worse": "student < popularity", "undecided": "cannot be told apart"}
    text = " ".join(render(finished).split())
    assert words[row["verdict"]] in text
    assert f"95 % interval {float(row['low']):+.4f} to {float(row['high']):+.4f}" in text


def asked(row: dict[str, str]) -> bool:
    return (row["model"], row["baseline"]) == ("student", "popularity")


@pytest.mark.parametrize(
    ("verdict", "claim"),
    [
        ("better", "student > popularity: ndcg@10"),
        ("worse", "student < popularity: ndcg@10"),
        ("undecided", "student and popularity cannot be told apart: ndcg@10"),
    ],
)
def test_one_training_says_how_these_models_rank_these_rows_and_no_more(
    finished: Path, tmp_path: Path, verdict: str, claim: str
) -> None:
    folder = tmp_path / "evaluate-9"
    shutil.copytree(finished, folder)
    path = folder / ARTIFACTS / COMPARISONS.file
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(row | {"verdict": verdict} for row in rows)
    text = " ".join(render(folder).split())
    assert f"on these rows, one training of each: {claim}" in text
    assert text.endswith("Whether another training would agree needs seeds: engine sweep seed=1..3")
    assert not re.search("better|worse", text, flags=re.IGNORECASE)


def test_pairs_with_a_sentence_have_the_student_the_floor_or_the_teacher_as_baseline() -> None:
    models = ["popularity", "student", "teacher", "distilled"]
    told = [(b, m) for i, b in enumerate(models) for m in models[i + 1 :] if shown(m, b, models)]
    student, teacher = ("student", "teacher"), ("teacher", "distilled")
    assert told == [("popularity", "student"), student, ("student", "distilled"), teacher]
    assert shown("distilled", "popularity", ["popularity", "distilled"])


def test_it_says_whether_teaching_brought_the_student_nearer_to_its_teacher(
    pipeline: Any, held_out: Any, validation_rows: Any
) -> None:
    pipeline.teach(held_out, validation_rows)
    folder = pipeline.evaluate("evaluate.models=[popularity,student,teacher,distilled]")
    shares = {
        (row["model"], row["other"]): 100 * float(row["overlap"])
        for row in read(folder, OVERLAPS)
        if row["hide_seen"] == "true"
    }
    before, after = shares["student", "teacher"], shares["teacher", "distilled"]
    told = (
        f"student and teacher share {before:.1f} %, distilled and teacher {after:.1f} %: {after - before:+.1f} points"
    )
    assert told in " ".join(render(folder).split())
    assert "of their first items" not in render(pipeline.evaluate(name="evaluate-2"))


def test_hostile_names_reach_the_terminal_as_text(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evaluate-9"
    shutil.copytree(finished, folder)
    path = folder / ARTIFACTS / METRICS_TABLE.file
    path.write_text(path.read_text().replace("tiny", "\x1b[31mred\x1b[0m"))
    assert "\x1b" not in render(folder)
    assert render(folder).startswith("red: 40 users")


def test_an_unfinished_evaluation_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="engine resume"):
        render(tmp_path / "evaluate-2")


def test_the_size_of_the_search_stands_under_the_table_and_in_the_facts_of_the_run(pipeline: Any) -> None:
    folder = pipeline.evaluate("search.student=20", "search.student_epochs=2400")
    lines = render(folder).splitlines()
    line = lines.index("settings chosen on validation rows: student 20 trials (2,400 epochs)")
    assert lines[line - 1].startswith("oracle (ceiling)") and lines[line + 1] == ""
    facts = json.loads((folder / SUMMARY).read_text())["facts"]
    assert (facts["trials"], facts["trial_epochs"]) == ({"student": 20}, {"student": 2400})


def test_an_evaluation_of_an_earlier_version_has_no_size_of_the_search(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evaluate-9"
    shutil.copytree(finished, folder)
    tree = yaml.safe_load((folder / CONFIG).read_text())
    del tree["search"]
    (folder / CONFIG).write_text(yaml.safe_dump(tree))
    assert "search not recorded: student" in render(folder).splitlines()
