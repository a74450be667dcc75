import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from engine.jobs.environment import stage_environment

ENGINE = Path(engine.__file__).parent
MODULES = [
    f"{room}.{file.stem}" for room in ("runs", "jobs") for file in (ENGINE / room).glob("*.py") if file.stem[0] != "_"
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
        [sys.executable, "-c", LOOK.format(f"engine.{name}")],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[] False"
