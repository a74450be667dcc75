"""The run folder and what executes runs need nothing but the standard library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import engine
from engine.jobs.environment import stage_environment

ENGINE = Path(engine.__file__).parent
MODULES = [
    f"engine.{room}.{file.stem}"
    for room in ("runs", "jobs")
    for file in (ENGINE / room).glob("*.py")
    if file.stem[0] != "_"
]
IMPORT_EACH = """
import importlib, json, sys
known, foreign = set(sys.modules), {}
for name in sys.argv[1:]:
    importlib.import_module(name)
    new = {other.split(".")[0] for other in set(sys.modules) - known}
    foreign[name] = sorted(new - set(sys.stdlib_module_names) - {"engine"} | new & {"asyncio"})
    known = set(sys.modules)
print(json.dumps({name: found for name, found in foreign.items() if found}))
"""


def test_a_run_folder_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *MODULES],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(MODULES) > 20
    assert json.loads(done.stdout) == {}
