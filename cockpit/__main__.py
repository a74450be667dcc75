"""The command ``cockpit``. Nothing heavy is imported before the options are parsed."""

import argparse
import codecs
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from engine.errors import UserError
from engine.report.completion import PrintCompletion
from engine.report.console import make_printable

if TYPE_CHECKING:
    from cockpit.services.folders import Folders
    from cockpit.settings import Settings


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="cockpit",
        description="Watch, launch and control runs in the terminal. Closing it never stops a run.",
        epilog="Over a slow connection: cockpit --low-bandwidth, and ssh -C. Settings: see cockpit --settings.",
    )
    top.add_argument(
        "--runs",
        action="append",
        metavar="[NAME=]DIR",
        help="folder of runs (ENGINE_RUNS, or runs/); may be repeated, new runs are made in the first",
    )
    top.add_argument(
        "--also",
        action="append",
        metavar="[NAME=]DIR",
        help="folder of another program's logs (TensorBoard, Lightning's CSV), shown beside the runs; may be repeated",
    )
    top.add_argument("--read-only", action="store_true", help="start, stop and change nothing")
    top.add_argument("--low-bandwidth", action="store_true", help="paint once a second")
    top.add_argument("--no-cell-diff", action="store_true", help="send changed rows instead of changed cells")
    top.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal, for selecting text")
    top.add_argument("--settings", action="store_true", help="print the path of the settings file, check it, and exit")
    top.add_argument(
        "--print",
        choices=("runs", "live", "result", "compare", "queue", "system", "help"),
        help="print a screen as text and exit",
    )
    top.add_argument("--size", default="120x40", metavar="WxH", help="size in cells of a printed screen (120x40)")
    top.add_argument("--format", default="text", choices=("text", "svg"), help="form of a printed screen (text)")
    top.add_argument("--keys", action="store_true", help="print the table of keys as Markdown and exit")
    top.add_argument("--completion", action=PrintCompletion, words=dict)
    top.add_argument("--version", action="store_true", help="print the version and exit")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole program; returns the exit status."""
    make_printable()
    options = parser().parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        print(f"cockpit {version('recdistill')}")
        return 0
    from cockpit import settings

    file = settings.path()
    try:
        chosen = settings.load(file)
        if options.settings:
            from cockpit.keys import KeyMap

            KeyMap(chosen.keys, str(file))
            print(f"{file}: {'valid' if file.exists() else 'does not exist; the defaults are used'}")
            return 0
        if options.keys:
            from cockpit.printing import key_table

            print(key_table(chosen.keys, str(file)))
            return 0
        from cockpit.services.folders import named

        folders = named(options.runs or [os.environ.get("ENGINE_RUNS") or "runs"], options.also or [])
        if not _has_signs(sys.stdout if options.print else sys.stderr):  # Textual draws on stderr
            chosen.symbols = "ascii"
        if options.print:
            from cockpit.printing import screen_text

            print(screen_text(folders, options.print, options.size, chosen, options.format))
            return 0
        return _run(options, folders, chosen, str(file))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a printed screen closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _has_signs(stream: TextIO) -> bool:
    """Whether the encoding of a stream has the signs that screens are drawn with."""
    return codecs.lookup(stream.encoding or "ascii").name == "utf-8"


def _run(options: argparse.Namespace, folders: "Folders", chosen: "Settings", settings_file: str) -> int:
    if not sys.stderr.isatty() or not sys.stdin.isatty():  # Textual draws on stderr
        raise UserError(
            "cockpit needs a terminal",
            location="stdin or stderr",
            remedy="Without one use: engine runs, engine show ID",
        )
    # No animations and no smooth scrolling: over SSH they cost bytes without information.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from cockpit.app import Cockpit

    chosen.low_bandwidth |= options.low_bandwidth
    chosen.cell_diff &= not options.no_cell_diff
    app = Cockpit(folders, chosen, read_only=options.read_only, settings_file=settings_file)
    app.run(mouse=chosen.mouse and not options.no_mouse)
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
