"""The board of an experiment with real run folders and the real ``engine results --board``, driven by keys."""

import csv

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.render.lines import plain, width
from cockpit.services.engine import CommandResult
from tests.fixtures.in_process import engine_in_process

SIZES = [(80, 24), (120, 35), (200, 60)]


@pytest.fixture
def swept(maker):
    """Two seeds of four settings: {(lr, hidden): run ids}; the last run has not begun."""
    data = maker.ended(maker.planned("data")).name
    runs = {}
    for index, (lr, hidden) in enumerate([(1e-3, 32), (1e-3, 64), (3e-3, 32), (3e-3, 64)]):
        for seed in (1, 2):
            words = [f"student.lr={lr}", f"student.hidden={hidden}", f"seed={seed}"]
            folder = maker.planned(
                seed=seed,
                experiment="sweep",
                inputs={"data": data},
                config={"lr": lr, "hidden": hidden},
                argv=["engine", "run", "student", *words],
            )
            if (index, seed) == (3, 2):
                maker.waiting(folder, "queued")
            else:
                maker.trained(folder, steps=100, total=100, top=0.08 + 0.01 * index + 0.001 * seed)
            runs.setdefault((lr, hidden), []).append(folder.name)
    return runs


@pytest.fixture
async def open_board(context, ready, swept, press):
    """The board, its answer there."""

    async def run(key="b"):
        context.ask = engine_in_process
        ready(context).list.go_to(swept[1e-3, 64][0])
        press(context, key)
        ready(context)
        await context.effects.run_pending()
        return ready(context)

    return run


@pytest.mark.parametrize("size", SIZES)
async def test_an_experiment_is_a_table_with_importance_and_parallel_coordinates(open_board, snapshot, size):
    lines = draw(await open_board(), *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"board-{size[0]}x{size[1]}", plain(lines))


def first_cells(context, size=(120, 35)):
    """The two settings of every line of the table, as drawn."""
    lines = plain(draw(context, *size)).splitlines()
    table = lines[next(i for i, line in enumerate(lines) if "lr" in line and "hidden" in line) + 1 :]
    rows = [line.strip("│").split() for line in table if line.startswith("│")]
    return [tuple(float(cell) for cell in row if cell.replace(".", "").isdigit())[:2] for row in rows][:4]


async def test_the_best_setting_comes_first_with_its_mean_and_deviation(open_board):
    context = await open_board()
    lines = plain(draw(context, 120, 35)).splitlines()
    best = next(line for line in lines if "★○" in line)
    assert "0.003" in best and " 64 " in best
    assert "0.0480" in best and "±" not in best  # one seed has finished
    assert any("0.0439 ±0.0003" in line for line in lines)
    assert first_cells(context)[1:] == [(32.0, 0.003), (64.0, 0.001), (32.0, 0.001)]


async def test_s_sorts_by_a_column_and_by_the_same_again_the_other_way(open_board, press):
    context = await open_board()
    press(context, "s", '"hidden"', "enter")
    assert [row[0] for row in first_cells(context)] == [32.0, 32.0, 64.0, 64.0]
    press(context, "s", '"hidden"', "enter")
    assert [row[0] for row in first_cells(context)] == [64.0, 64.0, 32.0, 32.0]


async def test_a_click_on_a_columns_name_sorts_by_it_and_one_on_a_line_moves_the_cursor(open_board):
    context = await open_board()
    lines = plain(draw(context, 120, 35)).splitlines()
    y = next(i for i, line in enumerate(lines) if "hidden" in line)
    click(context, lines[y].index("hidden") + 1, y, 120, 35)
    assert context.screen.by == "student.hidden"
    click(context, 20, y + 3, 120, 35)
    assert context.screen.cursor.line == 2


async def test_w_shows_a_line_per_run_and_enter_opens_it(open_board, press, swept, ready):
    context = await open_board()
    assert len(context.screen.lines) == 4
    press(context, "w")
    assert len(context.screen.lines) == 8 and "±" not in plain(draw(context, 120, 35))
    press(context, "g", "enter")
    assert context.screen.name == "live" and context.row.id == swept[3e-3, 64][0]


async def test_marked_settings_are_compared(open_board, press, swept):
    context = await open_board()
    press(context, "g", "j", "space", "space", "3")
    assert context.screen.name == "compare"
    assert set(context.list.marks) == {*swept[3e-3, 32], *swept[1e-3, 64]}


async def test_another_metric_chooses_the_best(open_board, press):
    context = await open_board()
    press(context, "m", '"recall"', "enter")
    context.tick()
    await context.effects.run_pending()
    assert "best mean of val_recall@10" in plain(draw(context, 120, 35))


async def test_the_board_is_exported_by_engine_results(open_board, press, tmp_path):
    context = await open_board()
    file = tmp_path / "board.csv"
    press(context, "e", "ctrl+u", f'"{file}"', "enter")
    await context.effects.run_pending()
    assert f"board written to {file}" in context.message[0]
    with file.open() as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 8 and {row["student.hidden"] for row in rows} == {"32", "64"}
    press(context, "y")
    assert context.effects.copied[-1].startswith("engine results sweep --board --stage student --runs")


async def test_it_is_read_again_when_a_run_ends(open_board, swept, maker, ready):
    context = await open_board()

    def finished():
        row = next(row for row in context.screen.board.rows if row.values == [64, 0.003])
        return row.figures["val_ndcg@10"].n

    assert finished() == 1
    maker.trained(maker.root / swept[3e-3, 64][1], steps=100, total=100, top=0.2)
    ready(context)
    await context.effects.run_pending()
    assert finished() == 2


async def test_an_error_of_the_engine_is_shown(context, ready, swept, press):
    context.ask.answers["results"] = CommandResult(2, None, "error: the configuration cannot be read")
    ready(context).list.go_to(swept[1e-3, 64][0])
    press(context, "b")
    ready(context)
    await context.effects.run_pending()
    assert "the configuration cannot be read" in plain(draw(context, 120, 35))


def test_what_varies_is_a_column_of_the_list_and_of_the_queue(context, ready, swept, press):
    for size in SIZES:
        text = plain(draw(ready(context), *size)).splitlines()
        assert "lr" in text[1] and "hidden" in text[1]
        line = next(line for line in text if swept[3e-3, 32][1][-4:] in line)
        assert "0.003" in line and " 32" in line
    press(context, "4")
    ready(context)
    context.screen.poll()
    text = plain(draw(context, 120, 35))
    assert "varies" in text and "lr=0.003 hidden=64" in text
