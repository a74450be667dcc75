"""Screen 2: curves, gradients and gates of a run that the engine's own writer wrote."""

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain, width

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_curves_gradients_gates_health_and_console(live, ready, snapshot, size):
    draw(live, *size)
    ready(live)
    live.watch._console_read = 0
    live.tick()
    lines = draw(live, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"live-{size[0]}x{size[1]}", plain(lines))


def test_every_pane_can_be_reached_with_tab_at_every_size(live, press):
    for size in SIZES:
        seen = set()
        for _ in range(14):
            draw(live, *size)
            focus = live.screens["live"].focus or live.screens["live"].metrics()[0]
            assert focus in [pane.name for pane in live.screen.shown], (size, focus)
            seen.add(focus)
            press(live, "tab")
        assert {"val_recall@10", "loss", "grads", "gates", "strip", "health", "log", "system", "side"} <= seen


def test_zoom_fills_the_screen_and_escape_goes_out_one_layer_at_a_time(live, press):
    press(live, "z", "l")
    text = plain(draw(live, 80, 24))
    assert "health" not in text and "val_recall@10" in text and "┊" in text
    press(live, "escape")
    assert live.view.cursor is None and live.screens["live"].zoomed
    press(live, "escape")
    assert not live.screens["live"].zoomed and live.screen.name == "live"
    press(live, "escape")
    assert live.screen.name == "runs"


def test_a_second_metric_lies_over_the_chart_of_every_run(live, ready, world, press):
    live.list.mark(world["student"])
    ready(live)
    press(live, "B", '"val_ndcg@10"', "enter")
    first = plain(draw(live, 200, 60)).splitlines()[1]
    assert "── 000a val_r" in first and "  +" in first
    chart = live.screens["live"].charts.chart("val_recall@10", live.row, live.screens["live"].watched())
    assert [trace.colour for trace in chart.traces] == [0, 1, 6, 7]
    press(live, "B", '"val_ndcg@10"', "enter")
    assert len(live.screens["live"].charts.chart("val_recall@10", live.row, live.screens["live"].watched()).traces) == 2


def test_all_layers_of_the_gates_stand_below_each_other_on_a_whole_screen(context, ready, maker, press):
    def report(run, tick):
        run.scalars(1, {"loss": 1.0})
        for layer in range(3):
            run.gate(1, f"layers.{layer}", [[1.0, 2.0]] * 4, [0.25] * 4, 1.3)

    context.show("live", maker.reported(maker.planned("teacher"), report).name)
    ready(context)
    context.screens["live"].focus = "gates"
    press(context, "z")
    text = plain(draw(context, 120, 40))
    assert all(f"layer layers.{layer} ({layer + 1}/3)" in text for layer in range(3))
    press(context, "right_curly_bracket")
    assert plain(draw(context, 80, 24)).count("gate weights") == 2  # as many as there is room for


def test_none_zero_and_small_gradients_differ(context, ready, maker, press):
    def report(run, tick):
        run.describe({"lora_a": 10, "lora_b": 10, "gate": 10, "head": 10})
        run.gradients(1, 1.0, [None, 0.0, 0.001, 0.5], 1.0, True)
        run.scalars(1, {"loss": 1.0})
        run.health("grad_none", "error", "frozen or detached", ["lora_a"])
        run.health("grad_small", "warning", "saturated", ["gate"])

    run = maker.reported(maker.planned("teacher"), report).name
    context.show("live", run)
    press(ready(context), "tab", "tab")
    draw(context, 120, 40)
    text = plain(draw(context, 120, 40))
    assert "1 None" in text and "1 zero" in text and "✗ None" in text and "⚠ low" in text
    assert "· zero" in text  # a fact; a fault only once the watch has noted it
    assert "✗ grad_none (lora_a): frozen or detached" in text


def test_marked_runs_are_laid_over_with_a_legend(live, ready, world, press):
    live.list.mark(world["student"])
    ready(live)
    assert "── 000a  ── 0002" in plain(draw(live, 200, 60)).splitlines()[1]


def test_a_metric_can_be_put_on_the_focused_chart(live, press):
    draw(live, 80, 24)
    press(live, "m", '"lr"', "enter")
    assert live.screens["live"].metrics()[0] == "lr" and "─ lr" in plain(draw(live, 80, 24))


def test_the_next_run_of_the_list_is_one_key_away(live, world, press):
    press(live, "k")
    assert live.screens["live"].run == world["queued"] and live.list.current.id == world["queued"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failed", ["✗ FAILED", "failed: RuntimeError: loss is NaN", "NaN since step 30"]),
        ("killed", ["† KILLED", "killed: out of memory"]),
        ("lost", ["? LOST", "planned, but never started"]),
        ("data", ["✓ DONE", "nothing reported yet"]),
    ],
)
def test_a_run_that_ended_badly_says_how(context, ready, world, press, name, words):
    ready(context).list.go_to(world[name])
    press(context, "enter")
    text = plain(draw(ready(context), 80, 24))
    assert all(word in text for word in words), text


