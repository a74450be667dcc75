"""Launching, examining, stopping and resuming runs, through ``engine``."""

import asyncio
from collections.abc import Callable, Sequence

from cockpit.actions.about import NO_RUN, chosen, needs_run
from cockpit.context import Context
from cockpit.keys import DOCTOR, LAUNCH
from cockpit.models.rows import Row
from cockpit.prompts import MenuItem
from cockpit.services import engine
from cockpit.services.sizes import disk_use
from engine.report import numbers


def do_launch(context: Context) -> None:
    context.show(LAUNCH, None)


def do_rerun(context: Context) -> None:
    """Open the form with the settings of this run."""
    context.show(LAUNCH, context.row)


why_not_rerun = why_not_doctor = needs_run


def do_doctor(context: Context) -> None:
    """Examine the run."""
    row = context.row
    if row is not None:
        context.show(DOCTOR, f"{row.stage} {row.name}", [row.id], run=row.id)


def why_not_stop(context: Context) -> str:
    targets = chosen(context)
    if not targets:
        return NO_RUN
    if not any(row.open for row in targets):
        return f"{targets[0].name} is {targets[0].state}: there is nothing to stop"
    return ""


def do_stop(context: Context) -> None:
    """Choose how to stop; more than one run needs a typed confirmation."""
    targets = [row for row in chosen(context) if row.open]
    what = f"{targets[0].stage} {targets[0].name}" if len(targets) == 1 else f"{len(targets)} runs"

    def take(when: str) -> None:
        if len(targets) > 1:
            confirm(context, f"{when}: stop {len(targets)} runs", lambda: stop(context, targets, when))
        else:
            stop(context, targets, when)

    items = [
        MenuItem("after evaluation", "continues to its next evaluation, then writes a checkpoint", "evaluation"),
        MenuItem("now", "writes a checkpoint and ends: R resumes it", "now"),
        MenuItem("kill", "ends at once without a checkpoint", "kill"),
    ]
    context.open_menu(f"stop {what}", items, take)


def stop(context: Context, rows: Sequence[Row], when: str) -> None:
    context.notify(f"stop requested: {', '.join(row.name for row in rows)}")
    commands = [engine.stop_arguments(row.id, when) for row in rows]
    context.effects.spawn(run_commands(context, commands, [row.id for row in rows]))


def why_not_resume(context: Context) -> str:
    row = context.row
    if row is None:
        return NO_RUN
    if row.open:
        return f"{row.name} is {row.state}: it has not ended"
    return f"{row.name} is DONE: r runs it again" if row.state == "DONE" else ""


def do_resume(context: Context) -> None:
    row = context.row
    if row is not None:
        context.notify(f"resuming {row.name}")
        context.effects.spawn(run_commands(context, [engine.resume_arguments(row.id)], [row.id]))


def why_not_remove(context: Context) -> str:
    targets = chosen(context)
    if not targets:
        return NO_RUN
    at_work = [row.name for row in targets if row.open]
    if at_work:
        return f"{at_work[0]} is at work: x stops it"
    ids = {row.id for row in targets}
    for row in context.list.rows.values():
        needed = ids & set(row.inputs.values())
        if needed and row.id not in ids:
            return f"{min(needed)} is needed by {row.stage} {row.name}: delete that first, or mark both"
    return ""


def do_remove(context: Context) -> None:
    """Delete the runs after a typed confirmation that names the disk space."""
    targets = sorted(chosen(context), key=lambda row: row.created, reverse=True)  # those that need others first
    freed = numbers.size(sum(disk_use(context.folders / row.id) for row in targets))
    what = f"{targets[0].stage} {targets[0].name}" if len(targets) == 1 else f"{len(targets)} runs"
    confirm(
        context,
        f"delete {what} for good, which frees {freed} of the disk",
        lambda: context.effects.spawn(_remove(context, [row.id for row in targets], f"{what} deleted: {freed} freed")),
    )


async def _remove(context: Context, runs: Sequence[str], done: str) -> None:
    answer = await context.ask(["rm", *runs], context.root)
    context.watch.scanner.list_again()
    if answer.status:
        context.notify(answer.message, "bad")
    else:
        context.list.marks.clear()
        context.notify(done)


async def run_commands(context: Context, commands: Sequence[list[str]], runs: Sequence[str]) -> None:
    """Run ``engine`` with each of the argument lists, show the first error, and read the runs again."""
    answers = await asyncio.gather(*(context.ask(command, context.root) for command in commands))
    errors = [answer.message for answer in answers if answer.status]
    if errors:
        context.notify(errors[0], "bad")
    for run in runs:
        context.watch.scanner.again(run)


def confirm(context: Context, what: str, do: Callable[[], None]) -> None:
    """Request a typed yes before anything that changes more than one run."""

    def check(text: str) -> str:
        return "" if text == "yes" else "type yes, or esc to cancel"

    context.open_prompt(what, "", lambda text: do(), check=check)
