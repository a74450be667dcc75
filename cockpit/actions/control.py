"""Starting, examining, stopping and going on with runs, through ``engine``."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cockpit.actions.about import NO_RUN, chosen
from cockpit.keys import DOCTOR, LAUNCH
from cockpit.models.rows import Row
from cockpit.prompts import MenuItem
from cockpit.services import engine

if TYPE_CHECKING:
    from cockpit.context import Context


def do_launch(context: "Context") -> None:
    context.show(LAUNCH)
    context.form.open()


def why_not_rerun(context: "Context") -> str:
    return "" if context.row else NO_RUN


def do_rerun(context: "Context") -> None:
    """The form with the settings of this run."""
    row = context.row
    if row is not None:
        context.show(LAUNCH)
        context.form.open(row)


def why_not_doctor(context: "Context") -> str:
    return "" if context.row else NO_RUN


def do_doctor(context: "Context") -> None:
    """The doctor looks at the run."""
    row = context.row
    if row is not None:
        context.doctor.examine(f"{row.stage} {row.name}", [row.id], row.id)
        context.show(DOCTOR)


def why_not_stop(context: "Context") -> str:
    targets = chosen(context)
    if not targets:
        return NO_RUN
    if not any(row.open for row in targets):
        return f"{targets[0].name} is {targets[0].state}: there is nothing to stop"
    return ""


def do_stop(context: "Context") -> None:
    """Ask how; more than one run needs a typed yes."""
    targets = [row for row in chosen(context) if row.open]
    what = f"{targets[0].stage} {targets[0].name}" if len(targets) == 1 else f"{len(targets)} runs"

    def take(when: str) -> None:
        if len(targets) > 1:
            confirm(context, f"{when}: stop {len(targets)} runs", lambda: stop(context, targets, when))
        else:
            stop(context, targets, when)

    choices = [
        MenuItem("after evaluation", "goes on to its next evaluation, keeps a checkpoint", "evaluation"),
        MenuItem("now", "writes a checkpoint and ends; can be resumed", "now"),
        MenuItem("kill", "ends at once without a checkpoint", "kill"),
    ]
    context.choose(f"stop {what}", choices, take)


def stop(context: "Context", rows: Sequence[Row], when: str) -> None:
    context.say(f"asked to stop: {', '.join(row.name for row in rows)}")
    context.effects.spawn(tell(context, [engine.stop_words(row.id, when) for row in rows], [row.id for row in rows]))


def why_not_resume(context: "Context") -> str:
    row = context.row
    if row is None:
        return NO_RUN
    if row.open:
        return f"{row.name} is {row.state}: it is at work"
    return f"{row.name} is DONE: r runs it again" if row.state == "DONE" else ""


def do_resume(context: "Context") -> None:
    row = context.row
    if row is not None:
        context.say(f"resuming {row.name}")
        context.effects.spawn(tell(context, [engine.resume_words(row.id)], [row.id]))


async def tell(context: "Context", commands: Sequence[list[str]], runs: Sequence[str]) -> None:
    """Run ``engine`` for each, say what went wrong, and look at the runs again."""
    answers = await asyncio.gather(*(context.ask(words, context.root) for words in commands))
    wrong = [answer.message for answer in answers if answer.status]
    if wrong:
        context.say(wrong[0], "bad")
    for run in runs:
        context.watch.scanner.again(run)


def confirm(context: "Context", what: str, do: Callable[[], None]) -> None:
    """A typed yes before anything that touches more than one run."""

    def check(text: str) -> str:
        return "" if text == "yes" else "type yes, or esc to leave it"

    context.type(what, "", lambda text: do(), check=check)
