"""The panes of a board as drawn text."""

import time

from cockpit.models.board import lines, ordered
from cockpit.panes.board import headers, importance, parallel, table
from cockpit.render.lines import plain, width
from engine.wire import Board, BoardMetric, BoardRow, BoardRun, SettingImportance, Spread


def board(count, **changed):
    rows = []
    for index in range(count):
        run = BoardRun(f"r{index}", 1, "DONE", 61.0, 2**30)
        value = 0.1 + index / 1000
        figures = {name: Spread(value, None, 1, [value]) for name in ("val", "loss")}
        rows.append(BoardRow([index, "sasrec"], [run], [run.id], figures, 61.0, 2**30))
    known = {"best": count - 1, "importances": [SettingImportance("s.rate", 0.75), SettingImportance("s.name", 0.25)]}
    metrics = [BoardMetric("val", "max"), BoardMetric("loss", "min")]
    settings = ["s.rate", "s.name"]
    known |= {"evaluator": "PED-ANOVA", "note": ""} | changed
    return Board("e", "student", settings, metrics, "val", rows, **known)


def found(one):
    return ordered(one, lines(one, single=False), "val", False)


def test_columns_that_do_not_fit_are_left_out_and_the_main_metric_stays():
    one = board(3)
    assert [name for name, _ in headers(one, found(one), 200)] == [
        "seeds",
        "s.rate",
        "s.name",
        "val",
        "time",
        "loss",
        "memory",
    ]
    assert [name for name, _ in headers(one, found(one), 50)] == ["seeds", "s.rate", "s.name", "val", "time"]


def test_the_table_marks_the_best_the_marked_and_the_order():
    one = board(3)
    head = headers(one, found(one), 100)
    text = plain(table(one, found(one), head, ("val", False), 1, ["r2"], 100)).splitlines()
    assert "val▾" in text[0] and text[1].startswith("▸★✓") and "0.1020" in text[1] and "1:01" in text[1]
    assert text[2].startswith("  ✓") and "0.1010" in text[2]


def test_importance_is_a_bar_and_few_settings_are_warned_of():
    text = plain(importance(board(4), 60))
    assert "rate" in text and ".75" in text and text.count("█") > 20 and "so few say little" in text.replace("\n ", "")
    assert "say little" not in plain(importance(board(20), 60))


def test_without_importance_the_reason_is_shown():
    one = board(3, importances=[], evaluator="", note="importance needs 4 settings with a figure; there are 3")
    assert "there are 3" in plain(importance(one, 80))


def test_every_axis_has_its_name_and_ends():
    one = board(5)
    drawn = parallel(one, found(one), "val", 0, 80, 12, "braille")
    assert all(width(line) == 80 for line in drawn) and len(drawn) == 12
    text = plain(drawn).splitlines()
    assert text[0].split() == ["rate", "name", "val"]
    assert text[1].split() == ["4", "sasrec", ".104"] and text[-1].split() == ["0", "sasrec", ".1"]
    assert any(style == "series1" for line in drawn for _, style in line)  # the best
    assert "⠉" not in plain(parallel(one, found(one), "val", 0, 80, 12, "ascii"))


def test_one_setting_or_no_room_has_no_axes():
    assert "need two settings" in plain(parallel(board(1), found(board(1)), "val", 0, 80, 12, "braille"))
    assert "need two settings" in plain(parallel(board(5), found(board(5)), "val", 0, 80, 4, "braille"))


def test_hundreds_of_settings_are_drawn_in_the_time_of_a_frame():
    one = board(800)
    lines_, begin = found(one), time.process_time()
    parallel(one, lines_, "val", 400, 80, 20, "braille")
    table(one, lines_[:40], headers(one, lines_, 100), ("val", False), 0, [], 100)
    assert time.process_time() - begin < 0.1
