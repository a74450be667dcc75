"""Keys, pastes and clicks reach the actions of the screen, and the key table fits the screens."""

import pytest

from cockpit import dispatch
from cockpit.compose import draw
from cockpit.dispatch import act, paste
from cockpit.keys import MAIN, MOVES, OF_RUNS, SCREENS, TABLE
from cockpit.render.lines import plain, width

SIZES = [(80, 24), (120, 40), (200, 60)]


def test_every_action_of_every_screen_can_be_done(context):
    for key in TABLE:
        for name in key.where:
            assert callable(dispatch.handler(context, context.screens[name], key.action)), f"{name}: {key.action}"


def test_every_method_of_a_screen_that_acts_has_a_key(context):
    known = {(name, key.action) for key in TABLE for name in key.where}
    for name in SCREENS:
        for method in dir(context.screens[name]):
            if method.startswith("do_"):
                assert (name, method[3:]) in known, f"{name}.{method}"


async def test_the_palette_holds_every_action_and_says_what_is_impossible(context, ready, world, press):
    ready(context).list.go_to(world["student"])
    press(context, "colon", '"stop"')
    assert "not now: " in plain(draw(context, 120, 40))
    press(context, "ctrl+u", '"tags"', "enter")
    assert context.prompt.label == "tags"


def test_every_key_acts_or_says_why_not_on_every_screen(context, ready, world, press, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where pictures are written
    ready(context)
    for name in SCREENS:
        for key in TABLE:
            for pressed in key.keys:
                context.stack = ["runs"] if name == "runs" else ["runs", name]
                context.prompt = context.menu = None
                context.message = ("", "", 0.0)
                press(context, pressed)
                assert context.message[0].endswith("; ? lists the keys") == (context.keys.find(name, pressed) is None)
                lines = draw(context, 100, 30)
                assert len(lines) == 30 and all(width(line) == 100 for line in lines), (name, pressed)
                title = f" cockpit ▸ {SCREENS[context.stack[-1]]}"
                assert plain(lines[:1]).startswith(title), (name, pressed)


def test_the_last_action_can_be_repeated(context, ready, world, press):
    press(ready(context), "space", "full_stop", "full_stop")
    assert len(context.list.marks) == 3


def test_a_paste_outside_of_a_prompt_does_nothing(context, ready, world):
    paste(ready(context), "Qxyes\r")
    assert not context.effects.left and context.menu is None


@pytest.mark.parametrize("screen", [*OF_RUNS, "compare", "config", "help"])
def test_no_key_that_the_help_names_is_silent(context, ready, world, screen, tmp_path, monkeypatch):
    """A key changes the screen, opens something, does something outside, or says why it cannot."""
    monkeypatch.chdir(tmp_path)  # where pictures are written
    ready(context).list.go_to(world["live"])
    silent = []
    for entry in [entry for entry in context.keys.of(screen) if entry.action not in (*MOVES, "repaint")]:
        context.stack, context.prompt, context.menu, context.message = ["runs"], None, None, ("", "", 0.0)
        context.list.marks = [world["student"], world["second"]]
        context.list.go_to(world["live"])
        if screen != "runs":
            act(context, f"show_{screen}") if screen in MAIN else context.show(screen, *_subject(screen, world))
        context.message = ("", "", 0.0)
        before = plain(draw(context, 120, 40)), context.stack[:], len(context.effects.work), context.effects.left
        act(context, entry.action)
        after = plain(draw(context, 120, 40)), context.stack[:], len(context.effects.work), context.effects.left
        answered = context.prompt or context.menu or context.message[0] or entry.action == f"show_{screen}"
        if before == after and not answered:
            silent.append(entry.action)
    assert silent == []


def _subject(screen, world):
    return {"log": ([world["student"]],), "config": (world["live"],)}.get(screen, ())
