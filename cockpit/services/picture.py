"""Pictures of screens and charts: SVG and text, and PNG where a converter is installed."""

import asyncio
import shutil
import time
from pathlib import Path

from cockpit.render.lines import Lines, plain
from cockpit.render.svg import svg
from cockpit.theme import palette
from engine.runs.files import make_folder, replace

FOLDER = "pictures"  # in the current folder
# Programs that make a PNG of an SVG, the first one that is installed; {0} is the SVG, {1} the PNG.
CONVERTERS = (
    ("rsvg-convert", "--zoom=2", "--output={1}", "{0}"),
    ("inkscape", "--export-type=png", "--export-dpi=192", "--export-filename={1}", "{0}"),
    ("cairosvg", "{0}", "--output-width=2000", "-o", "{1}"),
)
SECONDS = 60.0  # for a converter


def write(lines: Lines, name: str, title: str, folder: Path, now: float) -> Path:
    """Write the picture as SVG and as text; returns the SVG. ``now``: unix seconds. RunError when the disk refuses."""
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"
    make_folder(folder)
    number = 1
    while (folder / f"{stem}.svg").exists():
        number += 1
        stem = f"{stem.removesuffix(f'-{number - 1}')}-{number}" if number > 2 else f"{stem}-{number}"
    replace(folder / f"{stem}.svg", svg(lines, palette(256), title).encode(), sync=False)
    replace(folder / f"{stem}.txt", f"{title}\n\n{plain(lines)}\n".encode(), sync=False)
    return folder / f"{stem}.svg"


async def convert(file: Path) -> str:
    """Make a PNG beside an SVG. Returns its name, or why there is none."""
    command = next((words for words in CONVERTERS if shutil.which(words[0])), None)
    if command is None:
        return f"no PNG: none of {', '.join(words[0] for words in CONVERTERS)} is installed"
    png = file.with_suffix(".png")
    words = [word.format(file, png) for word in command]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, message = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"no PNG: {command[0]} took longer than {SECONDS:g} s"
    if process.returncode or not png.exists():
        last = message.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        return f"no PNG: {command[0]}: {last[0]}"
    return png.name
