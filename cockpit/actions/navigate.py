"""Movement, panes, and the way from screen to screen, back and out."""

from cockpit.actions.about import needs_run
from cockpit.context import Context
from cockpit.keys import HELP, LIVE, RECOMMEND, RUNS, ZOOMED
from cockpit.models.scroll import FAR


def do_down(context: Context) -> None:
    context.screen.move(1)


def do_up(context: Context) -> None:
    context.screen.move(-1)


def do_page_down(context: Context) -> None:
    context.screen.move(context.screen.page)


def do_page_up(context: Context) -> None:
    context.screen.move(-context.screen.page)


def do_first(context: Context) -> None:
    context.screen.move(-FAR)


def do_last(context: Context) -> None:
    context.screen.move(FAR)


def do_pane(context: Context) -> None:
    _tab(context, 1)


def do_pane_back(context: Context) -> None:
    _tab(context, -1)


def _tab(context: Context, by: int) -> None:
    screen = context.screen
    names = screen.panes()
    index = names.index(screen.focus) if screen.focus in names else 0
    screen.focus = names[(index + by) % len(names)]


def do_zoom(context: Context) -> None:
    context.screen.zoomed = not context.screen.zoomed


why_not_open = why_not_show_log = needs_run


def do_open(context: Context) -> None:
    """Show the run on the Live screen."""
    if context.row is not None:
        context.show(LIVE, context.row.id)


def do_filter(context: Context) -> None:
    """Filter the list of runs while the text is typed."""
    context.show(RUNS)
    before = context.list.text

    def take(text: str) -> None:
        context.list.filter(text)
        context.list.arrange(context.clock())

    hint = "state:run val_recall@10>.08 sort:-age"
    context.open_prompt("filter", before, take, live=take, cancel=lambda: take(before), hint=hint)


def why_not_show_live(context: Context) -> str:
    return "" if context.list.rows else "there are no runs yet: a launches one"


why_not_show_recommend = why_not_show_live


def do_show_recommend(context: Context) -> None:
    """Show recommendations of the run under the cursor, or of the newest evaluation where that one has none."""
    context.show(RECOMMEND, context.row)


def do_help(context: Context) -> None:
    context.show(HELP)


def do_repaint(context: Context) -> None:
    context.effects.repaint()


def do_back(context: Context) -> None:
    """One layer back: cursor of the charts, range of the x axis, zoomed pane, screen, marks, filter."""
    screen, view = context.screen, context.view
    if screen.name in ZOOMED and view.cursor is not None:
        view.cursor = None
    elif screen.name in ZOOMED and view.part:
        view.whole()
    elif screen.zoomed:
        screen.zoomed = False
    elif len(context.stack) > 1:
        context.stack.pop()
    elif context.list.marks:
        context.list.marks.clear()
        context.notify("marks removed")
    elif context.list.text:
        context.list.filter("")
        context.list.arrange(context.clock())
    else:
        context.notify("Q quits the cockpit; runs continue")


def do_quit(context: Context) -> None:
    context.effects.leave()


def why_not_attention(context: Context) -> str:
    return "" if context.attention in context.list.rows else "no warning yet"


def do_attention(context: Context) -> None:
    """Open the run of the last warning."""
    context.list.go_to(context.attention)
    context.show(LIVE, context.attention)
