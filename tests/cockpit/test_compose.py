"""All lines of the terminal: top line, screen, messages, bottom line."""

import pytest

from cockpit.compose import draw
from cockpit.keys import FOOTER, SCREENS, TABLE
from cockpit.render.lines import plain


def test_the_bottom_line_names_only_keys_of_its_screen():
    for name in SCREENS:
        assert set(FOOTER[name]) <= {key.action for key in TABLE if name in key.where}


@pytest.mark.parametrize("across", [60, 80, 120, 200])
def test_the_bottom_line_always_ends_with_the_way_to_all_others(context, ready, world, across):
    ready(context)
    line = plain(draw(context, across, 24)).splitlines()[-1]
    assert line.endswith(": commands  ? help") and len(line) <= across


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