def test_keys_that_cannot_act_say_why(context, ready, world, press):
    press(ready(context), "enter", "right_curly_bracket")
    assert "reports no gates" in context.message[0]
    press(context, "m")
    assert "no metric" in context.message[0]


def test_health_notes_come_with_their_hint(context, ready, maker, press):
    def report(run, tick):
        run.scalars(1, {"loss": 1.0})
        run.health("grad_zero", "warning", "the router may be saturated: lower its learning rate", ["gate"])

    run = maker.reported(maker.planned("teacher"), report).name
    context.show("live", run)
    text = plain(draw(ready(context), 120, 40))
    assert "⚠ grad_zero (gate): the router may be saturated" in text


def test_what_the_stage_itself_warned_of_stands_among_the_health_notes_once(context, ready, maker):
    def report(run, tick):
        run.scalars(1, {"loss": 1.0})
        run.log("info", "all is well")
        run.log("warning", "too few \x1b]0;items\x07 for candidates")
        run.log("warning", "too few \x1b]0;items\x07 for candidates")

    run = maker.reported(maker.planned("teacher"), report).name
    context.show("live", run)
    text = plain(draw(ready(context), 120, 40))
    assert text.count("⚠ too few") == 1 and "for candidates" in text
    assert "all is well" not in text and "\x1b" not in text


def test_difference_to_the_best_run_and_lineage_stand_at_the_side(context, ready, until, world, press):
    ready(context).list.go_to(world["second"])
    press(context, "enter")
    until(context, lambda: "student.lr  0.001 → 0.0009" in plain(draw(context, 200, 60)))
    assert "lineage" in plain(draw(context, 200, 60))
    press(context, "left_square_bracket")
    assert "lineage" not in plain(draw(context, 200, 60))


def test_a_run_that_was_asked_to_end_is_shown_as_stopping(live, ready, world, press):
    control = live.root / world["live"] / "control"
    control.mkdir(exist_ok=True)
    (control / "stop-after-evaluation").touch()
    ready(live)
    assert "STOPPING after its next evaluation" in plain(draw(live, 120, 40))
    (control / "stop").touch()
    ready(live)
    press(live, "1")
    assert "STOP…" in plain(draw(live, 80, 24)) and live.list.rows[world["live"]].state_text == "STOPPING"
    assert live.list.rows[world["student"]].request == ""


@pytest.mark.parametrize("size", [(80, 24), (120, 35)])
def test_step_speed_and_remaining_time_are_shown_without_a_side_bar(live, size):
    line = plain(draw(live, *size)[1:2])
    assert "steps 120/400" in line and "steps/s" in line and "eta " in line


def test_a_run_that_printed_nothing_has_no_console_pane(context, ready, world, press):
    ready(context).list.go_to(world["second"])
    press(context, "enter")
    for size in SIZES:
        assert "console" not in plain(draw(ready(context), *size))


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
def test_devices_of_a_run_are_drawn_over_its_steps_also_after_its_end(context, ready, maker, snapshot, size):
    folder = maker.devices(maker.trained(maker.planned("teacher"), gates=True), gpus=1)
    context.show("live", folder.name)
    ready(context)
    context.screens["live"].focus = "system"
    text = plain(draw(context, *size))
    assert "gpu0" in text and "cpu" in text
    snapshot(f"live-devices-{size[0]}x{size[1]}", text)


def test_all_loss_terms_of_a_distillation_are_in_one_chart(context, ready, maker, press):
    def report(run, tick):
        for step in range(1, 40):
            run.scalars(
                step, {"loss": 9.0 / step, "base": 6.0 / step, "ranking": 0.03, "ranking_weight": 1.0, "hint": 2}
            )

    context.show("live", maker.reported(maker.planned("distill"), report).name)
    ready(context)
    press(context, "m", '"loss terms"', "enter", "z")
    text = plain(draw(context, 120, 35))
    assert all(f"── {name}" in text for name in ("loss", "base", "ranking →", "hint")) and "ranking_weight" not in text
    assert "├" in text, "terms of another scale have an axis of their own"


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
def test_gates_and_gradients_are_latest_reports_heat_maps_or_bands(live, press, snapshot, size):
    live.screens["live"].focus = "gates"
    draw(live, *size)
    press(live, "v")
    text = plain(draw(live, *size))
    assert "gates over time" in text and ("grad over time" in text or size[0] < 100)
    snapshot(f"live-heat-{size[0]}x{size[1]}", text)
    press(live, "v")
    text = plain(draw(live, *size))
    assert "median, 10-90 %" in text or "layers.1 e0" in text
    snapshot(f"live-bands-{size[0]}x{size[1]}", text)
    press(live, "v")
    assert "gate weights" in plain(draw(live, *size))


def test_a_run_without_gates_and_gradients_has_no_view_of_them(context, ready, maker, press):
    context.show("live", maker.ended(maker.planned("data")).name)
    ready(context)
    press(context, "v")
    assert "neither gates nor gradients" in context.message[0]
