"""Screen 3 of one evaluation: its models against each other, driven by keys."""

import csv

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 35), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_3_compares_the_models_of_the_evaluation(opened_result, press, snapshot, size):
    context = await opened_result()
    press(context, "3")
    assert context.screen.name == "models"
    snapshot(f"models-{size[0]}x{size[1]}", plain(draw(context, *size)))


async def test_the_differences_are_exported_as_the_evaluation_wrote_them(opened_result, press, tmp_path):
    context = await opened_result()
    file = tmp_path / "differences.csv"
    press(context, "3", "e", "ctrl+u", f'"{file}"', "enter")
    with file.open() as text:
        row = next(csv.DictReader(text))
    assert (row["model"], row["baseline"], row["verdict"]) == ("student", "popularity", "better")


async def test_the_differences_have_interval_corrected_p_and_verdict(opened_result, press):
    context = await opened_result()
    press(context, "3")
    line = next(line for line in plain(draw(context, 160, 40)).splitlines() if "teacher - student" in line)
    for part in ("+0.0580", "+44.3", "+0.0460 to +0.0700", "0.0120", "better", "●"):
        assert part in line


async def test_marked_runs_are_compared_and_not_the_models_of_one(opened_result, press, evaluated, maker, ready):
    context = await opened_result()
    press(context, "1")
    ready(context).list.marks = list(context.list.rows)[:2]
    press(context, "3")
    assert context.screen.name == "compare"
    press(context, "1")
    context.list.marks = []
    context.list.go_to(evaluated.name)
    press(context, "c")
    assert context.screen.name == "models"
    press(context, "3")
    assert context.screen.name == "compare"


async def test_an_undecided_slice_is_not_marked_as_better(opened_result, press):
    context = await opened_result()
    press(context, "3", "tab")
    lines = plain(draw(context, 80, 24)).splitlines()
    assert "▲" in next(line for line in lines if line.startswith("│tail"))
    assert next(line for line in lines if line.startswith("│cold")).count("·") == 4


async def test_tables_that_are_gone_are_a_message(opened_result, press, evaluated):
    context = await opened_result()
    (evaluated / "artifacts" / "comparisons.csv").unlink()
    press(context, "3")
    assert "there is no comparisons.csv" in plain(draw(context, 120, 35))
    press(context, "e")
    assert context.prompt is None and "there is no comparisons.csv" in context.message[0]
