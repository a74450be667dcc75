"""The editable line of text of a prompt."""

from engine.runs.text import clean


class LineEdit:
    """Text with a cursor between its characters, edited with the keys of a shell."""

    def __init__(self, text: str = "") -> None:
        self.text = clean(text)
        self.cursor = len(self.text)

    def insert(self, text: str) -> None:
        """Insert text at the cursor; control characters are removed, line ends become blanks."""
        text = clean(" ".join(text.splitlines()))
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def key(self, name: str, character: str | None) -> bool:
        """Edit the line; returns whether the key was an editing key."""
        left, right = self.text[: self.cursor], self.text[self.cursor :]
        match name:
            case "left" | "ctrl+b":
                self.cursor = max(0, self.cursor - 1)
            case "right" | "ctrl+f":
                self.cursor = min(len(self.text), self.cursor + 1)
            case "home" | "ctrl+a":
                self.cursor = 0
            case "end" | "ctrl+e":
                self.cursor = len(self.text)
            case "backspace" | "ctrl+h":
                self._become(left[:-1], right)
            case "delete" | "ctrl+d":
                self._become(left, right[1:])
            case "ctrl+u":
                self._become("", right)
            case "ctrl+k":
                self._become(left, "")
            case "ctrl+w":
                self._become(left.rstrip().rpartition(" ")[0] + (" " if " " in left.rstrip() else ""), right)
            case _ if character and character.isprintable():
                self.insert(character)
            case _:
                return False
        return True

    def _become(self, left: str, right: str) -> None:
        self.text, self.cursor = left + right, len(left)
