"""Movement, panes, and the way from screen to screen, back and out."""

from cockpit.actions.about import chosen, needs_run
from cockpit.context import Context
from cockpit.keys import BOARD, COMPARE, CONFIG, HELP, LIVE, LOG, MODELS, RECOMMEND, RESULT, RUNS, ZOOMED
from cockpit.models.rows import Row
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
    """Show the run: an evaluation by its result, any other by its curves."""
    if context.row is not None:
        open_run(context, context.row)


def open_run(context: Context, row: Row, curves: bool = False) -> None:
    """Show a run: an evaluation by its result unless ``curves`` are wanted."""
    context.screens[LIVE].open(row.id)  # where 2 returns to
    context.show(LIVE) if curves or not row.has_result else context.show(RESULT, row.id)


def do_show_log(context: Context) -> None:
    """Show the console of the run; on the list, the ends of the consoles of the marked runs."""
    runs = [row.id for row in chosen(context)]
    if runs:
        context.show(LOG, runs)


def why_not_config(context: Context) -> str:
    return needs_run(context)


def do_config(context: Context) -> None:
    """Show every setting of the run."""
    if context.row is not None:
        context.show(CONFIG, context.row.id)


def why_not_errors(context: Context) -> str:
    return needs_run(context)


def do_errors(context: Context) -> None:
    """Show the console of the run where its last error is."""
    if context.row is not None:
        context.show(LOG, [context.row.id], to_error=True)


def do_filter(context: Context) -> None:
    """Filter the list of runs while the text is typed."""
    context.show(RUNS)
    runs = context.list
    before, here = runs.text, runs.current

    def take(text: str) -> None:
        runs.filter(text)
        runs.arrange(context.clock())

    def cancel() -> None:
        take(before)
        if here is not None:
            runs.go_to(here.id)

    def check(text: str) -> str:
        return "not a filter: see above" if runs.error else ""

    hint = "state:run metric>.08 sort:-age"
    context.open_prompt("filter", before, take, live=take, cancel=cancel, check=check, hint=hint)


def why_not_show_live(context: Context) -> str:
    return "" if context.list.rows else "there are no runs yet: a launches one"


why_not_show_recommend = why_not_show_live


def do_show_live(context: Context) -> None:
    """Show the run of the screen, else the last one; the curves of an evaluation where its result is shown."""
    row = context.row or context.screens[LIVE].row
    if row is not None:
        open_run(context, row, curves=context.screen.name == RESULT)


def do_show_compare(context: Context) -> None:
    """Compare marked runs, or the models of the one evaluation on the screen."""
    row = context.row
    if row is not None and context.compares_models and context.screen.name in (RUNS, LIVE, RESULT):
        context.show(MODELS, row.id)
    else:
        context.show(COMPARE)


def why_not_show_board(context: Context) -> str:
    return needs_run(context) or ("" if context.row and context.row.experiment else "this run is of no experiment")


def do_show_board(context: Context) -> None:
    """Show the experiment's board: of the run's stage where it has several runs of it, else of its last stage."""
    row = context.row
    if row is not None:
        stages = [one.stage for one in context.list.rows.values() if one.experiment == row.experiment]
        context.show(BOARD, row.experiment, row.stage if stages.count(row.stage) > 1 else "")


def do_show_recommend(context: Context) -> None:
    """Show recommendations of the run under the cursor, or of the newest evaluation where that one has none."""
    context.show(RECOMMEND, context.row)


def do_help(context: Context) -> None:
    context.show(HELP)


def do_repaint(context: Context) -> None:
    context.effects.repaint()


def do_back(context: Context) -> None:
    """One layer back: cursor of the charts, range of the x axis, zoomed pane, screen, marks, filter.

    From a main screen the way leads to the one that it was opened from.
    """
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


def _troubled(context: Context) -> list[str]:
    """Runs with a fault: the one of the latest warning, then the newest first."""
    rows = [row for row in context.list.rows.values() if row.troubled and not row.archived]
    runs = [row.id for row in sorted(rows, key=lambda row: (row.created, row.id), reverse=True)]
    latest = [context.attention] if context.attention in context.list.rows else []
    return list(dict.fromkeys([*latest, *runs]))


def why_not_attention(context: Context) -> str:
    return "" if _troubled(context) else "no run has failed or has a warning"


def do_attention(context: Context) -> None:
    """Open the run of the last warning or the newest one with a fault; again, the next one."""
    runs = _troubled(context)
    here = context.row.id if context.screen.name == LIVE and context.row else ""
    run = runs[(runs.index(here) + 1) % len(runs)] if here in runs else runs[0]
    context.list.go_to(run)
    context.show(LIVE, run)
    context.notify(f"{runs.index(run) + 1} of {len(runs)} runs that failed or have a warning")
