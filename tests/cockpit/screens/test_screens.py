"""A new screen is one file and its lines in the key table, beside its test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cockpit

SCREEN = '''"""Screen 7: notes."""

from cockpit.context import Screen
from cockpit.keys import NOTES
from cockpit.render.lines import Lines, block


class NotesScreen(Screen):
    """One line."""

    name = NOTES

    def draw(self, across: int, down: int) -> Lines:
        return block([[("all is noted", "")]], across, down)
'''
DRIVE = """
from pathlib import Path
from cockpit.compose import draw
from cockpit.context import Context
from cockpit.dispatch import key
from cockpit.printing import NoEffects
from cockpit.render.lines import plain
from cockpit.screens import Screens

context = Context(Path("runs"), NoEffects(), screens=Screens)
for name in ("7", "j", "G", "question_mark"):
    key(context, name)
    print(plain(draw(context, 100, 400)))
"""


def test_a_new_screen_is_one_file_and_its_lines_in_the_key_table(tmp_path):
    package = tmp_path / "cockpit"
    shutil.copytree(Path(cockpit.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "screens" / "notes.py").write_text(SCREEN)
    keys = (package / "keys.py").read_text()
    for old, new in (
        ("LAUNCH, LOG,", 'NOTES = "notes"\nLAUNCH, LOG,'),
        ('    LAUNCH: "Launch",', '    NOTES: "7 Notes",\n    LAUNCH: "Launch",'),
        (
            '    Key("show_log"',
            '    Key("show_notes", ("7",), "Notes", "notes of all runs", EVERYWHERE),\n    Key("show_log"',
        ),
    ):
        assert keys.count(old) == 1
        keys = keys.replace(old, new)
    (package / "keys.py").write_text(keys)
    root = Path(cockpit.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("cockpit ▸ 7 Notes") == 3 and "all is noted" in done.stdout
    assert " Notes (7)" in done.stdout and "notes of all runs" in done.stdout  # the help page
