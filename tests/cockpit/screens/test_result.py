"""Screen 2 of an evaluation and screen 3 of its models, driven by keys."""

import csv

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.render.lines import plain, width
from engine.report.evaluation import EvaluationTables
from engine.stages import UNTRAINED
from tests.fixtures.evaluation_tables import STRENGTH_UNTRAINED, write_evaluation
from tests.fixtures.in_process import engine_in_process

SIZES = [(80, 24), (120, 35), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_an_evaluation_opens_as_its_result(opened_result, snapshot, size):
    lines = draw(await opened_result(), *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"result-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
async def test_untrained_models_fit_and_a_winner_below_them_is_refused(opened_result, evaluated, press, size):
    models = (*UNTRAINED, "student", "teacher", "distilled", "oracle")
    write_evaluation(evaluated, models=models)
    context = await opened_result()
    shown = []
    for _ in range(5):
        lines = draw(context, *size)
        assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
        shown.append(plain(lines))
        press(context, "tab")
    for name in ("transitions (untrained)", "titles (untrained)", "transitions+titles (untrained)"):
        assert name in shown[0]
    assert sum("●" in line for line in shown[0].splitlines()) >= 3  # intervals begin on a screen of any size
    line, *_ = [line for line in shown[0].splitlines() if "titles (untrained)" in line and "0.1550 ±" in line]
    assert "0.1085" in line and "0.1395" in line  # ndcg@10 on tail and on cold items
    press(context, "3")
    text = plain(draw(context, *size))
    assert "distilled - transitions+titles" in text
    verdicts = {
        "student - transitions+titles": "worse",
        "student - popularity": "refused",
        "teacher - student": "better",
    }
    for pair, verdict in verdicts.items():
        assert verdict in next(line for line in text.splitlines() if pair in line)


async def test_a_winner_below_an_untrained_model_is_refused(opened_result, evaluated, press, monkeypatch):
    monkeypatch.setitem(STRENGTH_UNTRAINED, "titles", 0.25)
    write_evaluation(evaluated, models=(*UNTRAINED, "student", "teacher"))
    context = await opened_result()
    press(context, "3")
    text = plain(draw(context, 120, 35))
    line = next(line for line in text.splitlines() if "teacher - student" in line and "+0.0580" in line)
    assert "refused" in line and "the winner ranks below titles, which needs no training" in " ".join(text.split())


@pytest.mark.parametrize("start", ["enter", "2"])
async def test_enter_and_2_show_the_result_and_2_again_its_curves_and_back(opened_result, press, start):
    context = await opened_result()
    press(context, "1", start)
    assert context.screen.name == "result"
    press(context, "2")
    assert context.screen.name == "live" and context.row.stage == "evaluate"
    press(context, "2")
    assert context.screen.name == "result"
    press(context, "escape")
    assert context.screen.name == "runs"


def test_a_training_still_opens_as_its_curves(context, ready, world, press):
    for opening in ("enter", "2"):
        ready(context).list.go_to(world["second"])
        press(context, opening)
        assert context.screen.name == "live" and context.row.id == world["second"]
        press(context, "1")


async def test_tab_shows_one_pane_after_the_other_on_a_small_screen(opened_result, press, evaluated):
    context = await opened_result()
    tables = EvaluationTables.read(evaluated)
    seen = []
    for pane in ("models", "slices", "verdict", "protocols", "made from"):
        assert context.screen.focus == pane
        seen.append(plain(draw(context, 80, 24)))
        press(context, "tab")
    assert context.screen.focus == "models"
    models, slices, verdict, protocols, made = seen
    assert "0.1310 ±0.0128" in models and "popularity (floor)" in models and "├" in models
    assert "history 0-9" in slices and "▲" in slices
    joined = " ".join(verdict.replace("│", " ").split())
    assert all(" ".join(sentence.split()) in joined for sentence in tables.verdicts[:2])
    assert "seen items not hidden" in protocols
    assert "evaluate.models  [student]  default [popularity,student]" in made
    assert "every setting is its default" in made and "its settings cannot be read" in made


async def test_everything_is_shown_at_once_on_a_large_screen(opened_result):
    text = plain(draw(await opened_result(), 200, 60))
    for title in ("─ models", "─ slices", "─ verdict", "─ protocols", "─ made from"):
        assert title in text
    assert "ranked among 20 candidates (the target and 19 fixed random negatives)" in text
    assert "0.0655 ±0.0078" in text and "mean of hr@1 over all draws of the negatives" in text


async def test_requests_that_were_timed_on_a_gpu_have_both_times(opened_result, evaluated):
    write_evaluation(evaluated, gpu=True)
    context = await opened_result()
    for size in SIZES[1:]:
        text = plain(draw(context, *size))
        assert "ms/request  on GPU" in text and "0.74    8.10" in text


async def test_repeated_and_tied_targets_are_warned_of(opened_result, evaluated, press):
    write_evaluation(evaluated, warned=True)
    context = await opened_result()
    text = plain(draw(context, 120, 35))
    assert "⚠ 12 of 1,200 test targets repeat an item" in text and "⚠ 9 % of the test targets share" in text


async def test_a_result_without_candidates_or_with_one_model_is_shown(opened_result, evaluated, press):
    write_evaluation(evaluated, models=("student",), candidates=False)
    context = await opened_result()
    text = plain(draw(context, 200, 60))
    assert "one model: there is nothing to compare" in text and "no ranking among candidates" in text
    press(context, "3")
    assert "ranked one model" in plain(draw(context, 120, 35))


async def test_the_metric_of_intervals_and_slices_can_be_chosen(opened_result, press):
    context = await opened_result()
    assert "─ slices  ndcg@10" in plain(draw(context, 120, 35))
    press(context, "m", '"mrr"', "enter")
    text = plain(draw(context, 120, 35))
    assert "─ slices  mrr" in text and "no tests of mrr on slices" in text


async def test_z_shows_a_pane_alone_and_a_click_chooses_one(opened_result, press):
    context = await opened_result()
    draw(context, 120, 35)
    click(context, 110, 25, 120, 35)
    assert context.screen.focus == "verdict"
    press(context, "z")
    text = plain(draw(context, 120, 35))
    assert "on these rows, one training of each" in text and "─ models" not in text
    press(context, "z")
    assert "─ models" in plain(draw(context, 120, 35))


def test_a_running_evaluation_shows_its_progress_until_its_result_is_there(context, ready, maker, press):
    folder = maker.waiting(maker.planned("evaluate"), "running")
    maker.reported(folder, lambda run, tick: run.progress(300, 1200, "student on test", unit="rows"))
    ready(context).list.go_to(folder.name)
    press(context, "enter")
    text = plain(draw(ready(context), 80, 24))
    assert "student on test" in text and "300/1.2k" in text and "25%" in text and "2 curves" in text
    assert "3 Compare" in text.splitlines()[-1]  # what the key does while there are no models to compare
    press(context, "3")
    assert context.screen.name == "compare"
    press(context, "escape")
    write_evaluation(folder)
    maker.ended(folder)
    text = plain(draw(ready(context), 80, 35))  # at 24 lines the message of the end has the last one
    assert "─ models" in text and "3 Models" in text.splitlines()[-1]
    press(context, "3")
    assert context.screen.name == "models"


def test_a_failed_evaluation_says_why_it_has_no_result(context, ready, maker, press):
    folder = maker.ended(maker.planned("evaluate"), 1, reason="ValueError: scores are not numbers")
    ready(context).list.go_to(folder.name)
    press(context, "2")
    text = plain(draw(ready(context), 80, 24))
    assert "scores are not numbers" in text and "it has no result" in text


async def test_tables_that_are_gone_are_a_message_with_a_remedy(opened_result, evaluated):
    (evaluated / "artifacts" / "metrics.csv").unlink()
    text = plain(draw(await opened_result(), 120, 35))
    assert "there is no metrics.csv" in text and "engine run evaluate --again" in text


async def test_the_result_is_exported_by_engine_results(opened_result, press, evaluated, tmp_path):
    context = await opened_result()
    context.ask = engine_in_process
    file = tmp_path / "result.csv"
    press(context, "e", "ctrl+u", f'"{file}"', "enter")
    await context.effects.run_pending()
    assert f"result written to {file}" in context.message[0]
    with file.open() as text:
        rows = list(csv.DictReader(text))
    assert {row["model"] for row in rows} == {"popularity", "student", "teacher", "distilled", "oracle"}
    assert {row["candidates"] for row in rows} == {"all", "20"} and {row["run"] for row in rows} == {evaluated.name}
    press(context, "y")
    assert context.effects.copied[-1].startswith(f"engine show {evaluated.name} --runs")


async def test_the_list_names_the_model_of_a_figure_and_previews_all(opened_result, press, evaluated):
    context = await opened_result()
    press(context, "1")
    context.list.go_to(evaluated.name)
    text = plain(draw(context, 80, 24))
    line = next(line for line in text.splitlines() if "evaluate" in line)
    assert " distilled " in line and ".1790" in line
    assert "popularity" in text and ".0310" in text
