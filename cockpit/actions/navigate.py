"""From screen to screen, back, out, and to any action by its name."""

from typing import TYPE_CHECKING, cast

from cockpit.actions.about import NO_RUN
from cockpit.keys import HELP, LIVE, RECOMMEND
from cockpit.prompts import Choice

if TYPE_CHECKING:
    from cockpit.context import Desk
    from cockpit.screens.recommend import Recommend

MOVES = ("down", "up", "page_down", "page_up", "first", "last", "left", "right", "pane", "pane_back")


def why_not_show_live(desk: "Desk") -> str:
    return "" if desk.list.rows else "there are no runs yet: a launches one"


def why_not_show_recommend(desk: "Desk") -> str:
    return "" if desk.list.rows else "there are no runs yet: a launches one"


def do_show_recommend(desk: "Desk") -> None:
    """Ask the models of the run under the cursor, or of the newest evaluation where that one has none."""
    row = desk.row
    desk.show(RECOMMEND)
    cast("Recommend", desk.screens[RECOMMEND]).open(row)


def why_not_show_log(desk: "Desk") -> str:
    return "" if desk.row else NO_RUN


def do_help(desk: "Desk") -> None:
    desk.show(HELP)


def do_repaint(desk: "Desk") -> None:
    desk.effects.repaint()


def do_back(desk: "Desk") -> None:
    """One layer out; on the lowest one it says how to leave."""
    if len(desk.stack) > 1:
        desk.stack.pop()
    elif desk.list.marks:
        desk.list.marks.clear()
        desk.say("marks taken away")
    elif desk.list.text:
        desk.list.filter("")
        desk.list.arrange(desk.clock())
    else:
        desk.say("Q leaves the cockpit; runs go on")


def do_quit(desk: "Desk") -> None:
    desk.effects.leave()


def do_palette(desk: "Desk") -> None:
    """Every action of this screen by name, movement last; those that are impossible now say why."""
    name = desk.screen.name
    choices = []
    for key in sorted(desk.keys.of(name), key=lambda key: key.action in MOVES):
        reason = desk.why_not(key.action)
        text = f"{key.shown:<7} {key.help}" if not reason else f"{key.shown:<7} not now: {reason}"
        choices.append(Choice(key.label, text, key.action))
    desk.choose("commands", choices, desk.act)


def why_not_attention(desk: "Desk") -> str:
    return "" if desk.attention in desk.list.rows else "no warning yet"


def do_attention(desk: "Desk") -> None:
    desk.list.go_to(desk.attention)
    desk.show(LIVE)
    desk.live.open(desk.attention)


def why_not_repeat(desk: "Desk") -> str:
    return "" if desk.repeatable else "nothing was done yet that could be repeated"


def do_repeat(desk: "Desk") -> None:
    desk.act(desk.repeatable)
