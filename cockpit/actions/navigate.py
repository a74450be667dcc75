"""From screen to screen, back, out, and to any action by its name."""

from typing import TYPE_CHECKING, cast

from cockpit.actions.about import NO_RUN
from cockpit.keys import HELP, LIVE, RECOMMEND
from cockpit.prompts import MenuItem

if TYPE_CHECKING:
    from cockpit.context import Context
    from cockpit.screens.recommend import RecommendScreen

MOVES = ("down", "up", "page_down", "page_up", "first", "last", "left", "right", "pane", "pane_back")


def why_not_show_live(context: "Context") -> str:
    return "" if context.list.rows else "there are no runs yet: a launches one"


def why_not_show_recommend(context: "Context") -> str:
    return "" if context.list.rows else "there are no runs yet: a launches one"


def do_show_recommend(context: "Context") -> None:
    """Ask the models of the run under the cursor, or of the newest evaluation where that one has none."""
    row = context.row
    context.show(RECOMMEND)
    cast("RecommendScreen", context.screens[RECOMMEND]).open(row)


def why_not_show_log(context: "Context") -> str:
    return "" if context.row else NO_RUN


def do_help(context: "Context") -> None:
    context.show(HELP)


def do_repaint(context: "Context") -> None:
    context.effects.repaint()


def do_back(context: "Context") -> None:
    """One layer out; on the lowest one it says how to leave."""
    if len(context.stack) > 1:
        context.stack.pop()
    elif context.list.marks:
        context.list.marks.clear()
        context.say("marks taken away")
    elif context.list.text:
        context.list.filter("")
        context.list.arrange(context.clock())
    else:
        context.say("Q leaves the cockpit; runs go on")


def do_quit(context: "Context") -> None:
    context.effects.leave()


def do_palette(context: "Context") -> None:
    """Every action of this screen by name, movement last; those that are impossible now say why."""
    name = context.screen.name
    choices = []
    for key in sorted(context.keys.of(name), key=lambda key: key.action in MOVES):
        reason = context.why_not(key.action)
        text = f"{key.shown:<7} {key.help}" if not reason else f"{key.shown:<7} not now: {reason}"
        choices.append(MenuItem(key.label, text, key.action))
    context.choose("commands", choices, context.act)


def why_not_attention(context: "Context") -> str:
    return "" if context.attention in context.list.rows else "no warning yet"


def do_attention(context: "Context") -> None:
    context.list.go_to(context.attention)
    context.show(LIVE)
    context.live.open(context.attention)


def why_not_repeat(context: "Context") -> str:
    return "" if context.repeatable else "nothing was done yet that could be repeated"


def do_repeat(context: "Context") -> None:
    context.act(context.repeatable)
