"""Which part of the program may import which: a part may use what stands below it, never what stands above."""

import ast
import functools
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from engine.stages import STAGES

ROOT = Path(__file__).parent.parent

# From the top floor down. Parts in one tuple share a floor and may use each other.
FLOORS: dict[str, list[tuple[str, ...]]] = {
    "engine": [
        ("notebook",),
        ("cli", "__main__", "commands"),
        ("compare",),
        ("shipping",),
        ("doctor", "recommend"),
        ("experiments",),
        *[(name,) for name in reversed(STAGES)],
        ("training",),
        ("metrics",),
        ("mirror",),
        ("report",),
        ("config",),
        ("jobs",),
        ("runs",),
        ("stages", "errors", "wire"),
    ],
    "cockpit": [
        ("__main__",),
        ("app", "printing"),
        ("dispatch",),
        ("compose",),
        ("screens",),
        ("actions",),
        ("context",),
        ("panes", "prompts", "frame"),
        ("services",),
        ("models",),
        ("render",),
        ("keys", "settings", "theme"),
    ],
}
LEVEL = {
    f"{package}.{part}": len(floors) - depth
    for package, floors in FLOORS.items()
    for depth, floor in enumerate(floors)
    for part in floor
}
TYPES_ONLY = {("engine.doctor.check", "engine.doctor.case")}  # imported for annotations: --list must not load torch
COCKPIT_MAY_USE = {"stages", "errors", "wire", "runs", "jobs", "metrics", "config", "report"}


@functools.cache
def imports(file: Path) -> frozenset[str]:
    """Dotted names of everything a file imports, deferred imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def part_of(dotted: str) -> str:
    """``package.part`` of a dotted name."""
    return ".".join(dotted.split(".")[:2])


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def module_of(file: Path) -> str:
    """The dotted name of a file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", FLOORS)
def test_every_part_has_a_floor(package: str) -> None:
    assert {part_of(module_of(file)) for file in files(package)} - {package} <= LEVEL.keys()


@pytest.mark.parametrize("package", FLOORS)
def test_no_part_imports_from_a_floor_above_its_own(package: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files(package)
        for name in imports(file)
        if name.startswith(package + ".")
        and LEVEL.get(part_of(name), 0) > LEVEL.get(part_of(module_of(file)), len(LEVEL))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_imports_itself_through_others(package: str) -> None:
    modules = {module_of(file): file for file in files(package)}
    graph = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imports(file)}
        & modules.keys() - {module}
        for module, file in modules.items()
    }
    for module, imported in TYPES_ONLY:
        graph.get(module, set()).discard(imported)
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError with the circle


def test_the_cockpit_knows_only_the_run_folder_and_the_table() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files("cockpit")
        for name in imports(file)
        if name.split(".")[0] == "engine" and part_of(name).removeprefix("engine.") not in COCKPIT_MAY_USE
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("hydra", {"engine/config"}),
        ("transformers", {"engine/backbone"}),
        ("plotext", {"engine/report/chart.py", "cockpit/render"}),
        ("textual", {"cockpit"}),
        ("optuna", {"engine/experiments/tune.py", "engine/experiments/importance.py"}),
    ],
)
def test_a_heavy_library_is_imported_in_its_one_place(library: str, homes: set[str]) -> None:
    users = {
        file.relative_to(ROOT).as_posix()
        for package in ("engine", "cockpit")
        for file in (ROOT / package).rglob("*.py")
        if any(name.split(".")[0] == library for name in imports(file))
    }
    assert {user for user in users if not any(user == home or user.startswith(home + "/") for home in homes)} == set()


def test_only_training_builds_a_trainer() -> None:
    builders = {
        part_of(module_of(file))
        for file in files("engine")
        if any(name.startswith("pytorch_lightning") for name in imports(file))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Trainer"
    }
    assert builders == {"engine.training"}


def loaded_by(module: str) -> set[str]:
    """Top-level modules in ``sys.modules`` after a fresh interpreter imports ``module``."""
    code = f"import sys, {module}; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        *("engine.stages", "engine.jobs.store", "engine.runs.run", "engine.jobs.supervisor", "engine.jobs.starter"),
        *("engine.wire", "engine.report.numbers", "engine.report.tables", "engine.report.csv_files"),
        *("engine.config", "engine.config.grammar", "engine.config.settings.tree"),
    ],
)
def test_the_run_folder_needs_nothing_but_the_standard_library(module: str) -> None:
    started = loaded_by("os")  # what site-packages load at start is none of our doing
    assert loaded_by(module) - started - set(sys.stdlib_module_names) == {"engine"}


@pytest.mark.parametrize("module", ["engine.cli", "cockpit.app"])
def test_a_front_end_starts_without_the_heavy_libraries(module: str) -> None:
    heavy = {"torch", "transformers", "pytorch_lightning", "pandas", "pyarrow", "hydra", "plotext", "optuna", "scipy"}
    assert loaded_by(module) & heavy == set()


def test_pytest_starts_without_the_heavy_libraries() -> None:
    """Every call of pytest loads these plugins, and that of pytest-xdist which only hands out tests does so first."""
    plugins = ", ".join(("tests.fixtures.jobs", "tests.fixtures.evaluations", "tests.fixtures.small_runs"))
    assert loaded_by(plugins) & {"torch", "transformers", "pandas", "pyarrow", "scipy"} == set()
