"""Pictures of the whole screen and of the chart that has the focus."""

import time
from pathlib import Path

from cockpit.context import Context
from cockpit.keys import caption
from cockpit.render.lines import Lines
from engine.errors import RunError

CHART = (120, 36)  # cells of the picture of a chart


def do_picture(context: Context) -> None:
    """Write the screen as it is."""
    _write(context, context.drawn, context.screen.name)


def why_not_picture_chart(context: Context) -> str:
    return "" if context.screen.focused_picture(*CHART) else "no chart has the focus here: tab"


def do_picture_chart(context: Context) -> None:
    """Write the chart that has the focus, larger than on the screen."""
    _write(context, context.screen.focused_picture(*CHART), f"{context.screen.name}-{context.screen.focus or 'chart'}")


def _write(context: Context, lines: Lines, name: str) -> None:
    from cockpit.services import picture  # loaded only when used: it would slow down the start

    row, when = context.row, time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(context.clock()))
    title = f"{caption(context.screen.name)}  {f'{row.stage} {row.name}  ' if row else ''}{when}"
    clean = "".join(letter if letter.isalnum() else "-" for letter in name)
    try:
        file = picture.write(lines, clean, title, Path.cwd() / picture.FOLDER, context.clock())
    except RunError as error:
        context.notify(str(error), "bad")
        return
    written = f"written: {picture.FOLDER}/{file.name} and .txt in {Path.cwd()}"
    context.notify(written)

    async def png() -> None:
        made = await picture.convert(file)
        context.notify(f"{written}; {made}")

    context.effects.spawn(png())
