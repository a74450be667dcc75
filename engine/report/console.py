"""What a terminal or file of another encoding than UTF-8 shows instead of the signs that it does not have."""

import codecs
import sys
from io import TextIOWrapper

HANDLER = "engine-plain"
SIGNS = {
    **dict(zip("▸→←↑↓•·…", [">", "->", "<-", "^", "v", "*", ".", "..."], strict=True)),
    **dict(zip("±×≤≥≈−–—", ["+-", "x", "<=", ">=", "~", "-", "-", "-"], strict=True)),
    **dict(zip("✓✗⚠✔✘●○‖", "vx!vx*o|", strict=True)),
    **dict(zip("─━│┃┌┐└┘├┤┬┴┼╭╮╰╯", "--||" + "+" * 13, strict=True)),
    **{chr(code): "#" for code in range(0x2580, 0x25A0)},  # blocks
    **{chr(code): ":" for code in range(0x2801, 0x2900)},  # Braille, of which curves are drawn
    chr(0x2800): " ",
}


def make_printable() -> None:
    """Let no text fail to be printed: stdout and stderr write what their encoding lacks in ASCII.

    Signs of the program become similar ones, any other character its escape (``\\\\xe9``), from which it can be told.
    """
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in text), error.end
