"""The key table and the screens fit together."""

import pytest

from cockpit import dispatch
from cockpit.compose import draw
from cockpit.keys import FOOTER, SCREENS, TABLE
from cockpit.render.lines import plain, width


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


def test_the_bottom_line_names_only_keys_of_its_screen():
    for name in SCREENS:
        assert set(FOOTER[name]) <= {key.action for key in TABLE if name in key.where}


@pytest.mark.parametrize("across", [60, 80, 120, 200])
def test_the_bottom_line_always_ends_with_the_way_to_all_others(context, ready, world, across):
    ready(context)
    line = plain(draw(context, across, 24)).splitlines()[-1]
    assert line.endswith(": commands  ? help") and len(line) <= across


async def test_the_palette_holds_every_action_and_says_what_is_impossible(context, ready, world, press):
    ready(context).list.go_to(world["student"])
    press(context, "colon", '"stop"')
    assert "not now: " in plain(draw(context, 120, 40))
    press(context, "ctrl+u", '"tags"', "enter")
    assert context.prompt.label == "tags"


def test_every_key_acts_or_says_why_not_on_every_screen(context, ready, world, press):
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


WITHOUT_RUNS = {
    "runs": "No runs in",
    "live": "no runs yet: a launches one",
    "compare": "there are no runs yet: a launches one",
    "queue": "no run has asked for a slot yet",
    "system": "disk  runs 0B",
    "recommend": "t types titles",
    "launch": "settings",
    "log": "nothing printed yet",
    "doctor": "nothing was examined yet",
    "help": "Runs (1)",
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_without_any_run_says_so(context, ready, name):
    ready(context)
    context.stack = ["runs", name]
    ready(context)
    assert WITHOUT_RUNS[name] in plain(draw(context, 80, 24))


def test_only_a_few_runs_are_kept_in_memory(context, ready, world):
    ready(context)
    for number in range(30):
        context.watch.follow(f"student-{number}")
    assert len(context.watch.followers) == 12
