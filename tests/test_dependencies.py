"""What pyproject.toml declares is what the program and its tests import."""

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN = {"engine", "cockpit", "tests"}
# Of development, beside stubs: commands and plugins, and what transformers imports to read a GGUF file.
TOOLS = {"ruff", "mypy", "pytest-asyncio", "pytest-xdist", "accelerate"}


# Packages that are called otherwise than their module, where they are not installed.
CALLED = {"faiss": "faiss-cpu", "mlflow": "mlflow-skinny"}


def names(requirements: list[str]) -> set[str]:
    """Distributions; ``recdistill[a,b]`` stands for those of the extras a and b."""
    found = set()
    for one in requirements:
        if own := re.fullmatch(r"recdistill\[(.+)\]", one):
            for extra in own[1].split(","):
                found |= names(PROJECT["optional-dependencies"][extra])
        else:
            found.add(re.split(r"[<>=!\[; ]", one)[0].lower())
    return found


@functools.cache
def imported(*folders: str) -> frozenset[str]:
    """Distributions whose modules are imported below the folders, also by a call with the module's name."""
    modules: set[str] = set()
    for file in [file for folder in folders for file in (ROOT / folder).rglob("*.py")]:
        if "benchmarks" in file.parts:  # they compare with packages that a person installs for it
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in ("import_module", "_installed", "importorskip"):
                    modules.add(str(node.args[0].value).split(".")[0])
    known = CALLED | {name: found[0].lower() for name, found in packages_distributions().items()}
    return frozenset(known.get(name, name) for name in modules - OWN - set(sys.stdlib_module_names))


DECLARED = names(PROJECT["dependencies"])
OPTIONAL = {name: names(found) for name, found in PROJECT["optional-dependencies"].items()}
EXTRAS = set().union(*(found for name, found in OPTIONAL.items() if name != "dev"))


def test_everything_the_program_imports_is_declared() -> None:
    assert imported("engine", "cockpit") - DECLARED - EXTRAS == set()


def test_everything_that_is_declared_is_imported() -> None:
    assert DECLARED - imported("engine", "cockpit") == set()


def test_everything_the_tests_import_is_declared_and_used() -> None:
    used = imported("tests")
    assert used - DECLARED - OPTIONAL["dev"] == set()
    assert {one for one in OPTIONAL["dev"] - used - TOOLS if not one.startswith("types-")} == set()
