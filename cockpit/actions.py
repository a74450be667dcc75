"""What can be done from more than one screen, by the names of the key table: through ``engine`` or ``meta.json``."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cockpit.keys import DOCTOR, HELP, LAUNCH, LIVE, RUNS, TRYOUT
from cockpit.models.rows import Row
from cockpit.models.series import AXES
from cockpit.panes.chart import WEIGHTS
from cockpit.prompts import Choice
from cockpit.services import engine
from engine.errors import UserError
from engine.runs.schema import Meta

if TYPE_CHECKING:
    from cockpit.desk import Desk
    from cockpit.screens.tryout import Tryout

MOVES = ("down", "up", "page_down", "page_up", "first", "last", "left", "right", "pane", "pane_back")
NO_RUN = "there is no run here"
LEFT = "cockpit closed. Runs go on; look again with: cockpit"


def find(action: str) -> Callable[["Desk"], None]:
    """What an action does that the screen on top leaves to all: ``show_<screen>`` needs no function of its own."""
    screen = action.removeprefix("show_")
    if screen != action and f"do_{action}" not in globals():
        return lambda desk: desk.show(screen)
    found: Callable[[Desk], None] = globals()[f"do_{action}"]
    return found


def why_not_show_live(desk: "Desk") -> str:
    return "" if desk.list.rows else "there are no runs yet: a launches one"


def why_not_show_tryout(desk: "Desk") -> str:
    return "" if desk.list.rows else "there are no runs yet: a launches one"


def do_show_tryout(desk: "Desk") -> None:
    """Ask the models of the run under the cursor, or of the newest evaluation where that one has none."""
    row = desk.row
    desk.show(TRYOUT)
    cast("Tryout", desk.screens[TRYOUT]).open(row)


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


# -- charts ------------------------------------------------------------------------------------------------------


def do_smooth(desk: "Desk") -> None:
    place = WEIGHTS.index(desk.view.smoothing) if desk.view.smoothing in WEIGHTS else 0
    desk.view.smoothing = WEIGHTS[(place + 1) % len(WEIGHTS)]
    desk.say(f"smoothing {desk.view.smoothing:g}" if desk.view.smoothing else "no smoothing")


def do_log_scale(desk: "Desk") -> None:
    desk.view.log = not desk.view.log
    desk.say("logarithmic y axis" if desk.view.log else "linear y axis")


def do_axis(desk: "Desk") -> None:
    desk.view.axis = AXES[(AXES.index(desk.view.axis) + 1) % len(AXES)]
    desk.view.cursor = None
    desk.say(f"x axis: {desk.view.axis}")


def do_left(desk: "Desk") -> None:
    _move_cursor(desk, -0.02)


def do_right(desk: "Desk") -> None:
    _move_cursor(desk, 0.02)


def _move_cursor(desk: "Desk", by: float) -> None:
    desk.view.cursor = min(max((0.5 if desk.view.cursor is None else desk.view.cursor) + by, 0.0), 1.0)


def do_closer(desk: "Desk") -> None:
    desk.view.zoom(0.5)


def do_farther(desk: "Desk") -> None:
    desk.view.zoom(2.0)


def do_pan_left(desk: "Desk") -> None:
    desk.view.pan(-0.5)


def do_pan_right(desk: "Desk") -> None:
    desk.view.pan(0.5)


def do_whole(desk: "Desk") -> None:
    desk.view.whole()


def why_not_whole(desk: "Desk") -> str:
    return "" if desk.view.part else "the whole x axis is shown: + goes closer"


why_not_pan_left = why_not_pan_right = why_not_farther = why_not_whole


# -- start and steer ---------------------------------------------------------------------------------------------


def do_launch(desk: "Desk") -> None:
    desk.show(LAUNCH)
    desk.form.open()


def why_not_rerun(desk: "Desk") -> str:
    return "" if desk.row else NO_RUN


def do_rerun(desk: "Desk") -> None:
    """The form with the settings of this run."""
    row = desk.row
    if row is not None:
        desk.show(LAUNCH)
        desk.form.open(row)


def why_not_doctor(desk: "Desk") -> str:
    return "" if desk.row else NO_RUN


def do_doctor(desk: "Desk") -> None:
    """The doctor looks at the run."""
    row = desk.row
    if row is not None:
        desk.doctor.examine(f"{row.stage} {row.name}", [row.id], row.id)
        desk.show(DOCTOR)


def why_not_stop(desk: "Desk") -> str:
    targets = chosen(desk)
    if not targets:
        return NO_RUN
    if not any(row.open for row in targets):
        return f"{targets[0].name} is {targets[0].state}: there is nothing to stop"
    return ""


def do_stop(desk: "Desk") -> None:
    """Ask how; more than one run needs a typed yes."""
    targets = [row for row in chosen(desk) if row.open]
    what = f"{targets[0].stage} {targets[0].name}" if len(targets) == 1 else f"{len(targets)} runs"

    def take(when: str) -> None:
        if len(targets) > 1:
            confirm(desk, f"{when}: stop {len(targets)} runs", lambda: stop(desk, targets, when))
        else:
            stop(desk, targets, when)

    choices = [
        Choice("after evaluation", "goes on to its next evaluation, keeps a checkpoint", "evaluation"),
        Choice("now", "writes a checkpoint and ends; can be resumed", "now"),
        Choice("kill", "ends at once without a checkpoint", "kill"),
    ]
    desk.choose(f"stop {what}", choices, take)


def stop(desk: "Desk", rows: Sequence[Row], when: str) -> None:
    desk.say(f"asked to stop: {', '.join(row.name for row in rows)}")
    desk.effects.spawn(tell(desk, [engine.stop_words(row.id, when) for row in rows], [row.id for row in rows]))


def why_not_resume(desk: "Desk") -> str:
    row = desk.row
    if row is None:
        return NO_RUN
    if row.open:
        return f"{row.name} is {row.state}: it is at work"
    return f"{row.name} is DONE: r runs it again" if row.state == "DONE" else ""


def do_resume(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        desk.say(f"resuming {row.name}")
        desk.effects.spawn(tell(desk, [engine.resume_words(row.id)], [row.id]))


async def tell(desk: "Desk", commands: Sequence[list[str]], runs: Sequence[str]) -> None:
    """Run ``engine`` for each, say what went wrong, and look at the runs again."""
    answers = await asyncio.gather(*(desk.ask(words, desk.root) for words in commands))
    wrong = [answer.message for answer in answers if answer.status]
    if wrong:
        desk.say(wrong[0], "bad")
    for run in runs:
        desk.watch.scanner.again(run)


def confirm(desk: "Desk", what: str, do: Callable[[], None]) -> None:
    """A typed yes before anything that touches more than one run."""

    def check(text: str) -> str:
        return "" if text == "yes" else "type yes, or esc to leave it"

    desk.type(what, "", lambda text: do(), check=check)


# -- what people say about runs ----------------------------------------------------------------------------------


def chosen(desk: "Desk") -> list[Row]:
    """On the list the marked runs, or the one under the cursor; elsewhere the run that is shown."""
    if desk.screen.name == RUNS:
        return desk.list.chosen
    return [desk.row] if desk.row else []


def why_not_pin(desk: "Desk") -> str:
    return "" if chosen(desk) else NO_RUN


why_not_tags = why_not_note = why_not_archive = why_not_mark = why_not_copy = why_not_export = why_not_pin


def do_pin(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        change(desk, [row], "pin", lambda meta: setattr(meta, "pinned", not meta.pinned))
        desk.say(f"{row.name} {'pinned' if row.pinned else 'no longer pinned'}")


def do_archive(desk: "Desk") -> None:
    rows = chosen(desk)
    hide = not all(row.archived for row in rows)

    def work() -> None:
        change(desk, rows, "archive", lambda meta: setattr(meta, "archived", hide))
        desk.say(f"{len(rows)} {'archived' if hide else 'back in the list'}: u undoes, H shows archived runs")
        desk.list.marks.clear()

    if len(rows) > 1:
        confirm(desk, f"archive {len(rows)} runs", work)
    else:
        work()


def do_tags(desk: "Desk") -> None:
    rows = chosen(desk)
    before = " ".join(rows[0].tags)

    def take(text: str) -> None:
        change(desk, rows, "tags", lambda meta: setattr(meta, "tags", text.split()))

    desk.type(f"tags of {len(rows)} runs" if len(rows) > 1 else "tags", before, take, hint="separated by blanks")


def do_note(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        desk.type("note", row.note, lambda text: change(desk, [row], "note", lambda meta: setattr(meta, "note", text)))


def change(desk: "Desk", rows: Sequence[Row], what: str, edit: Callable[[Meta], None]) -> None:
    """Change what people say about runs, and remember how to take it back."""
    before = {row.id: Meta.read(desk.root / row.id) for row in rows}
    try:
        for row in rows:
            meta = Meta.read(desk.root / row.id)
            edit(meta)
            _write(desk, row.id, meta)
    except UserError as error:
        desk.say(str(error), "bad")
        return

    def back() -> None:
        for run, meta in before.items():
            _write(desk, run, meta)

    desk.undo.append((what, back))
    desk.list.arrange(desk.clock())


def _write(desk: "Desk", run: str, meta: Meta) -> None:
    meta.write(desk.root / run)
    row = desk.list.rows.get(run)
    if row is not None:
        row.tags, row.note, row.pinned, row.archived = list(meta.tags), meta.note, meta.pinned, meta.archived
    desk.watch.scanner.again(run)


def why_not_undo(desk: "Desk") -> str:
    return "" if desk.undo else "there is nothing to undo"


def do_undo(desk: "Desk") -> None:
    what, back = desk.undo.pop()
    try:
        back()
    except UserError as error:
        desk.say(str(error), "bad")
        return
    desk.list.arrange(desk.clock())
    desk.say(f"undone: {what}")


# -- take with you -----------------------------------------------------------------------------------------------


def do_copy(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        desk.effects.copy(row.id)
        desk.say(f"copied {row.id}")


def do_export(desk: "Desk") -> None:
    from cockpit.services import export  # the start of the cockpit does not wait for what few ask for

    rows = chosen(desk)
    curves = desk.screen.name == LIVE
    name = f"{rows[0].id}-curves.csv" if curves else "runs.csv"

    def take(text: str) -> None:
        place = Path(text).expanduser()
        try:
            if curves:
                count = export.curves(place, {row.id: desk.watch.follow(row.id).data for row in rows})
            else:
                count = export.table(place, rows, desk.root)
        except OSError as error:
            desk.say(f"{place}: {error.strerror}", "bad")
        else:
            desk.say(f"{count} lines written to {place}")

    def check(text: str) -> str:
        return "is there already: another name" if text and Path(text).expanduser().exists() else ""

    desk.type("write CSV to", name, take, check=check)


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
