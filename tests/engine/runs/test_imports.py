import os
import subprocess
import sys

import pytest

from engine.runs.environment import stage_environment

MODULES = [
    "events",
    "files",
    "forecast",
    "identity",
    "journal",
    "memory",
    "queue",
    "reader",
    "run",
    "schema",
    "state",
    "store",
    "supervisor",
]
LOOK = """
import sys
before = set(sys.modules)
import engine.errors, engine.stages, {}
foreign = {{name.split(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names) - {{"engine"}}
print(sorted(foreign), "asyncio" in sys.modules)
"""


@pytest.mark.parametrize("name", MODULES)
def test_a_run_folder_needs_nothing_but_the_standard_library(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(f"engine.runs.{name}")],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[] False"
