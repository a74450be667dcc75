"""Starting, examining, stopping and going on with runs, through ``engine``."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cockpit.actions.about import NO_RUN, chosen
from cockpit.keys import DOCTOR, LAUNCH
from cockpit.models.rows import Row
from cockpit.prompts import Choice
from cockpit.services import engine

if TYPE_CHECKING:
    from cockpit.context import Desk


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
